"""Pages as `m4alloc.view` writes them, opened from disk: scripts, attacks, recordings, two heaps, a counterexample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import m4alloc
from m4alloc.view.explorer.run import ViewReport, view
from tests.m4alloc.view.browser import Page, browser, needs_browser
from tests.m4alloc.view.explorer.lives_for_tests import EXCERPTS, SCRIPTS
from tests.m4alloc.view.explorer.open_page import DRAWN, WINDOW

pytestmark = needs_browser
Show = Callable[..., tuple[Page, ViewReport]]
TEXT = "document.body.innerText"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as one:
        yield one


@pytest.fixture
def show(tab: Page, tmp_path: Path) -> Iterator[Show]:
    """Writes a page and opens it; what its console said is looked at when the test is over."""

    def opened(*inputs: Any, **options: Any) -> tuple[Page, ViewReport]:
        report = view(*inputs, output=tmp_path / "page.html", **options)
        tab.open(tmp_path / "page.html", width=WINDOW["width"], height=WINDOW["height"])
        if report.lives:
            tab.until("m4.map.frames.count > 0 || document.querySelector('.failed')")
        tab.run(DRAWN)
        return tab, report

    tab.problems.clear()
    yield opened
    assert tab.problems == []


def test_a_script_is_shown_with_what_was_found(show: Show) -> None:
    tab, report = show(SCRIPTS / "misuse" / "use-after-free.heap")
    assert "use-after-free.heap" in tab.run(TEXT)
    assert report.lives[0].sentence in tab.run(TEXT)
    tab.press("n")
    tab.run(DRAWN)
    assert tab.run("m4.store.state.finding !== null")
    assert "freed at event 3" in tab.run(TEXT)


def test_a_page_opens_at_what_the_allocator_did_wrong_before_what_the_program_did(show: Show, tmp_path: Path) -> None:
    script = tmp_path / "both.heap"
    script.write_text("a = malloc 64 -> 0x1000\nfree a\nfree a\nb = malloc 64 -> 0x2000\nc = malloc 64 -> 0x2000\n")
    tab, report = show(script)
    kinds = [mark.kind for mark in report.lives[0].marks]
    assert kinds.index("misuse") < kinds.index("violation")
    assert tab.run("m4.store.state.lives[0].marks[m4.store.state.finding].kind") == "violation"


@pytest.mark.parametrize(
    ("attack", "architecture", "kind", "tone"),
    [
        ("double-free", "none", "misuse", "good"),
        ("use-after-free-read", "morello", "fault", "good"),
        ("linear-overflow", "none", "missed", "bad"),
    ],
)
def test_an_attack_that_was_stopped_has_the_colour_of_what_is_well(
    show: Show, attack: str, architecture: str, kind: str, tone: str
) -> None:
    tab, report = show(attack=attack, architectures=[architecture])
    assert report.lives[0].marks[-1].kind == kind
    assert tab.run("document.getElementById('sentence').className") == tone
    assert tab.run("document.querySelector('.verdict-line').classList.contains('bad')") == (tone == "bad")
    assert tab.run("document.querySelectorAll('.finding.bad').length") == (tone == "bad")


def test_an_attack_is_shown_on_two_machines(show: Show) -> None:
    tab, report = show(attack="use-after-reuse-write", architectures=["mte", "morello"])
    assert tab.run("m4.store.state.lives.map((life) => [life.protection, life.granule])") == [
        ["mte-scudo", 16],
        ["morello", 0],
    ]
    assert tab.run("[...m4.store.state.lives[0].blocks.tag]") == report.lives[0].blocks.tag.tolist()
    bounds = tab.run("m4.address(m4.store.state.lives[1], m4.store.state.lives[1].blocks.high[0])")
    assert int(bounds, 16) == report.lives[1].blocks.high[0]


def test_a_recorded_heap_is_shown_on_two_allocators(show: Show) -> None:
    tab, report = show(EXCERPTS / "sqlite3.m4t.xz", allocators=["m4alloc", "system"])
    counts = tab.run("m4.store.state.lives.map((life) => [life.events.length, life.blocks.length])")
    assert counts == [[len(life.events), len(life.blocks)] for life in report.lives]
    live = [int((life.blocks.died == len(life.events)).sum()) for life in report.lives]
    alive = "(life) => life.blocks.died.filter((event) => event === life.events.length).length"
    assert tab.run(f"m4.store.state.lives.map({alive})") == live
    for key in ("+", "+", "ArrowRight", "c", "t", "Home", "0"):
        tab.press(key)
    tab.run(DRAWN)


def test_a_counterexample_opens(show: Show, tmp_path: Path) -> None:
    m4alloc.model("free_list", constants={"LOCKED": 0}, properties=["handed_out_once"], output=tmp_path)
    tab, _ = show(next(tmp_path.glob("*.json")))
    assert "handed_out_once" in tab.run(TEXT)
