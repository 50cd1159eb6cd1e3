"""The abstract heap: neighbour queries against an exhaustive search, copies, keys, and invariants."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.error import Bug
from spec.heap import Block, Heap


def heap_of(*ranges: tuple[int, int]) -> Heap:
    heap = Heap()
    for base, size in ranges:
        heap.insert(Block(base, size))
    return heap


def test_lookup_finds_a_block_by_each_of_its_bytes_and_by_no_other() -> None:
    heap = heap_of((0x100, 3), (0x103, 1))
    found = {address: block.base for address in range(0xFE, 0x106) if (block := heap.lookup(address))}
    assert found == {0x100: 0x100, 0x101: 0x100, 0x102: 0x100, 0x103: 0x103}


def test_block_of_no_bytes_occupies_one() -> None:
    assert Block(0x100, 0).top == 0x101


def test_usable_bytes_belong_to_the_block() -> None:
    heap = Heap()
    heap.insert(Block(0x100, 5, usable=8))
    assert heap.lookup(0x107) is not None
    assert heap.lookup(0x108) is None


@given(
    st.lists(st.tuples(st.integers(1, 60), st.integers(1, 12)), max_size=12),
    st.integers(1, 70),
    st.integers(1, 20),
)
def test_overlapping_agrees_with_an_exhaustive_search(ranges: list[tuple[int, int]], base: int, length: int) -> None:
    heap = Heap()
    for start, size in ranges:
        if not heap.overlapping(start, start + size):
            heap.insert(Block(start, size))
    heap.check()
    expected = [block for block in heap.live.values() if block.base < base + length and base < block.top]
    assert heap.overlapping(base, base + length) == expected


def test_insert_refuses_to_overlap() -> None:
    heap = heap_of((0x100, 16))
    with pytest.raises(Bug, match=r"^block #0 \(1 bytes at 0x10f\) would overlap block #1 \(16 bytes at 0x100\)$"):
        heap.insert(Block(0x10F, 1))


def test_resize_keeps_the_generation_and_refuses_to_overlap() -> None:
    heap = heap_of((0x100, 16), (0x120, 16))
    assert heap.resize(0x100, size=32, usable=32).id == 1
    with pytest.raises(Bug, match="would overlap block #2"):
        heap.resize(0x100, size=33, usable=33)


@pytest.mark.parametrize("change", [Heap.remove, lambda heap, base: heap.resize(base, size=1, usable=1)])
def test_what_is_not_live_cannot_be_changed(change: object) -> None:
    with pytest.raises(Bug, match=r"^no live block starts at 0x104$"):
        change(heap_of((0x100, 16)), 0x104)  # type: ignore[operator]


def test_grave_of_an_interior_address_is_the_most_recent_one() -> None:
    heap = heap_of((0x100, 32))
    heap.remove(0x100, freed=7)
    heap.insert(Block(0x110, 8))
    heap.remove(0x110, freed=9)
    assert [grave.freed for address in (0x100, 0x10F, 0x110, 0x114) if (grave := heap.grave(address))] == [7, 7, 9, 9]
    assert heap.grave(0x120) is None


def test_copy_is_independent() -> None:
    heap = heap_of((0x100, 16), (0x200, 16))
    twin = heap.copy()
    heap.settle(heap.remove(0x100))
    assert list(twin.live) == [0x100, 0x200]
    assert not twin.graves and not twin.begun and not twin.ended
    assert twin.insert(Block(0x300, 1)).id == heap.insert(Block(0x300, 1)).id


def test_key_forgets_the_past_but_not_the_sizes() -> None:
    fresh, used = heap_of((0x100, 16)), heap_of((0x200, 8), (0x100, 16))
    used.remove(0x200)
    assert fresh.key() == used.key()
    assert hash(fresh.key()) == hash(used.key())
    assert fresh.key() != heap_of((0x100, 15)).key()


def test_live_bytes_are_the_bytes_requested() -> None:
    heap = Heap()
    heap.insert(Block(0x100, 5, usable=8))
    heap.insert(Block(0x200, 10, usable=16))
    assert heap.live_bytes == 15


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (Block(0x108, 8, id=1), "is filed under 0x104"),
        (Block(0x104, 8, id=0), "has no id of its own"),
        (Block(0x104, 8, id=1), "has no id of its own"),
        (Block(0x104, 8, id=2), r"block #1 \(8 bytes at 0x100\) overlaps block #2"),
    ],
)
def test_check_names_a_broken_invariant(damage: Block, message: str) -> None:
    heap = heap_of((0x100, 8))
    heap.next_id = 3
    if damage.id == 1 or damage.id == 0:
        heap.live[0x100] = heap.live[0x100]._replace(size=4)
    heap.live[0x104] = damage
    with pytest.raises(Bug, match=message):
        heap.check()
