"""Allocators that run in this process: the reference allocator, and the native core as an Arena."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from m4alloc.check.executor import Executor
from m4alloc.check.face import Face, Reply
from m4alloc.check.native import NativeMemory
from m4alloc.check.operation import Operation
from m4alloc.check.pattern import common_prefix, pattern
from m4alloc.check.target import Closing, Episode, Usage
from m4alloc.check.threads import Turns
from spec.allocator import ReferenceAllocator
from spec.error import Misuse
from spec.event import MISUSE_CAUGHT, Event, Function


class ReferenceFace:
    """The reference allocator with its own memory."""

    functions = frozenset(Function) - {Function.LOAD, Function.STORE, Function.FILL, Function.LABEL}

    def __init__(self, allocator: ReferenceAllocator) -> None:
        self.allocator = allocator

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request; a misuse changes nothing and is flagged."""
        try:
            event = self.allocator.request(Event(function, 0, address, size, count, alignment))
        except Misuse:
            return Reply(0, 0, MISUSE_CAUGHT)
        return Reply(event.result, event.errno)

    def usable(self, address: int) -> int:
        """Usable bytes of a live block."""
        return self.allocator.request(Event(Function.USABLE_SIZE, address=address)).result

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write the pattern."""
        self.allocator.memory.store(address, pattern(seed, size))

    def intact(self, address: int, size: int, seed: int) -> int:
        """Compare with the pattern."""
        return common_prefix(self.allocator.memory.load(address, size), pattern(seed, size))

    def zeros(self, address: int, size: int) -> int:
        """Count leading zeros."""
        return self.allocator.memory.leading_zeros(address, size)


class ArenaFace(NativeMemory):
    """A native Arena, asked on addresses, in this process: every function, and every usable byte."""

    functions = ReferenceFace.functions

    def __init__(self, arena: Any) -> None:
        super().__init__()
        self.arena = arena

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request."""
        result, errno, misuse = self.arena.call(int(function), address, size, count, alignment)
        return Reply(result, errno, MISUSE_CAUGHT if misuse else 0)

    def usable(self, address: int) -> int:
        """Usable bytes of a live block."""
        usable: int = self.arena.call(int(Function.USABLE_SIZE), address)[0]
        return usable


class LocalTarget(Closing):
    """An allocator in this process, made anew by `make` for each episode; its threads are real ones."""

    def __init__(self, name: str, make: Callable[[], Face]) -> None:
        self.name = name
        self.make = make
        self.functions = make().functions

    def begin(self) -> LocalSession:
        """A fresh allocator to be asked step by step."""
        return LocalSession(self.make())

    def run(self, operations: Sequence[Operation]) -> Episode:
        """Carry out a whole plan on a fresh allocator."""
        events: list[Event] = []
        with self.begin() as session:
            for operation in operations:
                events += session.run(operation)
            events += session.sweep()
        return Episode(events)

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over on one fresh allocator until `limit` bytes were used."""
        with self.begin() as session:
            return session.executor.repeat(operations, limit, session.run)


class LocalSession(Closing):
    """One fresh allocator, asked one request at a time."""

    def __init__(self, face: Face) -> None:
        self.executor = Executor(face)
        self.turns = Turns()

    def request(self, event: Event) -> list[Event]:
        """Carry out a request on its thread."""
        events: list[Event] = []
        self.turns.run(event.thread, lambda: events.extend(self.executor.request(event)))
        if event.function is Function.LABEL:
            self.turns.end(event.thread)
        return events

    def run(self, operation: Operation) -> list[Event]:
        """Carry out an operation, or nothing when it names no block."""
        event = self.executor.resolve(operation)
        return [] if event is None else self.request(event)

    def sweep(self) -> list[Event]:
        """LOAD events for live blocks whose contents changed."""
        return self.executor.sweep()

    def close(self) -> None:
        """End the threads."""
        self.turns.close()


def reference(capacity: int = 1 << 30, quarantine: int = 0) -> LocalTarget:
    """The reference allocator, first fit on flat memory."""
    return LocalTarget("reference", lambda: ReferenceFace(ReferenceAllocator(capacity=capacity, quarantine=quarantine)))


def arena(capacity: int = 1 << 30, strategy: Any = None) -> LocalTarget:
    """The native core in this process, an Arena of its own for each episode.

    Raises ImportError where the core is not built.
    """
    from m4alloc import _fast

    return LocalTarget("arena", lambda: ArenaFace(_fast.Arena(capacity, strategy)))
