"""Pages in unusual places: links edited by hand, a frame in a notebook, heaps at both ends of memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path as File
from types import SimpleNamespace
from typing import Any, cast

import pytest

from m4alloc.view.explorer import lasso
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.page import page
from m4alloc.view.explorer.run import ViewReport
from m4alloc.view.notebook_report import Explorer
from spec.event import Function
from spec.ltl.parser import parse, parse_word
from spec.model.path import PathSystem
from spec.model.system import Path, Step
from tests.m4alloc.view.browser import Page, browser, needs_browser
from tests.m4alloc.view.explorer import panel_lives
from tests.m4alloc.view.explorer.open_page import DRAWN, Opener

pytestmark = needs_browser
Show = Callable[..., Page]

KEYS = "view, now, selected, finding, finding_life, colour, clock, panes, patterns, playing, tab"
STATE = f"{DRAWN}.then(() => (({{{KEYS}}}) => ({{{KEYS}}}))(m4.store.state))"
FOLLOW = (
    "new Promise(done => {{ addEventListener('hashchange', () => done(true), {{once: true}}); location.hash = {!r} }})"
)
HELP = "document.getElementById('help').open"
WIDTH = "Number(document.getElementById('divider').getAttribute('aria-valuenow'))"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as one:
        yield one


@pytest.fixture
def show(tab: Page, tmp_path: File) -> Iterator[Show]:
    """Opens a life afresh; what the page's console said is looked at when the test is over."""

    def opened(life: Life) -> Page:
        Opener(tab, tmp_path).open([life])
        return tab

    tab.problems.clear()
    yield opened
    assert tab.problems == []


def follow(tab: Page, link: str) -> Any:
    """The state after another link was put behind the page's address."""
    tab.run(FOLLOW.format(link))
    return tab.run(STATE)


def test_buttons_and_divider_do_the_same_however_many_links_were_opened(show: Show) -> None:
    tab = show(panel_lives.resized())
    for now in (1, 2, 3):
        follow(tab, f"#n={now}")
    tab.click(*tab.centre("#help-open"))
    assert tab.run(HELP) is True
    tab.press("?")
    assert tab.run(HELP) is False
    dark = tab.run("m4.colours.dark()")
    tab.click(*tab.centre("#theme"))
    assert tab.run("m4.colours.dark()") is not dark
    before = tab.run(WIDTH)
    tab.run("document.getElementById('divider').focus()")
    tab.press("ArrowLeft")
    assert tab.run(WIDTH) == before + 24


def test_a_link_says_the_same_in_an_open_page_as_in_a_fresh_one(show: Show) -> None:
    tab = show(panel_lives.resized())
    link = "#v=0-5&n=3"
    fresh = follow(tab, link)
    other = {"colour": "age", "clock": "time", "panes": "beside", "patterns": False, "tab": "curves"}
    changed = follow(tab, "#v=2-4&n=2&b=0:1&c=age&k=time&l=beside&p=0&t=moment")
    for key in other:
        assert changed[key] != fresh[key], key
    tab.run("m4.store.set({playing: true, speed: 0.001})")
    assert follow(tab, link) == fresh
    assert fresh["now"] == 3 and fresh["patterns"] is True


def test_what_a_link_asks_for_outside_the_run_is_its_end_or_its_beginning(show: Show) -> None:
    tab = show(panel_lives.resized())
    assert follow(tab, "#n=1e12")["now"] == 6
    assert follow(tab, "#n=-5")["now"] == 0
    nonsense = follow(tab, "#v=9-1e999&r0=-4-&n=x&b=0:99&f=7:0&c=red&k=moon&l=&p=2&t=")
    assert (nonsense["now"], nonsense["selected"], nonsense["finding"], nonsense["colour"]) == (6, None, None, "size")
    assert 0 <= nonsense["view"]["start"] < nonsense["view"]["stop"] <= 6


@pytest.mark.parametrize("kind", ["heap", "counterexample"])
def test_a_page_in_a_frame_of_a_notebook_writes_no_address(tab: Page, tmp_path: File, kind: str) -> None:
    file, notebook = tmp_path / "page.html", tmp_path / "notebook.html"
    if kind == "heap":
        file.write_text(page([panel_lives.resized()]), encoding="utf-8")
    else:
        run = Path((0, 1), (Step(0, "p"),))
        file.write_text(lasso.draw(PathSystem(parse_word("p; q")), run, parse("[]p"), name="framed"), encoding="utf-8")
    frame = Explorer(cast(ViewReport, SimpleNamespace(output=str(file))))._repr_html_()
    notebook.write_text(f"<!doctype html><title>notebook</title>{frame}", encoding="utf-8")
    tab.problems.clear()
    tab.open(notebook)
    inside = "document.querySelector('iframe').contentWindow"
    if kind == "heap":
        tab.until(f"{inside}.m4.map?.frames.count > 0")
        tab.run(f"{inside}.m4.store.set({{now: 2}}); new Promise(done => setTimeout(() => done(true), 400))")
        assert tab.run(f"{inside}.m4.store.state.now") == 2
    else:
        tab.until(f"{inside}.m4.lasso.now")
        tab.run(f"{inside}.document.querySelector('[title^=\"one step on\"]').click()")
        assert tab.run(f"{inside}.m4.lasso.now.at") == 1
    assert tab.problems == [] and tab.run("location.hash") == ""


def far_apart(*bases: int) -> Life:
    """Blocks at these addresses, all there at the end."""
    events = [panel_lives.event(Function.MALLOC, number, 16) for number in range(len(bases))]
    blocks = [panel_lives.block(base, 16, 16, number, len(bases), freer=-1) for number, base in enumerate(bases)]
    return panel_lives.life("far apart", events, blocks)


def test_addresses_at_both_ends_of_memory_are_drawn_in_their_order(show: Show) -> None:
    # Differences of 2**55 are rounded where a number has 53 bits, but go the right way.
    high, *low = (1 << 55) + 0x2000, 0x2000, 0x3000
    tab = show(far_apart(high, *low))
    shown = tab.run("[...m4.store.state.lives[0].blocks.base].map((one) => m4.address(m4.store.state.lives[0], one))")
    assert [int(one, 16) for one in shown] == [high, *low]
    places = tab.run("[...m4.heap.index(m4.store.state.lives[0]).low]")
    assert places[1] < places[2] < places[0]
    for block in (0, 1):
        tab.run(f"m4.map.show_block(0, {block})")
        tab.run(DRAWN)
    tab.press("0")
    assert tab.run(STATE)["view"] == {"start": 0, "stop": 3}
