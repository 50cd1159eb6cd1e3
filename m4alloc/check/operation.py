"""An operation is a request that names its block by position, so that a list of them can be cut anywhere.

Events name blocks by address, and addresses are known only after the allocator has chosen them. An operation
says "the k-th youngest live block" instead: removing operations from a list leaves a list that still means
something, which is what shrinking needs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from spec.event import Function


class Aim(IntEnum):
    """Which pointer an operation hands in."""

    NULL = 0
    LIVE = 1
    DEAD = 2
    INSIDE = 3


class Operation(NamedTuple):
    """One step of a plan: a function, the thread that calls it, and where its pointer comes from.

    aim, block: LIVE takes the live block number `block` counted from the youngest, modulo how many live;
    DEAD takes a freed block in the same way (a misuse: double free, use after free); INSIDE points
    `1 + offset % (usable - 1)` bytes into a live block (a misuse, too); NULL is the null pointer.
    An operation that finds no such block is skipped. LABEL ends its thread; the next use starts a new one.
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


WIRE = struct.Struct("<BBHIQQQQ")
"""An operation in the memory shared with the child: 40 bytes, little-endian."""


def pack(operations: Iterable[Operation]) -> bytes:
    """The operations as consecutive WIRE records.

    >>> len(pack([Operation(Function.MALLOC, size=24)]))
    40
    """
    record = WIRE.pack
    return b"".join([record(op[0], op[2], op[1], op[3], op[4], op[5], op[6], op[7]) for op in operations])


FUNCTIONS = {int(function): function for function in Function}
AIMS = {int(aim): aim for aim in Aim}


def unpack(data: bytes | memoryview) -> Iterator[Operation]:
    """The operations back from their WIRE records.

    >>> plan = [Operation(Function.FREE, 1, Aim.LIVE, 3)]
    >>> list(unpack(pack(plan))) == plan
    True
    """
    for function, aim, thread, block, size, count, alignment, offset in WIRE.iter_unpack(data):
        yield Operation(FUNCTIONS[function], thread, AIMS[aim], block, size, count, alignment, offset)
