"""A solution of step 2: the ranges that touch the block are taken out of the list, and one that spans all goes in."""

from __future__ import annotations

from exercises.solutions.step1_free_list import Heap as FreeList


class Heap(FreeList):
    """The heap of step 1; no two of its free ranges touch."""

    def free(self, address: int) -> None:
        """Join the block with what is free before it and behind it. Cost: O(ranges)."""
        if not address:
            return
        start, end = address, address + self.lengths.pop(address)
        apart = []
        for low, high in self.ranges:
            if high == start:
                start = low
            elif low == end:
                end = high
            else:
                apart.append((low, high))
        self.ranges = [(start, end), *apart]
