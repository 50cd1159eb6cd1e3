"""The pure-Python backend: Arena and Block on the reference allocator, where the native core cannot be built.

Its face is that of m4alloc._fast. Placement, sizes and misuse are the reference allocator's (first fit on flat
memory); its addresses name nothing in this process. The contents of a Block are its own: it is a bytearray, since
before Python 3.12 only types written in C can offer a buffer.
"""

from __future__ import annotations

import threading
from functools import cache
from operator import index
from types import TracebackType
from typing import Any, NoReturn, Self

from spec.allocator import ReferenceAllocator
from spec.error import Misuse
from spec.event import Event, Function

UNIT = 1 << 16
LARGEST = 1 << 44
PTRDIFF_MAX = 2**63 - 1


class Block(bytearray):
    """One live block of an Arena, as a writable buffer of the size asked for.

    Dropping a Block frees nothing; `with` and Arena.close() do. A dead Block raises Misuse when it is used; only
    `memoryview` of it gives an empty view instead, since a bytearray cannot refuse. Blocks are compared by identity.
    """

    __slots__ = ("_address", "_pin", "_usable", "alive", "arena", "size")

    def __init__(self, arena: Arena, address: int, size: int, usable: int) -> None:
        super().__init__(size)
        self.arena, self.size, self._address, self._usable = arena, size, address, usable
        self.alive = True
        # A view keeps the length as it is: append, extend and the like raise BufferError.
        self._pin = memoryview(self)

    @property
    def address(self) -> int:
        """Address of the first byte, a number of the reference allocator's."""
        self.require_alive()
        return self._address

    @property
    def usable_size(self) -> int:
        """Bytes that the allocator set aside, at least `size`."""
        self.require_alive()
        return self._usable

    def require_unexported(self) -> None:
        """Raise BufferError when a view of the block exists."""
        self._pin.release()
        try:
            self.append(0)  # Python's own test: a bytearray with exported buffers cannot grow
            self.pop()
        except BufferError:
            raise BufferError(f"{self!r} has exported buffers; release them first") from None
        finally:
            self._pin = memoryview(self)

    def detach(self) -> None:
        """End the block's life on Python's side. Raises BufferError: a view of it exists."""
        self.require_unexported()
        self._pin.release()
        self.clear()
        self.alive = False

    def require_alive(self) -> None:
        """Raise Misuse when the block is dead."""
        if not self.alive:
            raise Misuse("use-after-free", f"block of {self.size} bytes is dead")

    def __bytes__(self) -> bytes:
        self.require_alive()
        return bytes(self._pin)

    def __enter__(self) -> Self:
        self.require_alive()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self.alive:
            self.arena.free(self)

    def __getitem__(self, key: Any) -> Any:
        self.require_alive()
        return super().__getitem__(key)

    def __setitem__(self, key: Any, value: Any) -> None:
        self.require_alive()
        super().__setitem__(key, value)

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__  # type: ignore[assignment]  # bytearray has none, being compared by contents

    def __bool__(self) -> bool:
        return True

    def __len__(self) -> int:
        return self.size

    def __repr__(self) -> str:
        return f"<Block of {self.size} bytes{f' at {self._address:#x}' if self.alive else ', dead'}>"

    __str__ = __repr__


