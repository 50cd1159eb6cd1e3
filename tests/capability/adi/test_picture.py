"""Pictures of lines."""

from __future__ import annotations

from xml.etree import ElementTree

from capability.adi import picture
from capability.memory import TaggedMemory


def memory() -> TaggedMemory:
    found = TaggedMemory(0x1000, 0x1000)
    found.set_allocation_tag(0x1040, 128, 11)
    found.set_allocation_tag(0x10C0, 64, 15)
    return found


def test_text_shows_each_line_once_and_universal_ones_as_dots() -> None:
    assert picture.text(memory(), 0x1000, 0x180, row=3) == "0x1000  . b b\n0x10c0  . . ."
    assert picture.text(memory(), 0x1050, 1) == "0x1040  b"


def test_svg_is_well_formed_and_has_a_square_a_line() -> None:
    root = ElementTree.fromstring(picture.svg(memory(), 0x1000, 0x180, row=3))
    squares = root.findall("{*}rect")
    assert len(squares) == 6
    titles = [square.findtext("{*}title") for square in squares]
    assert titles[1] == "line 0x1040, version 11"
    assert squares[1].get("fill") != squares[0].get("fill") == squares[3].get("fill")
