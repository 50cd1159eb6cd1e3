"""Tiles: a claim succeeds exactly when nothing is in the way, and what must be covered stays covered."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.error import Bug
from spec.heap import Block, Heap
from spec.reuse import ReuseWindow
from spec.tiling import Tiling

moves = st.lists(st.tuples(st.booleans(), st.integers(1, 40), st.integers(1, 12)), max_size=40)


@given(moves, st.integers(0, 3))
def test_claim_succeeds_exactly_when_no_live_block_and_no_young_grave_is_in_the_way(
    steps: list[tuple[bool, int, int]], quarantine: int
) -> None:
    heap = Heap()
    window = ReuseWindow(heap, quarantine, 2**64)
    tiling = Tiling(heap, window)
    for frees, base, size in steps:
        if frees and base in heap.live:
            window.bury(heap.remove(base))
        elif not frees and base not in heap.live:
            clear = not heap.overlapping(base, base + size) and window.too_young(base, base + size) is None
            assert tiling.claim(base, base + size) == clear
            if clear:
                heap.insert(Block(base, size, size % 4))
        tiling.check()


def test_live_block_does_not_stand_in_its_own_way() -> None:
    heap = Heap()
    tiling = Tiling(heap, ReuseWindow(heap, 0, 0))
    tiling.claim(0x100, 0x110)
    heap.insert(Block(0x100, 16))
    assert tiling.claim(0x100, 0x120)


def test_tiling_of_a_heap_with_a_past_covers_it() -> None:
    heap = Heap()
    heap.insert(Block(0x100, 16, 16))
    heap.remove(heap.insert(Block(0x200, 16, 16)).base)
    tiling = Tiling(heap, ReuseWindow(heap, 1, 64))
    tiling.check()
    assert dict(tiling.tiles) == {0x100: 0x110, 0x200: 0x210}


def test_check_names_what_is_uncovered() -> None:
    heap = Heap()
    tiling = Tiling(heap, ReuseWindow(heap, 0, 0))
    heap.insert(Block(0x100, 16))
    with pytest.raises(Bug, match=r"^block #1 \(16 bytes at 0x100\) reaches out of its tile$"):
        tiling.check()
    tiling.tiles.update({0x100: 0x110, 0x108: 0x118})
    with pytest.raises(Bug, match=r"^the tile \[0x108, 0x118\) overlaps the one before, which ends at 0x110$"):
        tiling.check()
