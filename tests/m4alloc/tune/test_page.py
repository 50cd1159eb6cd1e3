"""The report as a page: sections, pictures, and nothing of what is not there."""

from __future__ import annotations

from m4alloc.tune.page import page, pictures
from m4alloc.tune.report import DEFAULT, TuneReport
from tests.m4alloc.tune.report_cases import report


def test_the_page_has_every_section_and_picture() -> None:
    one = report()
    drawn = pictures(one)
    written = page(one, drawn)
    assert list(drawn) == ["pareto", "course", "exact"] and written.count("<svg") == 3
    wanted = ["Answer", "Workloads", "Exact answers", "Search", "Held out", "Before and after", "strategy.toml"]
    assert [heading for heading in wanted if heading not in written] == []
    assert "tune -- prog &#x27;a b&#x27;" in written or "tune -- prog 'a b'" in written


def test_what_is_not_there_has_no_section() -> None:
    written = page(TuneReport(name="x", course={}, verdict=DEFAULT), {})
    assert "Held out" not in written and "strategy.toml" not in written and "<svg" not in written


def test_what_a_user_named_is_escaped() -> None:
    assert "<b>" not in page(report(name="<b>", notes=("<b>",), command=("<b>",)), {})
