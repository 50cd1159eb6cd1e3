"""The error families of the specification: Violation, Misuse, Bug.

The fourth family, Fault, is the hardware's and lives in `capability`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spec.contract import Rule
    from spec.event import Event
    from spec.heap import Block

MISUSE_KINDS = frozenset(
    {"double-free", "invalid-free", "interior-free", "use-after-free", "out-of-bounds", "size-mismatch"}
)


class Violation(Exception):  # noqa: N818 - a kind of finding, named as DESIGN names it
    """The allocator broke a rule of the contract.

    rule: the rule that broke.
    message: what happened, to which block (id, size, address, offset), since when, and the rule.
    event: the reply that broke it. block: the live or freed block that was harmed, when there is one.
    after_misuse: number of the first event in which the client broke the contract unnoticed by the allocator,
    from where on the standards promise nothing; 0 when the client is innocent.
    """

    def __init__(
        self,
        rule: Rule,
        message: str,
        event: Event | None = None,
        block: Block | None = None,
        after_misuse: int = 0,
    ) -> None:
        super().__init__(rule, message, event, block, after_misuse)
        self.rule = rule
        self.message = message
        self.event = event
        self.block = block
        self.after_misuse = after_misuse

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.message}"


class Misuse(Exception):  # noqa: N818 - a kind of finding, named as DESIGN names it
    """The client broke the contract: it freed, resized or accessed what it may not.

    kind: one of MISUSE_KINDS.
    message: what happened, to which block (id, size, address, offset) and since when.
    event: the call. block: the block that was meant, as far as that can be told.
    Raises: ValueError for a kind outside MISUSE_KINDS.

    >>> str(Misuse("double-free", "0x1000 is already free"))
    'double-free: 0x1000 is already free'
    """

    def __init__(self, kind: str, message: str, event: Event | None = None, block: Block | None = None) -> None:
        if kind not in MISUSE_KINDS:
            raise ValueError(f"misuse kind {kind!r} is none of {', '.join(sorted(MISUSE_KINDS))}")
        super().__init__(kind, message, event, block)
        self.kind = kind
        self.message = message
        self.event = event
        self.block = block

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


class Bug(Exception):  # noqa: N818 - a kind of finding, named as DESIGN names it
    """Something that cannot happen happened: the fault is in m4alloc itself, not in an allocator or a client."""


Finding = Violation | Misuse
