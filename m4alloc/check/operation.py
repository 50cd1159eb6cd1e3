"""An operation is a request that names its block by position, so that a list of them can be cut anywhere.

Events name blocks by address, and addresses are known only after the allocator has chosen them. An operation
says "the k-th youngest live block" instead: removing operations from a list leaves a list that still means
something, which is what shrinking needs.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from spec.event import Function


class Aim(IntEnum):
    """Which pointer an operation hands in."""

    NULL = 0
    LIVE = 1
    DEAD = 2
    INSIDE = 3


class Directive(IntEnum):
    """What a LABEL asks of whoever carries a plan out; in an operation its `count`, in a script its text."""

    THREAD_END = 1
    PARALLEL = 2
    JOIN = 3
    FORK_CHILD = 4
    FORK_PARENT = 5
    LIMIT_MEMORY = 6
    REPEAT = 7
    END_REPEAT = 8
    THREAD_LEAVES = 9
    PAUSE = 10

    @property
    def label(self) -> str:
        """As scripts write it.

        >>> Directive.THREAD_END.label
        'thread-end'
        """
        return self.name.lower().replace("_", "-")


LABELS = tuple(directive.label for directive in Directive)
"""The texts of the directives, in the order of their numbers from 1."""


class Operation(NamedTuple):
    """One step of a plan: a function, the thread that calls it, and where its pointer comes from.

    aim, block: LIVE takes the live block number `block` counted from the youngest, modulo how many live;
    DEAD takes a freed block in the same way (a misuse: double free, use after free); INSIDE points
    `1 + offset % (usable - 1)` bytes into a live block (a misuse, too); NULL is the null pointer.
    An operation that finds no such block is skipped. A LABEL is a directive, its number in `count` and its argument in
    `size`; the plainest ends its thread, and the next use of the number starts a new one.
    """

    function: Function
    thread: int = 0
    aim: Aim = Aim.NULL
    block: int = 0
    size: int = 0
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    alignment: int = 0
    offset: int = 0

    @property
    def misuse(self) -> bool:
        """Whether the client breaks the contract by this operation.

        >>> Operation(Function.FREE, aim=Aim.DEAD).misuse
        True
        """
        return self.aim is Aim.DEAD or self.aim is Aim.INSIDE


def directive(which: Directive, size: int = 0, thread: int = 0) -> Operation:
    """The operation that gives a directive.

    >>> directive(Directive.REPEAT, 1000).count == Directive.REPEAT
    True
    """
    return Operation(Function.LABEL, thread, size=size, count=int(which))
