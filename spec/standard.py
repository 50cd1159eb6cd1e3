"""The standards, and the contract that a choice of them makes.

A standard is a row of data: the rules that cite it (in `spec.contract`) and its answer where standards differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from types import MappingProxyType

from spec.contract import PROMISE, PROMISES, RULES, Rule

FUNDAMENTAL = 16
"""alignof(max_align_t) on the 64-bit targets of Linux."""


class ReallocZero(Enum):
    """What realloc(p, 0) of a live block may do; where standards are combined, the last of their answers counts.

    POSIX.1-2024 names the error that ISO C17 leaves open; it defers to ISO C, which from C23 on leaves the whole
    call undefined; and what a standard leaves undefined an implementation may define.
    """

    OPEN = "whether a null pointer means that the block was freed is left open"
    EINVAL = "a block, or a null pointer and errno EINVAL or ENOMEM"
    UNDEFINED = "anything: the client may not ask for it"
    FREES = "the block is freed and a null pointer returned"


_ANSWERS = list(ReallocZero)


@dataclass(frozen=True, slots=True)
class Standard:
    """One standard, and its answers where standards differ.

    aligns_small: blocks too small for a type must suit it all the same.
    names_errors: a failed request sets errno. zero_is_block: a request of zero bytes hands out a block.
    """

    name: str
    title: str
    aligns_small: bool
    names_errors: bool
    zero_is_block: bool
    realloc_zero: ReallocZero


STANDARDS: Mapping[str, Standard] = MappingProxyType(
    {
        row.name: row
        for row in (
            #        name     title                       small  errno  zero   realloc(p, 0)
            Standard("c17", "ISO/IEC 9899:2018", True, False, False, ReallocZero.OPEN),
            Standard("c23", "ISO/IEC 9899:2024", False, False, False, ReallocZero.UNDEFINED),
            Standard("posix", "IEEE Std 1003.1-2024", False, True, False, ReallocZero.EINVAL),
            Standard("glibc", "GNU C Library 2.38", True, True, True, ReallocZero.FREES),
            Standard("cheri", "CHERI C/C++ Programming Guide, UCAM-CL-TR-947", False, False, False, ReallocZero.OPEN),
        )
    }
)
"""From the general to the particular: a finding cites the last of the chosen standards that states its rule.

CHERI C is C for processors with capabilities. It adds demands and relaxes none, so `cheri` leaves every question open
that another standard may answer: blocks too small for a capability may be aligned as C23 has it, errors need no name.
"""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a choice of standards demands together: every rule that one of them states, the strictest of the answers.

    promises: the rules of `spec.contract.PROMISES` that the allocator promises. realloc_zero: see ReallocZero.
    widest: alignof(max_align_t) in bytes, a power of two.
    """

    standards: tuple[str, ...]
    rules: Mapping[str, Rule]
    aligns_small: bool
    names_errors: bool
    zero_is_block: bool
    realloc_zero: ReallocZero
    promises: frozenset[str] = frozenset()
    widest: int = FUNDAMENTAL

    @property
    def name(self) -> str:
        """The standards as `--standard` takes them."""
        return ",".join(self.standards)

    def fundamental(self, size: int) -> int:
        """The alignment in bytes that a block of `size` bytes needs when its request names none.

        >>> [contract("c23").fundamental(size) for size in (0, 1, 7, 8, 15, 24)], contract("c17").fundamental(1)
        ([1, 1, 4, 8, 8, 16], 16)
        """
        if self.aligns_small or size >= self.widest:
            return self.widest
        return 1 << size.bit_length() - 1 if size else 1

    def clause(self, rule: Rule) -> str:
        """The clause of the most particular of the chosen standards that states `rule`."""
        stating = [standard for standard in self.standards if standard in rule.standards]
        return rule.clause(stating[-1] if stating else PROMISE)


@cache
def contract(standards: str, promises: frozenset[str] = frozenset()) -> Contract:
    """The contract of a comma-separated choice of standards, in any order, and of what the allocator promises.

    Raises: ValueError when a name is unknown or no standard is given.

    >>> contract("posix,c23").name, len(contract("c17").rules), contract("c17,glibc").realloc_zero.name
    ('c23,posix', 19, 'FREES')
    """
    named = [name.strip() for name in standards.split(",") if name.strip()]
    unknown = [name for name in named if name not in STANDARDS]
    if unknown or not named:
        wrong = f"standard {unknown[0]!r} is unknown" if unknown else "no standard is named"
        raise ValueError(f"{wrong}; known are {', '.join(STANDARDS)}, alone or joined by commas")
    unknown = sorted(promises - PROMISES)
    if unknown:
        raise ValueError(f"promise {unknown[0]!r} is unknown; known are {', '.join(sorted(PROMISES))}")
    chosen = [row for name, row in STANDARDS.items() if name in named]
    names = tuple(row.name for row in chosen)
    in_force, unmade = {*names, PROMISE}, PROMISES - promises
    return Contract(
        standards=names,
        rules=MappingProxyType(
            {name: rule for name, rule in RULES.items() if rule.standards & in_force and name not in unmade}
        ),
        aligns_small=any(row.aligns_small for row in chosen),
        names_errors=any(row.names_errors for row in chosen),
        zero_is_block=any(row.zero_is_block for row in chosen),
        realloc_zero=max((row.realloc_zero for row in chosen), key=_ANSWERS.index),
        promises=promises,
    )
