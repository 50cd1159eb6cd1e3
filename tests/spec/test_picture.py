"""The pieces of the specification's pictures."""

from __future__ import annotations

from xml.etree import ElementTree

from spec.picture import badge, box, lines, svg, table, words


def test_a_picture_is_well_formed_and_escapes_what_it_says() -> None:
    drawn = svg(40, 20, 'a < "b" & c', [words(1, 2, "<script>"), box(1, 2, 3, 4, "x > y")])
    tree = ElementTree.fromstring(drawn)
    assert "".join(tree.itertext()) == 'a < "b" & c<script>x > y'


def test_a_table_says_every_cell_and_escapes_it() -> None:
    tree = ElementTree.fromstring(table([["a<b", "1"]], ["what", "how many"], right=[1]))
    assert [cell.text for cell in tree.iter() if cell.text] == ["what", "how many", "a<b", "1"]


def test_a_badge_is_read_without_its_colour() -> None:
    assert [ElementTree.fromstring(badge("VIOLATED", good)).text for good in (True, False, None)] == ["VIOLATED"] * 3


def test_lines_keep_their_breaks() -> None:
    assert ElementTree.fromstring(lines(["a", "b < c"])).text == "a\nb < c"
