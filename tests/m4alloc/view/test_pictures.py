from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pytest

from m4alloc.view import chart, heap_map, html
from m4alloc.view.raster import Blocks, rasterise
from m4alloc.view.svg import Element

SVG = "{http://www.w3.org/2000/svg}"
X = chart.Axis("request", 0, 100, lambda value: f"{value:.0f}")
Y = chart.Axis("bytes", 0, 10, lambda value: f"{value:.0f}")


def _parse(picture: Element) -> ElementTree.Element:
    return ElementTree.fromstring(picture.write())


def _words(root: ElementTree.Element) -> list[str]:
    return [node.text or "" for node in root.iter(f"{SVG}text")]


def test_a_curve_goes_through_the_corners_of_its_axes() -> None:
    root = _parse(chart.curves("t", [0, 100], [chart.Series("live", "series-1", [0, 10], "line")], X, Y))
    line = root.find(f"{SVG}path")
    assert line is not None
    assert line.attrib["d"] == f"M{chart.LEFT} {300 - chart.BOTTOM}L{chart.WIDTH - chart.RIGHT} {chart.TOP}"


def test_a_chart_names_its_series_axes_marks_and_ticks() -> None:
    series = [chart.Series("live <bytes>", "series-1", [1, 2])]
    words = _words(_parse(chart.curves("t", [0, 50], series, X, Y, marks=[chart.Mark(90, "peak")])))
    assert {"live <bytes>", "request", "bytes", "peak", "0", "100", "10"} <= set(words)


def test_a_series_must_have_a_value_for_each_x() -> None:
    with pytest.raises(ValueError, match="exactly one value"):
        chart.curves("t", [0, 1], [chart.Series("a", "series-1", [1])], X, Y)


def test_bars_are_as_high_as_their_values_and_never_vanish() -> None:
    entries = [chart.Bar("a", 10, "ten"), chart.Bar("b", 0.0001, "tiny"), chart.Bar("c", 0, "none")]
    root = _parse(chart.bars("t", entries, "size", Y, height=240))
    heights = [float(bar.attrib["height"]) for bar in root.findall(f"{SVG}g/{SVG}rect")]
    assert heights == [240 - chart.TOP - chart.BOTTOM, 1]


def _two_blocks() -> Blocks:
    return Blocks(np.array([0x10000, 0x90000]), np.array([16, 300]), np.array([0, 5]), np.array([10, 8]))


def test_the_map_of_blocks_has_a_rectangle_and_a_story_for_each_block_and_stretch() -> None:
    root = _parse(heap_map.blocks(_two_blocks(), 0, 10, "request", str))
    stories = [node.text for node in root.findall(f"{SVG}g/{SVG}title")]
    assert "16 bytes at 0x10000, 0 to 10" in stories
    assert "300 bytes at 0x90000, 5 to 8" in stories
    assert any("left out" in (story or "") for story in stories)


def test_a_map_of_events_counts_them_from_1_below_the_middle_of_their_rooms() -> None:
    root = _parse(heap_map.draw(_two_blocks(), 10, "event", lambda one: f"{one:.0f}", counted=True))
    stories = [node.text for node in root.findall(f"{SVG}g/{SVG}title")]
    assert "16 bytes at 0x10000, from event 1 to the end" in stories
    assert "300 bytes at 0x90000, from event 6 to event 9" in stories
    labels = {node.text: float(node.attrib["x"]) for node in root.iter(f"{SVG}text")}
    stories_of = {one.findtext(f"{SVG}title"): one for one in root.findall(f"{SVG}g")}
    late = stories_of["300 bytes at 0x90000, from event 6 to event 9"].find(f"{SVG}rect")
    assert late is not None
    each = (labels["8"] - labels["4"]) / 4
    assert float(late.attrib["x"]) == pytest.approx(labels["6"] - each / 2, abs=0.2), "it is handed out by event 6"
    assert "0" not in labels
    alone = _parse(heap_map.draw(_two_blocks(), 1, "event", lambda one: f"{one:.0f}", counted=True))
    assert [word for word in _words(alone) if word.isdigit()] == ["1"], "each number once"


