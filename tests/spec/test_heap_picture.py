"""The picture of the abstract heap."""

from __future__ import annotations

from xml.etree import ElementTree

from spec.heap import Block, Heap
from spec.heap_picture import MOST, picture


def _titles(drawn: str) -> list[str]:
    return [one.text or "" for one in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}title")]


def test_every_live_block_and_every_uncovered_dead_one_is_told() -> None:
    heap = Heap()
    for base in (0x1000, 0x1020, 0x9000):
        heap.insert(Block(base, 24, usable=32))
    heap.remove(0x1020, freed=7)
    told = _titles(picture(heap))
    assert told[0] == "2 live blocks, 48 bytes asked for, 64 usable"
    assert len(told) == 4
    assert any("0x1020" in tip and tip.endswith("freed at event 7") for tip in told)


def test_a_dead_block_whose_bytes_were_handed_out_again_is_not_drawn() -> None:
    heap = Heap()
    heap.insert(Block(0x1000, 24, usable=32))
    heap.remove(0x1000)
    heap.insert(Block(0x1000, 8, usable=16))
    assert len(_titles(picture(heap))) == 2


def test_an_empty_heap_is_a_picture_too() -> None:
    assert _titles(picture(Heap())) == ["0 live blocks, 0 bytes asked for, 0 usable"]


def test_a_large_heap_says_how_many_blocks_are_not_drawn() -> None:
    heap = Heap()
    for number in range(MOST + 3):
        heap.insert(Block(0x1000 + 32 * number, 24, usable=32))
    drawn = heap._repr_html_()
    assert "and 3 more at higher addresses" in drawn
    assert len(drawn) < 150_000
