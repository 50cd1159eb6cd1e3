"""The window of quarantine against its definition: count the frees in between, block by block."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from spec.heap import Block, Heap
from spec.reuse import ReuseWindow

LIMIT = 32


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 3)), max_size=40), st.integers(0, 4))
def test_block_is_too_young_until_enough_others_of_its_class_were_freed(
    frees: list[tuple[int, int]], quarantine: int
) -> None:
    heap = Heap()
    window = ReuseWindow(heap, quarantine, LIMIT)
    log: list[Block] = []
    places: dict[int, int] = {}  # base -> the last entry of the log that was there
    for place, granules in frees:
        base, usable = 0x1000 + place * 64, granules * 16
        if window.too_young(base, base + 64):
            continue
        block = heap.insert(Block(base, usable, usable))
        window.bury(heap.remove(base))
        heap.settle(block)
        places[base] = len(log)
        log.append(block)
        for entry in places.values():
            one = log[entry]
            others = sum(other.usable == one.usable for other in log[entry + 1 :])
            young = others < quarantine and one.usable <= LIMIT
            grave = window.too_young(one.top - 1, one.top)
            assert (grave is not None) == young
            assert grave is None or window.since(grave) == others


def test_forgotten_graves_are_not_reported_again() -> None:
    heap = Heap()
    window = ReuseWindow(heap, 1, LIMIT)
    for base, usable in ((0x1000, 16), (0x1020, 32)):
        heap.insert(Block(base, usable, usable))
        window.bury(heap.remove(base))
    assert window.too_young(0x1000, 0x1040) == heap.graves[0x1000]
    window.forget(0x1000, 0x1040)
    assert window.too_young(0x1000, 0x1040) is None
