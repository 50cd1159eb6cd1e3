"""Where an adapter finds the bytes of a user's allocator: a buffer, the allocator's own load and store, or nowhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from capability.fault import Fault
from m4alloc.check.executor import Executor, Live
from m4alloc.check.local import UnreachableError
from m4alloc.check.pattern import common_prefix, pattern
from spec.event import NOT_OBSERVED, Event, Function


class Memory(Protocol):
    """The half of m4alloc.check.face.Face that is about bytes."""

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write the pattern of `seed`."""

    def intact(self, address: int, size: int, seed: int) -> int:
        """How many leading bytes still hold the pattern of `seed`."""

    def zeros(self, address: int, size: int) -> int:
        """How many leading bytes are zero."""


class Accessed:
    """Memory that is read by `load(address, size)` and written by `store(address, bytes)`."""

    load: Callable[[int, int], Any]
    store: Callable[[int, bytes], Any]

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write the pattern of `seed`. Cost: one store."""
        self.store(address, pattern(seed, size))

    def intact(self, address: int, size: int, seed: int) -> int:
        """How many leading bytes still hold the pattern of `seed`. Cost: one load."""
        return common_prefix(bytes(self.load(address, size)), pattern(seed, size))

    def zeros(self, address: int, size: int) -> int:
        """How many leading bytes are zero. Cost: one load."""
        found = bytes(self.load(address, size))
        return len(found) - len(found.lstrip(b"\0"))


class BufferMemory(Accessed):
    """A writable buffer whose first byte has the address `base`.

    Raises TypeError: `buffer` is no buffer of bytes, or cannot be written.

    >>> memory = BufferMemory(bytearray(64), base=0x1000)
    >>> memory.store(0x1008, b"abc")
    >>> bytes(memory.load(0x1006, 6)), memory.zeros(0x1000, 64)
    (b'\\x00\\x00abc\\x00', 8)
    """

    def __init__(self, buffer: Any, base: int = 0) -> None:
        try:
            view = memoryview(buffer)
        except TypeError:
            wanted = "a writable buffer (bytearray, mmap, a numpy array), 'process', or None"
            raise TypeError(f"memory is {buffer!r}; it must be {wanted}") from None
        if view.readonly or not view.c_contiguous:
            raise TypeError(f"memory of type {type(buffer).__name__} must be writable, and in one piece")
        self.view = view.cast("B")
        self.base = base

    def load(self, address: int, size: int) -> memoryview:
        """The bytes there. Raises UnreachableError: not all of them are in the buffer."""
        return self.view[self.range(Function.LOAD, address, size)]

    def store(self, address: int, data: bytes) -> None:
        """Write bytes there. Raises UnreachableError: not all of them are in the buffer."""
        self.view[self.range(Function.STORE, address, len(data))] = data

    def range(self, access: Function, address: int, size: int) -> slice:
        """Where in the buffer the bytes are."""
        start = address - self.base
        if start < 0 or start + size > len(self.view):
            have = f"[{self.base:#x}, {self.base + len(self.view):#x})"
            raise UnreachableError(access, address, size, f"{size} bytes at {address:#x} are not all in memory {have}")
        return slice(start, start + size)

    def clear(self) -> None:
        """Make every byte zero, as memory fresh from the system is."""
        self.view[:] = bytes(len(self.view))


class OwnMemory(Accessed):
    """The memory of an allocator that has `load` and `store` itself. A Fault there means that it cannot be reached."""

    def __init__(self, allocator: Any) -> None:
        self.allocator = allocator

    def load(self, address: int, size: int) -> bytes:
        """What the allocator's memory holds. Raises UnreachableError."""
        try:
            return bytes(self.allocator.load(address, size))
        except Fault as fault:
            raise UnreachableError(Function.LOAD, address, size, str(fault)) from fault

    def store(self, address: int, data: bytes) -> None:
        """Write into the allocator's memory. Raises UnreachableError."""
        try:
            self.allocator.store(address, data)
        except Fault as fault:
            raise UnreachableError(Function.STORE, address, len(data), str(fault)) from fault


class NoMemory:
    """The memory of an allocator that only hands out addresses: nothing is written, nothing is known."""

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write nothing."""

    def intact(self, address: int, size: int, seed: int) -> int:
        """NOT_OBSERVED."""
        return NOT_OBSERVED

    def zeros(self, address: int, size: int) -> int:
        """NOT_OBSERVED."""
        return NOT_OBSERVED


class Blind(Executor):
    """Carries requests out where there are no contents to compare."""

    def compare(self, owned: Live, thread: int, events: list[Event]) -> None:
        """Nothing is known of contents, so nothing is said."""
