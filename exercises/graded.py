"""The heaps of steps 1 and 2 as `m4alloc grade` wants them: made without arguments, and with calloc and realloc.

    m4alloc grade exercises/graded.py:Coalescing

On recorded programs you see what the exercises leave out: how fast a heap is, and how much memory it needs. A heap of
addresses has no bytes, so that calloc has nothing to zero, and realloc nothing to copy.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from exercises.step1_free_list import heap as step1
from exercises.step2_coalescing import heap as step2

BASE, SIZE = 1 << 12, 1 << 30


if TYPE_CHECKING:
    from exercises.solutions.step1_free_list import Heap as Asked
else:
    Asked = object


class Family(Asked):
    """calloc and realloc, made of malloc and free; and what C demands of aligned_alloc, and the exercise does not."""

    def aligned_alloc(self, alignment: int, size: int) -> int:
        """Refused unless the alignment is a power of two."""
        if alignment < 1 or alignment & (alignment - 1):
            return 0
        return super().aligned_alloc(alignment, size)

    def calloc(self, count: int, size: int) -> int:
        """Room for an array."""
        return self.malloc(count * size)

    def realloc(self, address: int, size: int) -> int:
        """Another block, unless the size still fits."""
        if address and size <= self.usable_size(address):
            return address
        moved = self.malloc(size)
        if moved:
            self.free(address)
        return moved


class FreeList(Family, step1.Heap):
    """Step 1, with a gibibyte."""

    def __init__(self) -> None:
        super().__init__(BASE, SIZE)


class Coalescing(Family, step2.Heap):
    """Step 2, with a gibibyte."""

    def __init__(self) -> None:
        super().__init__(BASE, SIZE)
