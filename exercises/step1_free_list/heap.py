"""Step 1: a free list. What is here is a bump allocator: it hands out what comes next, and never takes back."""

from __future__ import annotations

UNIT = 16


class Heap:
    """The memory [base, base + size), base a multiple of 4096.

    ranges: what is free, as pairs (start, end), end exclusive. lengths: how long the block at each address is.
    All that is known of a block is kept here, beside the memory and not in it.
    """

    def __init__(self, base: int, size: int) -> None:
        self.ranges: list[tuple[int, int]] = [(base, base + size)]
        self.lengths: dict[int, int] = {}

    def malloc(self, size: int) -> int:
        """The address of a block of at least `size` bytes, a multiple of 16; 0 if there is no room."""
        return self.aligned_alloc(UNIT, size)

    def aligned_alloc(self, alignment: int, size: int) -> int:
        """The address of such a block, a multiple of `alignment`, a power of two; 0 if there is no room.

        Write this. The bump allocator below ignores the alignment, and never looks where its memory ends.
        """
        start, end = self.ranges[0]
        self.ranges[0] = (start + size, end)
        self.lengths[start] = size
        return start

    def free(self, address: int) -> None:
        """Take the block back, so that its memory can be handed out again; 0 is no block, and nothing to do.

        Write this.
        """

    def usable_size(self, address: int) -> int:
        """How many bytes of the block may be used: at least what was asked for. Given."""
        return self.lengths.get(address, 0)
