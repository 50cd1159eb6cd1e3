"""Step 2: coalescing. Your heap of step 1, with a free that joins the block with the free memory beside it."""

from __future__ import annotations

from exercises.step1_free_list.heap import Heap as FreeList


class Heap(FreeList):
    """The heap of step 1; no two of its free ranges touch."""

    def free(self, address: int) -> None:
        """Take the block back, and join it with the free ranges that touch it.

        Write this. A range touches the block if it ends where the block begins, or begins where the block ends.
        """
        super().free(address)
