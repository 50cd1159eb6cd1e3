"""The memory that a test and its forked child share: operations in, replies out, and how far the child came.

The child writes down every step before it takes it, so that after a crash the last line of the board is what
it was doing.
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Sequence
from enum import IntEnum

from m4alloc.check.operation import FUNCTIONS, WIRE, Operation, pack, unpack
from spec.event import Event

CAPACITY = 1 << 14
"""Operations in one batch."""
HEADER = struct.Struct("<IIII")
REPLY = struct.Struct("<BBHiQQQQQqq")
EVENTS = 3 * CAPACITY
"""Replies in one batch: an operation gives at most one for each comparison, which are rare, and its own."""
OPERATIONS_AT = 64
EVENTS_AT = OPERATIONS_AT + CAPACITY * WIRE.size
SIZE = EVENTS_AT + EVENTS * REPLY.size
WORD = 2**64 - 1


class Phase(IntEnum):
    """What the child was doing last."""

    IDLE = 0
    CALLING = 1
    TOUCHING = 2
    DONE = 3


class Board:
    """One shared mapping of a memory file; the same layout seen from both sides. `check()` states its invariants."""

    def __init__(self, descriptor: int) -> None:
        self.memory = mmap.mmap(descriptor, SIZE)
        self.written = 0

    @classmethod
    def create(cls) -> tuple[Board, int]:
        """A fresh board and the descriptor of its file, inheritable by a child that is told its number."""
        descriptor = os.memfd_create("m4alloc-board")
        os.ftruncate(descriptor, SIZE)
        return cls(descriptor), descriptor

    def ask(self, operations: Sequence[Operation]) -> None:
        """Put a batch on the board. Raises ValueError: more than CAPACITY operations."""
        if len(operations) > CAPACITY:
            raise ValueError(f"a batch holds at most {CAPACITY} operations, not {len(operations)}")
        data = pack(operations)
        self.memory[OPERATIONS_AT : OPERATIONS_AT + len(data)] = data
        HEADER.pack_into(self.memory, 0, len(operations), 0, 0, Phase.IDLE)

    def asked(self) -> list[Operation]:
        """The batch on the board."""
        count = HEADER.unpack_from(self.memory, 0)[0]
        return list(unpack(self.memory[OPERATIONS_AT : OPERATIONS_AT + count * WIRE.size]))

    def mark(self, step: int, phase: Phase) -> None:
        """Note that operation number `step` is in `phase`."""
        struct.pack_into("<II", self.memory, 8, step, phase)

    def write(self, event: Event) -> None:
        """Write the reply down at the next free line without turning to the one after it."""
        if self.written < EVENTS:
            write_event(self.memory, self.written, event)
            struct.pack_into("<I", self.memory, 4, self.written + 1)

    def commit(self, event: Event) -> None:
        """Write the reply down for good."""
        self.write(event)
        self.written += 1

    def put(self, event: Event) -> None:
        """Put one request that names its block by address on the board, in place of a batch."""
        self.written = 0
        self.commit(event)

    def reached(self) -> tuple[int, Phase]:
        """The last operation that was begun, counted from 0, and its phase."""
        _, _, step, phase = HEADER.unpack_from(self.memory, 0)
        return step, Phase(phase)

    def events(self) -> list[Event]:
        """Every reply written down."""
        count = HEADER.unpack_from(self.memory, 0)[1]
        data = self.memory[EVENTS_AT : EVENTS_AT + count * REPLY.size]
        return [read_event(record) for record in REPLY.iter_unpack(data)]

    def check(self) -> None:
        """The counts on the board are within its bounds."""
        operations, events, step, _ = HEADER.unpack_from(self.memory, 0)
        assert operations <= CAPACITY and events <= EVENTS and step <= operations, (operations, events, step)

    def close(self) -> None:
        """Unmap."""
        self.memory.close()


def write_event(memory: mmap.mmap, line: int, event: Event) -> None:
    """Write one reply; numbers beyond 64 bits wrap."""
    REPLY.pack_into(
        memory,
        EVENTS_AT + line * REPLY.size,
        event.function,
        event.flags & 255,
        event.thread,
        event.errno,
        event.address & WORD,
        event.size & WORD,
        event.count & WORD,
        event.alignment & WORD,
        event.result & WORD,
        event.usable,
        event.intact,
    )


def read_event(record: tuple[int, ...]) -> Event:
    """One reply back."""
    function, flags, thread, errno, address, size, count, alignment, result, usable, intact = record
    return Event(
        FUNCTIONS[function], thread, address, size, count, alignment, result, errno, usable, intact, flags=flags
    )
