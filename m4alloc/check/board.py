"""The memory that a test and the driver share: instructions in, events out, and what the driver is doing.

The driver writes down every step before it takes it, so that after a crash the board says what it was doing. The layout
is that of struct board in m4alloc/check/driver/board.h; a test holds the two to each other.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import NamedTuple

import numpy as np

from m4alloc.check.instruction import INSTRUCTION, Instructions
from m4alloc.trace.format import RECORD
from m4alloc.trace.read import Records

CAPACITY = 1 << 15
"""Instructions in one batch."""
EVENTS = 3 * CAPACITY
"""Events on one page: an instruction gives its own, and one for each comparison that fails, which are rare."""
THREADS = 64
HEADER = struct.Struct("<IIQQQIIII")
"""instructions, events, number, nodes, leaves, depth, stop, forks, steps"""
ACTIVITY = struct.Struct("<IIQQ")
ACTIVITY_AT = HEADER.size
INSTRUCTIONS_AT = 4096
EVENTS_AT = INSTRUCTIONS_AT + CAPACITY * INSTRUCTION.itemsize
SIZE = EVENTS_AT + EVENTS * RECORD.itemsize
EXPLORATION = struct.Struct("<IIIIII32H")
"""struct exploration of m4alloc/check/driver/explore.h."""


class Doing(IntEnum):
    """What a thread of the driver is doing."""

    NOTHING = 0
    CALLING = 1
    LOADING = 2
    STORING = 3
    MEASURING = 4


class Activity(NamedTuple):
    """What one thread is doing, with which address and how many bytes."""

    doing: Doing
    thread: int
    address: int
    size: int


class Board:
    """One shared mapping of a memory file. `check()` states its invariants."""

    def __init__(self) -> None:
        self.descriptor = os.memfd_create("m4alloc-board")
        os.ftruncate(self.descriptor, SIZE)
        self.memory = mmap.mmap(self.descriptor, SIZE)
        self.instructions: Instructions = np.frombuffer(self.memory, INSTRUCTION, CAPACITY, INSTRUCTIONS_AT)
        self.lines: Records = np.frombuffer(self.memory, RECORD, EVENTS, EVENTS_AT)

    def ask(self, instructions: Instructions) -> None:
        """Put a batch on the board. Raises ValueError: more than CAPACITY instructions."""
        if len(instructions) > CAPACITY:
            raise ValueError(f"a batch holds at most {CAPACITY} instructions, not {len(instructions)}")
        self.instructions[: len(instructions)] = instructions
        struct.pack_into("<II", self.memory, 0, len(instructions), 0)

    def clear(self) -> None:
        """Forget what the last episode left."""
        HEADER.pack_into(self.memory, 0, *[0] * 9)
        self.memory[ACTIVITY_AT : ACTIVITY_AT + THREADS * ACTIVITY.size] = bytes(THREADS * ACTIVITY.size)

    def events(self) -> Records:
        """Every event written down, taken off the board.

        A line that was given out to a thread which died before it wrote there is left out: it has function 0.
        """
        count = min(HEADER.unpack_from(self.memory, 0)[1], EVENTS)
        taken = self.lines[:count].copy()
        self.lines["function"][:count] = 0
        return taken[taken["function"] > 0] if not taken["function"].all() else taken

    def wipe(self) -> None:
        """Take every line off the board. Cost: 5 ms."""
        self.lines["function"] = 0

    @property
    def nodes(self) -> int:
        """Nodes of an exploration visited so far."""
        return int(HEADER.unpack_from(self.memory, 0)[3])

    @property
    def leaves(self) -> int:
        """Sequences of full length carried out to their end so far."""
        return int(HEADER.unpack_from(self.memory, 0)[4])

    @property
    def steps(self) -> int:
        """Events written down in this episode, those taken off the board included; modulo 2**32."""
        return int(HEADER.unpack_from(self.memory, 0)[8])

    @property
    def stopped(self) -> bool:
        """Whether the driver was told to go no further."""
        return bool(HEADER.unpack_from(self.memory, 0)[6])

    def activities(self) -> Iterator[Activity]:
        """What each thread that is not idle is doing."""
        for index in range(THREADS):
            doing, thread, address, size = ACTIVITY.unpack_from(self.memory, ACTIVITY_AT + index * ACTIVITY.size)
            if doing:
                yield Activity(Doing(doing), thread, address, size)

    def check(self) -> None:
        """The counts on the board are within its bounds."""
        instructions = HEADER.unpack_from(self.memory, 0)[0]
        assert instructions <= CAPACITY, instructions

    def close(self) -> None:
        """Give the memory back."""
        del self.instructions, self.lines
        self.memory.close()
        os.close(self.descriptor)
