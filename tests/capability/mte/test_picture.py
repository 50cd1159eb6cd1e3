"""Pictures of tagged memory say what the memory says."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.memory import TaggedMemory
from capability.mte.picture import TagMap
from capability.mte.protection import MTE, MtePointer
from capability.perms import DATA
from capability.word import WidthError

BASE = 0x1000
SVG = "{http://www.w3.org/2000/svg}"


def memory_of(tags: list[int]) -> TaggedMemory:
    memory = TaggedMemory()
    for number, tag in enumerate(tags):
        memory.set_allocation_tag(BASE + 16 * number, 16, tag)
    return memory


@given(st.lists(st.integers(0, 15), max_size=70), st.integers(1, 20))
def test_text_and_svg_show_the_tag_of_every_granule_in_order(tags: list[int], columns: int) -> None:
    picture = TagMap(memory_of(tags), BASE, 16 * len(tags), columns)
    cells = [cell for line in str(picture).splitlines() for cell in line.split()[1:]]
    assert [0 if cell == "." else int(cell) for cell in cells] == tags
    root = ElementTree.fromstring(picture.svg())
    assert [int(group.findtext(f"{SVG}text") or "") for group in root.iter(f"{SVG}g")] == tags
    assert all(len(line.split()) <= columns + 1 for line in str(picture).splitlines())


def test_a_stale_pointer_is_listed_and_dashed() -> None:
    memory, mte = TaggedMemory(), MTE()
    stale, live = mte.derive(memory, BASE, 32, DATA), mte.derive(memory, BASE + 32, 16, DATA)
    mte.retire(memory, stale)
    picture = TagMap(memory, BASE, 64, pointers=(stale, live))
    assert str(picture).splitlines()[1].endswith(f"tag {stale.tag} does not match")
    assert str(picture).splitlines()[2].endswith(f"tag {live.tag} matches")
    frames = [
        rect for rect in ElementTree.fromstring(picture.svg()).findall(f"{SVG}rect") if rect.get("fill") == "none"
    ]
    assert [rect.get("stroke-dasharray") is not None for rect in frames] == [True, False]
    assert picture._repr_svg_() == picture.svg() != picture._repr_html_()
    assert "background" not in picture._repr_html_()


def test_a_block_over_several_rows_has_a_frame_in_each() -> None:
    pointer = MtePointer(BASE + 16, BASE + 16, BASE + 16 * 7, tag=0)
    picture = TagMap(memory_of([0] * 8), BASE, 128, columns=3, pointers=(pointer,))
    frames = [
        rect for rect in ElementTree.fromstring(picture.svg()).findall(f"{SVG}rect") if rect.get("fill") == "none"
    ]
    assert [int(rect.get("width") or 0) // 28 for rect in frames] == [2, 3, 1]


def test_a_pointer_outside_the_map_has_no_frame() -> None:
    picture = TagMap(
        memory_of([1]), BASE, 16, pointers=(MtePointer(0, 0, 16, 1), MtePointer(1 << 20, 1 << 20, 1 << 21, 1))
    )
    rects = ElementTree.fromstring(picture.svg()).findall(f"{SVG}rect")
    assert not rects


@pytest.mark.parametrize(("base", "size", "columns"), [(8, 16, 1), (0, 8, 1), (0, -16, 1), (0, 1 << 21, 1), (0, 16, 0)])
def test_a_map_that_cannot_be_drawn_is_refused(base: int, size: int, columns: int) -> None:
    with pytest.raises(WidthError, match=r"multiples of 16, size at most 1048576|at least 1"):
        TagMap(TaggedMemory(), base, size, columns)
