"""The picture of the heap at one call shows what is wrong, where, and without relying on colour."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from m4alloc.view.heap_at import Axis, heap_at
from m4alloc.view.heap_at_text import heap_at_text
from m4alloc.view.scene import Line, Mark, Scene, Shape, State, stretches
from m4alloc.view.svg import document

SVG = "{http://www.w3.org/2000/svg}"
HARMED = Shape("a", 0x1000, 100, 104, harmed=True)
REPLY = Shape("e", 0x1060, 64, 64)


def scene(*blocks: Shape, reply: Shape | None = None, marks: tuple[Mark, ...] = ()) -> Scene:
    lines = (Line(6, "free b"), Line(7, 'e = calloc 4 16 -> 0x1060 <&"', broke=True))
    return Scene(
        "result-disjoint",
        "A block shares no byte.",
        "ISO C17 7.22.3 p1",
        "calloc returned 0x1060",
        "e = calloc 4 16",
        "returned 0x1060",
        tuple(sorted(blocks, key=lambda block: block.base)),
        reply,
        marks,
        lines,
    )


def drawn(staged: Scene) -> tuple[list[str], list[str], ElementTree.Element]:
    """The words of a picture, the words that appear under the pointer, and the picture."""
    root = ElementTree.fromstring(heap_at(staged).write())
    words = [node.text or "" for node in root.iter(f"{SVG}text")]
    hidden = [node.text or "" for node in root.iter(f"{SVG}title")]
    return words, hidden, root


def test_shared_bytes_are_told_by_exact_offsets_in_both_blocks() -> None:
    words, hidden, root = drawn(scene(HARMED, reply=REPLY))
    assert "bytes 96 to 103 of a = bytes 0 to 7 of e" in words
    assert "a: 100 bytes, 104 usable at 0x1000, live, harmed" in hidden
    assert "e: 64 bytes at 0x1060, the reply" in hidden
    assert any(node.get("fill") == "url(#m4-cross)" for node in root.iter(f"{SVG}rect"))


def test_harmed_blocks_and_the_reply_differ_in_more_than_colour() -> None:
    _, _, root = drawn(scene(HARMED, Shape("b", 0x2000, 24, 24), reply=REPLY))
    borders = {
        (node.get("stroke-width"), node.get("stroke-dasharray"))
        for node in root.iter(f"{SVG}rect")
        if node.get("fill") == "none" and node.get("stroke")
    }
    assert {("3.5", None), ("2.5", "6 3"), ("1", None)} <= borders


def test_freed_blocks_are_hatched_and_usable_bytes_beyond_the_request_dotted() -> None:
    _, _, root = drawn(scene(HARMED, Shape("f", 0x1100, 24, 24, State.FREED), reply=REPLY))
    fills = {node.get("fill") for node in root.iter(f"{SVG}rect")}
    assert {"url(#m4-hatch)", "url(#m4-dots)", "url(#m4-cross)"} <= fills
    defined = {f"url(#{node.get('id')})" for node in root.iter(f"{SVG}pattern")}
    assert {fill for fill in fills if fill and fill.startswith("url")} <= defined


def test_the_line_that_broke_the_rule_is_bold_and_framed() -> None:
    _, _, root = drawn(scene(HARMED, reply=REPLY))
    bold = [
        node.text for node in root.iter(f"{SVG}text") if node.get("font-weight") == "bold" and node.get("font-family")
    ]
    assert bold == ['e = calloc 4 16 -> 0x1060 <&"']


def test_addresses_left_out_are_cut_and_said() -> None:
    _, hidden, _ = drawn(scene(HARMED, Shape("b", 0x90000, 24, 24), reply=REPLY))
    assert f"{(0x90000 - REPLY.top) / 1000:.0f} kB of addresses left out" in hidden


def test_a_changed_byte_is_pointed_at() -> None:
    words, _, _ = drawn(scene(HARMED, marks=(Mark(0x1028, "byte 40 has changed"),)))
    assert "byte 40 has changed (0x1028)" in words and "+40" in words and "+41" in words


def test_a_reply_that_is_no_block_is_told_in_words() -> None:
    words, _, _ = drawn(scene())
    assert "e = calloc 4 16 returned 0x1060" in words
    assert any(word.startswith("No block is live") for word in words)


def test_of_many_blocks_the_neighbours_are_drawn_and_the_rest_is_one_bar() -> None:
    blocks = [Shape(f"b{number}", 0x10000 + 64 * number, 24, 32) for number in range(200)]
    blocks[100] = Shape("b100", blocks[100].base, 24, 32, harmed=True)
    reply = Shape("z", blocks[100].base + 8, 24, 24)
    words, hidden, root = drawn(scene(*blocks, reply=reply))
    assert any(word.startswith("200 live blocks, 6.40 kB, by address") for word in words)
    assert sum(", live" in word for word in hidden) == 7  # three neighbours on each side
    assert sum(word.startswith("b") and " at 0x" in word for word in hidden) == 207
    assert len(list(root.iter(f"{SVG}text"))) < 80


def test_every_number_of_a_picture_is_inside_it() -> None:
    _, _, root = drawn(scene(HARMED, Shape("b", 2**63, 2**62, 2**62), reply=REPLY, marks=(Mark(0x1028, "here"),)))
    _, _, width, height = (float(number) for number in root.attrib["viewBox"].split())
    for node in root.iter(f"{SVG}rect"):
        x, y, wide, high = (float(node.get(name, 0)) for name in ("x", "y", "width", "height"))
        assert min(x, y) >= 0 and x + wide <= width + 0.01 and y + high <= height


def test_the_file_holds_its_style_for_light_and_dark() -> None:
    text = document(heap_at(scene(HARMED, reply=REPLY)))
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(?:fill|stroke)=\"#", text)  # colours by role only


def test_an_axis_is_monotone_and_shows_every_border() -> None:
    parts = stretches([HARMED, REPLY, Shape("z", 0x90000, 0, 1)])
    axis = Axis(parts, 0, 1000)
    places = [axis.place(address) for address in sorted({0x1000, 0x1060, 0x1064, 0x1068, 0x10A0, 0x90000, 0x90001})]
    assert places == sorted(set(places)) and (places[0], places[-1]) == (0, 1000)
    assert [part.cut for part in parts].count(True) == 1


def test_neighbours_stand_between_the_blocks_of_a_finding_too() -> None:
    old = Shape("a", 0x1000, 64, 64, State.GIVEN_UP, harmed=True)
    staged = scene(old, Shape("b", 0x1040, 8, 8), reply=Shape("c", 0x2000, 128, 128))
    assert [block.name for block in staged.near()] == ["a", "b"]
    assert staged.overlaps() == []


@pytest.mark.parametrize("width", [60, 100])
def test_the_text_form_says_the_same_in_characters(width: int) -> None:
    lines = heap_at_text(scene(HARMED, reply=REPLY, marks=(Mark(0x1028, "byte 40 has changed"),)), width=width)
    text = "\n".join(lines)
    assert "bytes 96 to 103 of a are bytes 0 to 7 of e" in text
    assert "0x1028: byte 40 has changed" in text
    rows = [line for line in lines if line.startswith(("0x1000", "0x1060"))]
    assert rows[0].index("X") == rows[1].index("X") and rows[0].count("X") == rows[1].count("X") > 0
    assert "!" in rows[0] and "harmed" in rows[0] and "the reply" in rows[1]
    assert any(line.startswith(">    7  e = calloc") for line in lines)


def test_the_text_form_moves_no_cursor() -> None:
    staged = Scene("r", "s", "c", "m\x1b[2J", "a\x1b = malloc", "said")
    assert "\x1b" not in "".join(heap_at_text(staged))
