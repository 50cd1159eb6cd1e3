"""The report as a page: one file, nothing fetched, everything in it."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from m4alloc.superopt.page import beside, page
from tests.m4alloc.superopt.report_cases import report


def test_each_function_has_a_section_and_what_was_made_cheaper_comes_first() -> None:
    told = page(report())
    places = [told.index(f"<h2>@{name}</h2>") for name in ("sum", "calls", "moved", "least")]
    assert places == sorted(places) and told.index("<h2>Overview</h2>") < places[0]
    assert "2 of 4 made cheaper" in told and "http" not in told.replace("http://www.w3.org", "")


def test_the_page_has_the_proof_the_steps_the_times_and_why_nothing_better_was_found() -> None:
    told = page(report())
    for part in (
        "Proved as a whole by SMT", "Assuming <code>x &lt; 1000</code> (given)", "Step 1: llvm -O3 at the function",
        "0.50 of the time, 0.45 to 0.55 with 95 %", "no significant difference", "Not measured: made up",
        "Why nothing better was found", "it has a landing pad", "Not searched: no piece of it", "Assembly for x86-64",
    ):  # fmt: skip
        assert part in told, part


def test_lines_that_differ_are_coloured_and_equal_ones_are_level() -> None:
    root = ElementTree.fromstring(beside(["a", "b", "c"], ["a", "d", "c"], ("before", "after")))
    rows = [list(row.iter("td")) for row in root.iter("tr")][1:]
    assert [["".join(cell.itertext()) for cell in row] for row in rows] == [["a", "a"], ["b", "d"], ["c", "c"]]
    assert [["--" in (cell.get("style") or "") for cell in row] for row in rows] == [
        [False] * 2,
        [True] * 2,
        [False] * 2,
    ]


def test_text_of_the_input_is_escaped() -> None:
    assert "<script>alert" not in page(replace(report(), where="<script>alert(1)</script>"))


def test_the_same_report_gives_the_same_page() -> None:
    assert page(report()) == page(report())
