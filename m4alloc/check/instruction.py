"""Instructions: operations as the driver takes them, every block by the number of a slot.

Which slot an operation means is settled before anything is carried out, as if every request succeeded; the driver skips
what then finds no block. So a plan is the same for every allocator, and its steps can wait for one another in parallel.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from m4alloc.check.operation import Aim, Operation
from spec.event import ACCESSING, ALLOCATING, FREEING, RESIZING

INSTRUCTION = np.dtype(
    [
        ("function", "u1"),
        ("aim", "u1"),
        ("thread", "<u2"),
        ("slot", "<u4"),
        ("size", "<u8"),
        ("count", "<u8"),
        ("alignment", "<u8"),
        ("offset", "<i8"),
        ("turn", "<u4"),
        ("uses_slot", "<u4"),
    ]
)
"""struct instruction of m4alloc/check/driver/board.h."""
WIRE = struct.Struct("<BBHIQQQqII")
"""One of them."""
Instructions = npt.NDArray[np.void]
RAW, ABSOLUTE = 4, 5
"""Further aims of instructions: the slot's last pointer plus offset, live or not; the address in `offset`."""
KEPT_DEAD = 64
"""Freed blocks that can be named, for misuse; older slots are used again."""
SLOTS = 1 << 20
WORD = 2**64 - 1


class Row(NamedTuple):
    """One instruction; the fields of INSTRUCTION."""

    function: int
    aim: int = 0
    thread: int = 0
    slot: int = 0
    size: int = 0
    count: int = 1  # type: ignore[assignment]  # hides tuple.count
    alignment: int = 0
    offset: int = 0
    turn: int = 0
    uses_slot: int = 0


class Planner:
    """Settles which slot each operation means; what it knows lasts from one plan to the next of a session.

    >>> from spec.event import Function
    >>> malloc, free = Operation(Function.MALLOC, size=24), Operation(Function.FREE, aim=Aim.LIVE)
    >>> [(row.slot, row.turn) for row in Planner().rows([malloc, malloc, free, free])]
    [(0, 0), (1, 0), (1, 1), (0, 1)]
    """

    def __init__(self) -> None:
        self.live: list[int] = []
        self.dead: deque[int] = deque()
        self.unused: deque[int] = deque()
        self.uses: list[int] = []

    def plan(self, operations: Iterable[Operation]) -> Instructions:
        """The instructions of the operations that name a block or need none. Cost: about 2 us an operation."""
        pack = WIRE.pack  # several times as fast as numpy is on tuples
        return np.frombuffer(bytearray(b"".join([pack(*row) for row in self.rows(operations)])), INSTRUCTION)

    def rows(self, operations: Iterable[Operation]) -> Iterable[Row]:
        """The instructions one by one. Cost: O(live blocks) an operation that gives one up."""
        for function, thread, aim, block, size, count, alignment, offset in operations:
            size, count, alignment = size & WORD, count & WORD, alignment & WORD
            if aim is Aim.NULL:
                if function in ALLOCATING or function in RESIZING:
                    yield self.row(function, aim, thread, self.fresh(), size, count, alignment)
                elif function not in ACCESSING:
                    yield Row(function, aim, thread, 0, size, count, alignment)
                continue
            if aim is Aim.DEAD:
                if self.dead:
                    slot = self.dead[-1 - block % len(self.dead)]
                    yield self.row(function, aim, thread, slot, size, count, alignment, offset)
                continue
            if not self.live or function in ALLOCATING:
                continue
            place = len(self.live) - 1 - block % len(self.live)
            slot = self.live[place]
            if aim is Aim.LIVE and function in FREEING:
                del self.live[place]
                self.bury(slot)
            elif aim is Aim.LIVE and function in RESIZING:  # what is resized counts as the youngest
                self.live.append(self.live.pop(place))
            yield self.row(function, aim, thread, slot, size, count, alignment, offset)

    def row(
        self, function: int, aim: int, thread: int, slot: int, size: int, count: int, alignment: int, offset: int = 0
    ) -> Row:
        """The instruction, with the turn it has among those that use the slot."""
        turn = self.uses[slot]
        self.uses[slot] = turn + 1
        return Row(function, aim, thread, slot, size, count, alignment, offset, turn & 0xFFFFFFFF, 1)

    def fresh(self) -> int:
        """A slot for a block to come; it counts as the youngest live one."""
        if self.unused:
            slot = self.unused.popleft()
        else:
            slot = len(self.uses)
            self.uses.append(0)
            if slot >= SLOTS:
                raise ValueError(f"a plan holds at most {SLOTS} blocks at once")
        self.live.append(slot)
        return slot

    def bury(self, slot: int) -> None:
        """The block of the slot is given up."""
        self.dead.append(slot)
        if len(self.dead) > KEPT_DEAD:
            self.unused.append(self.dead.popleft())

    def drop(self, slot: int) -> None:
        """The block of the slot is not there after all."""
        if slot in self.live:
            self.live.remove(slot)
            self.bury(slot)
