"""A solution of step 1: first fit over a list of free ranges, split on both sides of the block."""

from __future__ import annotations

UNIT = 16


class Heap:
    """The memory [base, base + size).

    ranges: what is free, as pairs (start, end). lengths: how long the block at each address is.
    """

    def __init__(self, base: int, size: int) -> None:
        self.ranges: list[tuple[int, int]] = [(base, base + size)]
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        """The address of a block of at least `size` bytes, a multiple of 16; 0 if there is no room."""
        return self.aligned_alloc(UNIT, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        """The first range where it fits; what is left before and behind it stays free."""
        alignment = max(alignment, UNIT)
        length = max(size + -size % UNIT, UNIT)
        for index, (start, end) in enumerate(self.ranges):
            address = start + -start % alignment
            if address + length <= end:
                rest = [(start, address), (address + length, end)]
                self.ranges[index : index + 1] = [(low, high) for low, high in rest if low < high]
                self.lengths[address] = length
                return address
        return 0

    def free(self, address: int) -> None:
        """The block's range goes back in front of the list."""
        if address:
            self.ranges.insert(0, (address, address + self.lengths.pop(address)))

    def usable_size(self, address: int) -> int:
        """The bytes of the block at an address; 0 where there is none."""
        return self.lengths.get(address, 0)