def test_the_map_of_cells_merges_equal_neighbours_and_leaves_empty_cells_out() -> None:
    grid = rasterise(_two_blocks(), 0, 10, columns=10, min_shift=12)
    root = _parse(heap_map.cells(grid, "request", str))
    cells = root.findall(f"{SVG}g[@class='cell']/{SVG}rect")
    assert len(cells) == 2
    wide, narrow = sorted((float(cell.attrib["width"]) for cell in cells), reverse=True)
    assert narrow / wide == pytest.approx(0.3, abs=0.01)


def test_few_blocks_are_drawn_one_by_one_and_many_as_a_grid() -> None:
    for count, kind in ((heap_map.FEW, "block"), (heap_map.FEW + 1, "cell")):
        base = 0x10000 + 64 * np.arange(count)
        blocks = Blocks(base, np.full(count, 64), np.zeros(count, np.int64), np.full(count, 10))
        root = _parse(heap_map.draw(blocks, 10, "request", str, labels=map(str, range(count))))
        assert (root.find(f"{SVG}g[@class='cell']") is not None) == (kind == "cell")


def test_both_maps_of_an_empty_heap_are_well_formed() -> None:
    none = np.empty(0, np.int64)
    empty = Blocks(none, none, none, none)
    assert _parse(heap_map.blocks(empty, 0, 1, "request", str)).tag == f"{SVG}svg"
    assert _parse(heap_map.cells(rasterise(empty, 0, 1), "request", str)).tag == f"{SVG}svg"


class _Balance(HTMLParser):
    """Fails on an element closed out of order, and collects what a browser would fetch."""

    void = frozenset({"meta", "br", "hr", "img", "input", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.fetched += [value or "" for name, value in attrs if name in ("src", "data", "srcset", "action")]
        self.fetched += [value or "" for name, value in attrs if name == "href" and not (value or "").startswith("#")]
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def _page() -> str:
    body = html.join(
        [
            html.paragraph("1 < 2"),
            html.table(["rule", "count"], [["<b>", "3"]], right=[1]),
            html.curves("life", [0, 100], [chart.Series('a"b', "series-1", [1, 2])], X, Y, caption="what to see"),
            html.details("more", html.listing("x & y")),
            html.callout(["careful"], "warn"),
            html.figures([("peak", "11.2 MB", "in 3 blocks")]),
        ]
    )
    return html.Page(
        "verify <ls>", "HOLDS", "good", "m4alloc verify -- ls", [html.Section("The heap's life", body)]
    ).write()


def test_a_page_is_balanced_and_fetches_nothing() -> None:
    parser = _Balance()
    parser.feed(_page())
    parser.close()
    assert parser.open == []
    assert parser.fetched == []
    assert not re.search(r"url\(|@import|https?://(?!www\.w3\.org/)", _page())


def test_a_page_escapes_what_is_not_markup() -> None:
    page = _page()
    assert "verify &lt;ls&gt;" in page and "<p>1 &lt; 2</p>" in page and "<td>&lt;b&gt;</td>" in page


def test_the_numbers_behind_a_chart_can_be_read_back() -> None:
    found: list[str] = []

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.extend(value or "" for name, value in attrs if name == "data-chart")

    Reader().feed(_page())
    behind = json.loads(found[0])
    assert behind["rows"] == [{"label": 'a"b', "role": "series-1", "values": ["1", "2"]}]
    assert behind["names"] == ["0", "100"]


def test_the_same_page_is_the_same_text() -> None:
    assert _page() == _page()


def test_a_row_of_the_wrong_width_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells in a table of 2 columns"):
        html.table(["a", "b"], [["x"]])
