"""The compiled acceptor's heap in the form of spec.heap and spec.reuse: while a history runs, and after it.

While it runs, the readable acceptor works on the flat memory itself, through SharedHeap and SharedWindow. Afterwards
LaterHeap and LaterWindow stand for it: whoever looks inside gets plain dictionaries, and whoever does not, as a long
verification that only wants its tally, does not wait for them.
"""

from __future__ import annotations

from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Mapping
from typing import Any

from sortedcontainers import SortedDict

from m4alloc._accept_heap import CompiledHeap
from spec.error import Bug
from spec.heap import Block, Grave, Heap
from spec.reuse import ReuseWindow


class UnfitError(ValueError):
    """A heap holds what flat memory cannot, such as a block beyond the address space."""


class Live(Mapping[int, Block]):
    """The live blocks of a compiled heap by base address, in order."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: CompiledHeap) -> None:
        self._compiled = compiled

    def __getitem__(self, base: int) -> Block:
        block = self._compiled.get(base)
        if block is None:
            raise KeyError(base)
        return block

    def get(self, base: int, default: Any = None) -> Any:
        """The block that starts at `base`: the same object as long as it is the same block."""
        return self._compiled.get(base) or default

    def __delitem__(self, base: int) -> None:
        if not self._compiled.discard(base):
            raise KeyError(base)

    def __iter__(self) -> Iterator[int]:
        return iter(self._compiled.bases())

    def __len__(self) -> int:
        return len(self._compiled)


class Graves(Mapping[int, Grave]):
    """The last grave at each base address of a compiled heap."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: CompiledHeap) -> None:
        self._compiled = compiled

    def __getitem__(self, base: int) -> Grave:
        grave = self._compiled.grave_at(base)
        if grave is None:
            raise KeyError(base)
        return grave

    def __iter__(self) -> Iterator[int]:
        return iter(self._compiled.graves())

    def __len__(self) -> int:
        return len(self._compiled.graves())


class SharedHeap(Heap):
    """A compiled heap as the readable acceptor knows heaps."""

    __slots__ = ("compiled",)

    def __init__(self, compiled: CompiledHeap) -> None:
        self.compiled = compiled
        self.live = Live(compiled)
        self.graves = Graves(compiled)  # type: ignore[assignment]  # the acceptor only reads it

    def __getattr__(self, name: str) -> Any:
        if name in ("begun", "ended"):
            return Counter(self.compiled.frees()[name == "ended"])
        if name == "next_id":
            return self.compiled.next_id
        raise AttributeError(f"a heap has no {name!r}")

    def lookup(self, address: int) -> Block | None:
        """As Heap.lookup."""
        return self.compiled.lookup(address)

    def overlapping(self, base: int, top: int) -> list[Block]:
        """As Heap.overlapping."""
        return self.compiled.overlapping(base, top)

    def insert(self, block: Block) -> Block:
        """As Heap.insert."""
        return self.compiled.insert(block)

    def remove(self, base: int, freed: int = 0, thread: int = 0, *, certain: bool = True) -> Block:
        """As Heap.remove."""
        return self.compiled.remove(base, freed, thread, certain)

    def settle(self, block: Block) -> None:
        """As Heap.settle."""
        self.compiled.settle(block.usable)

    def resize(self, base: int, *, size: int, usable: int) -> Block:
        """As Heap.resize."""
        return self.compiled.resize(base, size, usable)

    def grave(self, address: int) -> Grave | None:
        """As Heap.grave."""
        return self.compiled.grave(address)

    def copy(self) -> Heap:
        """As Heap.copy.  Cost: O(n), some nanoseconds an address."""
        return LaterHeap(self.compiled.copy())

    def check(self) -> None:
        """As Heap.check, and the tiles."""
        super().check()
        self.compiled.check()