class Arena:
    """A heap of its own, on the reference allocator.

    capacity: bytes, rounded up to 64 KiB units; 64 KiB to 16 TiB.
    strategy: an m4alloc.Strategy, of which only the quarantine's length has an effect here.
    Raises: ValueError for a capacity out of range.
    """

    def __init__(self, capacity: int = 1 << 30, strategy: Any = None) -> None:
        if not UNIT <= capacity <= LARGEST:
            raise ValueError(f"capacity is {capacity} bytes; it must be from 65,536 (64 KiB) to 2**44 (16 TiB)")
        self.capacity = -(-capacity // UNIT) * UNIT
        self.quarantine = 0 if strategy is None else int(strategy.quarantine_length)
        self.quarantine_limit = PTRDIFF_MAX
        self.closed = False
        self._reference = ReferenceAllocator(capacity=self.capacity, quarantine=self.quarantine)
        self._blocks: dict[int, Block] = {}
        self._lock = threading.RLock()
        self._peak = self._live = self._misuses = self._mallocs = self._frees = 0

    def malloc(self, n: int) -> Block:
        """A Block of n bytes. Raises MemoryError when the arena is full, ValueError for a negative size."""
        return self._allocate(Event(Function.MALLOC, size=checked_size(n)))

    def calloc(self, count: int, n: int) -> Block:
        """A zeroed Block of count * n bytes. Raises MemoryError when the product overflows or the arena is full."""
        return self._allocate(Event(Function.CALLOC, size=checked_size(n), count=checked_size(count)))

    def aligned_alloc(self, alignment: int, n: int) -> Block:
        """A Block of n bytes at a multiple of `alignment`, a power of two (ValueError otherwise)."""
        checked_size(alignment)
        if alignment & (alignment - 1) or not alignment:
            raise ValueError(f"alignment is {alignment}; it must be a power of two")
        return self._allocate(Event(Function.ALIGNED_ALLOC, size=checked_size(n), alignment=alignment))

    def realloc(self, block: Block, n: int) -> Block:
        """A Block of n bytes that begins with the old one's contents; the old one is dead.

        Raises: MemoryError leaves the old one alive; BufferError while buffers of it are exported; Misuse if dead.
        """
        checked_size(n)
        with self._lock:
            self._take_back(block)
            address, contents = block._address, bytes(block)
            block.detach()
            # A size of zero would free in C; from Python a block always comes back.
            event = self._reference.request(Event(Function.REALLOC, address=address, size=max(n, 1)))
            if not event.result:
                block.__init__(self, address, block.size, block._usable)  # type: ignore[misc]
                memoryview(block)[:] = contents
                self._exhausted(n)
            if event.result != address:  # one that stays is neither a malloc nor a free
                self._mallocs += 1
                self._frees += 1
            self._forget(block)
            fresh = self._made(event, n)
            kept = min(len(contents), n)
            memoryview(fresh)[:kept] = contents[:kept]
            return fresh

    def free(self, block: Block) -> None:
        """Free a Block; it is dead from now on. Raises Misuse if it was, BufferError while buffers are exported."""
        with self._lock:
            self._take_back(block)
            block.detach()
            self._reference.request(Event(Function.FREE, address=block._address))
            self._frees += 1
            self._forget(block)

    def totals(self) -> dict[str, int]:
        """Statistics as a dict, in bytes, blocks or calls: as many of the core's as there are without its parts."""
        return {
            "live": self._live,
            "live_blocks": len(self._blocks),
            "spans": self._live,
            "spans_peak": self._peak,
            "committed": self.capacity,
            "misuses": self._misuses,
            "mallocs": self._mallocs,
            "frees": self._frees,
        }

    def classes(self) -> list[dict[str, int]]:
        """Statistics of each size class; the reference allocator has no classes: an empty list."""
        return []

    def trim(self, keep: int = 0) -> int:
        """Return free memory to the system; there is none to return here: 0."""
        return 0

    @staticmethod
    def set_clock(ms: int | None) -> None:
        """Let the core's clock stand at `ms` milliseconds; None: the system's again. Here nothing waits by time.

        Raises: ValueError for a number below 0 or above 2**63 - 1.
        """
        if ms is not None and not 0 <= ms < 1 << 63:
            raise ValueError(f"the clock cannot stand at {ms}; it must be from 0 to 2**63 - 1 milliseconds")

    def check(self) -> None:
        """Raise Bug unless the reference allocator's invariants hold, AssertionError unless the Blocks are its own."""
        with self._lock:
            self._reference.check()
            if set(self._blocks) != set(self._reference.heap.live):
                raise AssertionError("the live Blocks are those of the reference allocator")

    def close(self) -> None:
        """Give all memory back; every Block of the arena is dead. Raises BufferError while buffers are exported."""
        with self._lock:
            blocks = list(self._blocks.values())
            for block in blocks:
                block.require_unexported()
            for block in blocks:
                self.free(block)
            self.closed = True

    def __enter__(self) -> Self:
        self._require_open()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _allocate(self, request: Event) -> Block:
        with self._lock:
            self._require_open()
            event = self._reference.request(request)
            if not event.result:
                self._exhausted(request.request_size)
            self._mallocs += 1
            return self._made(event, request.request_size)

    def _made(self, event: Event, size: int) -> Block:
        block = Block(self, event.result, size, event.usable)
        self._blocks[event.result] = block
        self._live += event.usable
        self._peak = max(self._peak, self._live)
        return block

    def _forget(self, block: Block) -> None:
        del self._blocks[block._address]
        self._live -= block._usable

    def _exhausted(self, size: int) -> NoReturn:
        raise MemoryError(f"no room for {size} bytes in an arena of {self.capacity}")

    def _require_open(self) -> None:
        if self.closed:
            raise ValueError("the arena is closed")

    def _take_back(self, block: Block) -> None:
        """Raise unless the block is a live one of ours."""
        self._require_open()
        if not isinstance(block, Block):
            raise TypeError(f"a Block is needed, not {type(block).__name__}")
        if not block.alive:
            self._misuses += 1
            raise Misuse("double-free", f"block of {block.size} bytes is dead")
        if block.arena is not self:
            raise Misuse("invalid-free", f"{block!r} belongs to another arena")


def checked_size(n: int) -> int:
    """A request size: ValueError below zero, MemoryError above what any allocator can serve."""
    n = index(n)
    if n < 0:
        raise ValueError(f"size is {n}; it must not be negative")
    if n > PTRDIFF_MAX:
        raise MemoryError(f"no block of {n} bytes can exist")
    return n


@cache
def process() -> ReferenceAllocator:
    """The arena of the functions below, made when first needed."""
    return ReferenceAllocator()


def allocated(request: Event) -> int:
    """The address handed out. Raises MemoryError."""
    event = process().request(request)
    if not event.result:
        raise MemoryError(f"no room for {request.request_size} bytes")
    return event.result


def malloc(size: int) -> int:
    """The address of a block of `size` bytes in the process's arena. Raises MemoryError."""
    return allocated(Event(Function.MALLOC, size=checked_size(size)))


def calloc(count: int, size: int) -> int:
    """The address of count * size zeroed bytes. Raises MemoryError."""
    return allocated(Event(Function.CALLOC, size=checked_size(size), count=checked_size(count)))


def aligned_alloc(alignment: int, size: int) -> int:
    """The address, a multiple of `alignment` (a power of two, else ValueError), of `size` bytes. Raises MemoryError."""
    checked_size(alignment)
    if alignment & (alignment - 1) or not alignment:
        raise ValueError(f"alignment is {alignment}; it must be a power of two")
    return allocated(Event(Function.ALIGNED_ALLOC, size=checked_size(size), alignment=alignment))


def realloc(address: int, size: int) -> int:
    """The new address of a block resized to `size` bytes; 0 when size is 0. Raises MemoryError, Misuse."""
    event = process().request(Event(Function.REALLOC, address=address, size=checked_size(size)))
    if not event.result and size:
        raise MemoryError(f"no room for {size} bytes")
    return event.result


def free(address: int) -> None:
    """Free the block at `address`; 0 does nothing. Raises Misuse when it is not a live block's."""
    process().request(Event(Function.FREE, address=address))


def usable_size(address: int) -> int:
    """Bytes of the live block at `address` that may be used; 0 when there is none."""
    block = process().heap.live.get(address)
    return 0 if block is None else int(block.usable)
