"""Tiles: disjoint address ranges such that every live block lies in the tile that starts at its base.

An allocator hands out the same places again and again. While a block fits into the tile at its address, no other
live block can be in its way, so the question costs one dictionary access; only a new layout costs a search.
"""

from __future__ import annotations

from collections.abc import Iterator

from sortedcontainers import SortedDict

from spec.error import Bug
from spec.heap import Block, Heap
from spec.reuse import ReuseWindow


class Tiling:
    """Disjoint tiles, base -> top (exclusive), around the live blocks of a heap and the young graves of a window.

    >>> heap = Heap()
    >>> tiling = Tiling(heap, ReuseWindow(heap, 0, 0))
    >>> tiling.claim(0x1000, 0x1040), tiling.tiles
    (True, SortedDict({4096: 4160}))
    >>> block = heap.insert(Block(0x1000, 24))
    >>> tiling.claim(0x1010, 0x1020), tiling.claim(0x1020, 0x1040), tiling.tiles
    (False, True, SortedDict({4096: 4120, 4128: 4160}))
    """

    __slots__ = ("_live", "_young", "tiles")

    def __init__(self, heap: Heap, window: ReuseWindow) -> None:
        self.tiles: SortedDict[int, int] = SortedDict()
        self._live = heap.live
        self._young = window.young
        self.tiles.update((grave.block.base, grave.block.top) for grave in window.young.values())
        self.tiles.update((block.base, block.top) for block in heap.live.values())

    def claim(self, base: int, top: int) -> bool:
        """Make [base, top) a tile, unless bytes of it belong to a live block elsewhere or to a young grave.

        A live block at `base` itself does not stand in the way: it is the one being resized.
        Cost: O(log n) and O(log n) a tile replaced.
        """
        crossed = list(self._crossed(base, top))
        remains = []
        for start in crossed:
            for block in self._within(start):
                if block.base < top and base < block.top:
                    if block is not self._live.get(base):
                        return False
                else:
                    remains.append(block)
        for start in crossed:
            del self.tiles[start]
        for block in remains:
            self.tiles[block.base] = block.top
        self.tiles[base] = top
        return True

    def _crossed(self, base: int, top: int) -> Iterator[int]:
        """The bases of the tiles that share a byte with [base, top)."""
        tiles = self.tiles
        for below in tiles.irange(None, base, reverse=True):
            if tiles[below] > base:
                yield below
            break
        yield from tiles.irange(base, top, inclusive=(False, False))

    def _within(self, start: int) -> Iterator[Block]:
        """What the tile at `start` must go on covering: its live block, its young grave."""
        block = self._live.get(start)
        if block is not None:
            yield block
        grave = self._young.get(start)
        if grave is not None:
            yield grave.block

    def check(self) -> None:
        """Raise Bug unless tiles are disjoint and cover every live block and young grave.  Cost: O(n)."""
        last = 0
        for base, top in self.tiles.items():
            if not last <= base < top:
                raise Bug(f"the tile [{base:#x}, {top:#x}) overlaps the one before, which ends at {last:#x}")
            last = top
        for block in (*self._live.values(), *(grave.block for grave in self._young.values())):
            if self.tiles.get(block.base, 0) < block.top:
                raise Bug(f"{block} reaches out of its tile")