class SharedWindow(ReuseWindow):
    """The window of quarantine of a compiled heap as the readable acceptor knows windows."""

    __slots__ = ("compiled",)

    def __init__(self, compiled: CompiledHeap, length: int, limit: int) -> None:
        self.compiled = compiled
        self.length = length
        self.limit = limit

    def __getattr__(self, name: str) -> Any:
        if name == "young":
            return {grave.block.base: grave for grave in self.compiled.young()}
        raise AttributeError(f"a window has no {name!r}")

    def bury(self, block: Block) -> None:
        """As ReuseWindow.bury."""
        self.compiled.bury(block.base)

    def too_young(self, base: int, top: int) -> Grave | None:
        """As ReuseWindow.too_young."""
        return self.compiled.too_young(base, top)

    def since(self, grave: Grave) -> int:
        """As ReuseWindow.since."""
        return self.compiled.since(grave.block.usable) - grave.mark - 1

    def forget(self, base: int, top: int) -> None:
        """As ReuseWindow.forget."""
        self.compiled.forget(base, top)


class LaterHeap(Heap):
    """A heap that becomes a plain one when somebody looks inside.

    compiled: where it is until then.

    >>> heap = LaterHeap(CompiledHeap())
    >>> heap.compiled is None, len(heap.live), heap.compiled is None
    (False, 0, True)
    """

    __slots__ = ("compiled",)

    def __init__(self, compiled: CompiledHeap) -> None:
        self.compiled: CompiledHeap | None = compiled

    def __getattr__(self, name: str) -> Any:
        compiled = self.compiled
        if name not in Heap.__slots__ or compiled is None:
            raise AttributeError(f"a heap has no {name!r}")
        begun, ended = compiled.frees()
        self.live = SortedDict((base, compiled.get(base)) for base in compiled.bases())
        self.graves = compiled.graves()
        self.begun, self.ended = Counter(begun), Counter(ended)
        self.next_id = compiled.next_id
        self.compiled = None
        return getattr(self, name)

    def copy(self) -> Heap:
        """As Heap.copy.  Cost: O(n), some nanoseconds an address while nobody has looked inside."""
        return super().copy() if self.compiled is None else LaterHeap(self.compiled.copy())


class LaterWindow(ReuseWindow):
    """A window of quarantine that becomes a plain one when somebody looks inside."""

    __slots__ = ("compiled",)

    def __init__(self, compiled: CompiledHeap, heap: Heap, length: int, limit: int) -> None:
        self.compiled: CompiledHeap | None = compiled
        self.length = length
        self.limit = limit
        self._heap = heap

    def __getattr__(self, name: str) -> Any:
        compiled = self.compiled
        if name not in ReuseWindow.__slots__ or compiled is None:
            raise AttributeError(f"a window has no {name!r}")
        graves = compiled.young() if self.length else []
        self.young = {grave.block.base: grave for grave in graves}
        self._order = SortedDict(self.young)
        self._changed = set()
        self._queues = defaultdict(deque)
        for grave in graves:
            self._queues[grave.block.usable].append(grave)
        self.compiled = None
        return getattr(self, name)


def compiled_from(heap: Heap, window: ReuseWindow) -> CompiledHeap:
    """The heap and window of an acceptor as a compiled heap, which they may share with the result from here on.

    Raises UnfitError.
    Cost: O(1) when both have stood for a compiled heap since the last history, else O(n).

    >>> heap = Heap()
    >>> block = heap.insert(Block(2**64 - 8, 16))
    >>> compiled_from(heap, ReuseWindow(heap, 0, 0))
    Traceback (most recent call last):
        ...
    m4alloc.check.compiled_heap.UnfitError: block #1 (16 bytes at 0xfffffffffffffff8) lies nowhere
    """
    kept = heap.compiled if isinstance(heap, LaterHeap) else None
    if kept is not None and isinstance(window, LaterWindow) and window.compiled is kept:
        return kept
    compiled = CompiledHeap()
    young = sorted(window.young.values(), key=lambda grave: (grave.mark, grave.freed))
    try:
        compiled.adopt(heap.live.items(), heap.graves.items(), dict(heap.begun), dict(heap.ended), heap.next_id)
        compiled.continue_window(window.length, window.limit, young)
    except (Bug, OverflowError, ValueError) as error:
        raise UnfitError(*error.args) from error
    return compiled
