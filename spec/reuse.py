"""The window of quarantine: which freed blocks may not be reused yet, and how many frees have passed since."""

from __future__ import annotations

from collections import defaultdict, deque

from sortedcontainers import SortedDict

from spec.heap import Block, Grave, Heap


class ReuseWindow:
    """The dead ranges of a heap that are younger than Q frees of their size class.

    length: Q, frees of other blocks of the same size class (usable size) before any byte of a block is reused.
    limit: bytes, the largest usable size that Q applies to. Blocks whose usable size nobody saw are left out.

    young: the graves that are too young, by base address.

    While calls overlap, a free counts as freed in between whenever some order of the calls allows it, so that
    what is reported is true in every order.

    >>> heap = Heap()
    >>> window = ReuseWindow(heap, length=1, limit=64)
    >>> for base in (0x1000, 0x1040):
    ...     block = heap.insert(Block(base, 24, usable=64))
    >>> window.bury(heap.remove(0x1000))
    >>> window.too_young(0x1010, 0x1020).block.base == 0x1000
    True
    >>> window.bury(heap.remove(0x1040))
    >>> window.too_young(0x1010, 0x1020) is None
    True
    """

    __slots__ = ("_changed", "_heap", "_order", "_queues", "length", "limit", "young")

    def __init__(self, heap: Heap, length: int, limit: int) -> None:
        self.length = length
        self.limit = limit
        self.young: dict[int, Grave] = {}
        self._order: SortedDict[int, Grave] = SortedDict()  # young by address, but for the bases that have changed
        self._changed: set[int] = set()
        self._heap = heap
        self._queues: defaultdict[int, deque[Grave]] = defaultdict(deque)
        for grave in sorted(heap.graves.values(), key=lambda grave: grave.freed):
            base, top = grave.block.base, grave.block.top
            if not heap.overlapping(base, top) and not self.too_young(base, top):
                self._admit(grave)

    def bury(self, block: Block) -> None:
        """Start the quarantine of `block`, which its heap has just removed.  Cost: O(log n) amortised."""
        self._admit(self._heap.graves[block.base])

    def too_young(self, base: int, top: int) -> Grave | None:
        """The first grave in [base, top) that has not been long enough in quarantine, or None.

        Cost: O(log n), and as much for each block buried since it was last asked.
        """
        young = self._sorted()
        for below in young.irange(None, base, reverse=True):
            grave: Grave = young[below]
            if grave.block.top > base:
                return grave
            break
        for above in young.irange(base, top, inclusive=(False, False)):
            found: Grave = young[above]
            return found
        return None

    def since(self, grave: Grave) -> int:
        """Other blocks of its size class that may have been freed since, at most.  Cost: O(1)."""
        return self._heap.begun[grave.block.usable] - grave.mark - 1

    def forget(self, base: int, top: int) -> None:
        """Drop every grave in [base, top): its early reuse has been reported.  Cost: O(log n) each."""
        while (grave := self.too_young(base, top)) is not None:
            del self.young[grave.block.base]
            self._changed.add(grave.block.base)

    def _sorted(self) -> SortedDict[int, Grave]:
        """The young graves by address."""
        for base in self._changed:
            grave = self.young.get(base)
            if grave is not None:
                self._order[base] = grave
            else:
                self._order.pop(base, None)
        self._changed.clear()
        return self._order

    def _admit(self, grave: Grave) -> None:
        usable = grave.block.usable
        if not (self.length and grave.certain and 0 <= usable <= self.limit):
            return
        young, changed = self.young, self._changed
        queue = self._queues[usable]
        queue.append(grave)
        young[grave.block.base] = grave
        changed.add(grave.block.base)
        old_enough = self._heap.begun[usable] - 1 - self.length
        while queue and queue[0].mark <= old_enough:
            old = queue.popleft()
            base = old.block.base
            if young.get(base) is old:
                del young[base]
                changed.add(base)
