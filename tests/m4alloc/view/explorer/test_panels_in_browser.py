"""The explorer's panels and the counterexample's page, driven in a real browser; one start serves all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path as File

import pytest

from m4alloc.view.explorer import lasso
from m4alloc.view.explorer.life import Life, Mark
from spec.event import Function
from spec.ltl.parser import parse, parse_word
from spec.model.path import PathSystem
from spec.model.system import Path, Step
from tests.m4alloc.view.browser import Page, browser, needs_browser
from tests.m4alloc.view.explorer import panel_lives
from tests.m4alloc.view.explorer.open_page import DRAWN, Opener, ungrouped

pytestmark = needs_browser
Show = Callable[..., str]

BODY = "document.getElementById('panel-body')"


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def opener(tab: Page, tmp_path_factory: pytest.TempPathFactory) -> Opener:
    return Opener(tab, tmp_path_factory.mktemp("pages"))


@pytest.fixture
def show(opener: Opener) -> Iterator[Show]:
    """Opens lives at a panel and a moment (events that have happened); answers what the panel says, in one line."""
    tab = opener.tab

    def opened(lives: list[Life], panel: str, now: int, block: int | None = None, life: int = 0) -> str:
        opener.open(lives)
        chosen = "null" if block is None else f"{{life: {life}, block: {block}}}"
        tab.run(f"m4.store.set({{tab: {panel!r}, now: {now}, selected: {chosen}}}); {DRAWN}")
        return said(tab)

    tab.problems.clear()
    yield opened
    assert tab.problems == []


def said(tab: Page, selector: str = "#panel-body") -> str:
    """The text of an element as it is shown, its spaces made single."""
    text = tab.run(f"document.querySelector({selector!r}).innerText")
    return " ".join(ungrouped(text).split())


def press(tab: Page, text: str, within: str = "#panel-body") -> None:
    """Clicks the first button whose text this is, with the mouse."""
    tab.run(
        f"document.querySelector('[data-test]')?.removeAttribute('data-test');"
        f"[...document.querySelectorAll({within!r} + ' button')].find(one => one.textContent.trim() === {text!r})"
        ".setAttribute('data-test', '')"
    )
    tab.click(*tab.centre("[data-test]"))
    tab.run(DRAWN)


def state(tab: Page, key: str) -> object:
    return tab.run(f"m4.store.state.{key}")


def test_a_block_tells_its_whole_story_and_what_is_wrong_with_an_access(tab: Page, show: Show) -> None:
    text = show([panel_lives.use_after_free()], "story", 9, 0)
    for wanted in (
        "24 B at 0x1000",
        "block #1, now freed, bytes in use again",
        "24 asked, 32 usable · slack 8 B (25 %)",
        "event 5, after 4 events",
        "until event 7, 2 events",
        "after 2 events, by #3 at event 7",
        "above #2 (touching)",
        "used_while_allocated: violated",
        "[](free -> [](!load && !store))",
        "load bytes 8 to 15 ✗ after it was freed",
    ):
        assert wanted in text, (wanted, text)
    strip = tab.run("[...document.querySelectorAll('.strip title')].map(one => one.textContent)")
    assert strip == ["live", "held back", "#3", "allocated", "freed: any access violates", "violated"]


def test_the_links_of_a_story_move_now_and_select_the_successor(tab: Page, show: Show) -> None:
    show([panel_lives.use_after_free()], "story", 9, 0)
    press(tab, "event 5")
    assert state(tab, "now") == 5
    assert "now freed, held back" in said(tab)
    press(tab, "#3")
    assert state(tab, "selected") == {"life": 0, "block": 2} and state(tab, "now") == 7
    assert "these bytes were #1's" in said(tab)


def test_a_link_answers_to_the_keyboard_and_keeps_the_focus(tab: Page, show: Show) -> None:
    show([panel_lives.use_after_free()], "story", 9, 0)
    tab.run("document.querySelector('#panel-body .facts .go').focus()")
    tab.press("Enter")
    tab.run(DRAWN)
    assert state(tab, "now") == 1 and "now live" in said(tab)
    assert tab.run("document.activeElement.textContent") == "event 1"


def test_a_chain_of_resizes_says_what_moved_and_which_thread_freed(tab: Page, show: Show) -> None:
    text = show([panel_lives.resized()], "story", 4, 3)
    assert "#1 16 B → in place → #2 30 B → moved → #4 3.9 KiB → moved → #5 8.8 KiB" in text
    assert "resized event 5 by main, after 1 event" in text
    press(tab, "#5")
    assert "freed event 6 by worker, not the one that asked for it, after 1 event" in said(tab)


def test_without_a_selection_the_largest_live_blocks_are_offered(tab: Page, show: Show) -> None:
    text = show([panel_lives.many()], "story", 10_000)
    assert text.startswith("No block is selected") and text.count(" B at 0x") == 12
    tab.run(f"m4.store.set({{now: 0}}); {DRAWN}")
    assert "No block lives now." in said(tab)


def test_an_attack_is_a_numbered_story_that_ends_in_the_verdict(tab: Page, show: Show) -> None:
    text = show([panel_lives.tagged_attack()], "findings", 0)
    order = ["The attack, in 5 steps", "victim frees", "the hardware stopped it", "spray", "nothing stopped it"]
    places = [text.index(one) for one in [*order, "✗ The attack succeeds when"]]
    assert places == sorted(places)
    tab.click(*tab.centre(".findings li:nth-child(5) .finding-head"))
    tab.run(DRAWN)
    assert (state(tab, "now"), state(tab, "finding"), state(tab, "selected")) == (9, 4, {"life": 0, "block": 0})
    assert tab.run("document.querySelectorAll('.finding-head[aria-current]').length") == 1


def test_memory_shows_the_tags_the_pointer_and_the_granule_have(tab: Page, show: Show) -> None:
    tags = "[...document.querySelectorAll('.moment .tag-number')].map(one => one.textContent).join(' ')"
    text = show([panel_lives.tagged_attack()], "moment", 4, 0)
    assert "Pointer's tag 5, memory's tag 9: they differ, the check fails." in text
    assert tab.run(tags) == "- - 9 9 9 - -"
    tab.run(f"m4.store.set({{now: 9}}); {DRAWN}")
    assert "Pointer's tag 5, memory's tag 5: they are equal, the check passes." in said(tab)
    assert tab.run(tags) == "- - 5 5 5 - -"
    assert tab.run("document.querySelectorAll('.moment .access').length") == 1


def test_memory_shows_bounds_slack_and_an_access_outside(tab: Page, show: Show) -> None:
    text = show([panel_lives.out_of_bounds()], "moment", 4, 0)
    assert "store bytes 28 to 35 of #1 ✗ 16 bytes past its end" in text
    assert "Bounds of the pointer to #1 [0x4000, 0x4018): the access is outside, the check fails." in text
    # The access covers the end of one row and the beginning of the next; the bracket has two ends.
    assert tab.run("document.querySelectorAll('.moment .access.bad').length") == 2
    assert tab.run("document.querySelectorAll('.moment path.bounds').length") == 2
    tab.run(f"m4.store.set({{now: 0, selected: null}}); {DRAWN}")
    assert said(tab).startswith("Before the first event")


def test_memory_leaves_out_the_middle_of_a_long_block_and_says_so(tab: Page, show: Show) -> None:
    show([panel_lives.resized()], "moment", 4, 3)
    notes = tab.run("[...document.querySelectorAll('.moment .middle')].map(one => one.textContent).join()")
    assert "3,936 bytes not drawn" in notes
    assert tab.run("document.querySelectorAll('.moment .address').length") == 14


def test_the_script_marks_its_line_and_never_becomes_markup(tab: Page, show: Show) -> None:
    text = show([panel_lives.use_after_free()], "script", 9)
    assert "# <b>not markup</b>" in text and "✗ use after free" in text
    here = "document.querySelector('.listing .here .no').textContent"
    assert tab.run(here) == "10"
    tab.click(*tab.centre(".listing li:nth-child(4) code"))
    tab.run(DRAWN)
    assert (tab.run(here), state(tab, "now")) == ("4", 3)
    # A line without a call is not for going to.
    assert tab.run("document.querySelectorAll('.listing .silent button').length") == 0


def test_the_calls_of_a_long_run_are_listed_around_now_only(tab: Page, show: Show) -> None:
    show([panel_lives.many()], "script", 10_000)
    assert tab.run("document.querySelectorAll('.listing li').length") == 81
    assert tab.run("document.querySelector('.listing .here .no').textContent") == "10,000"
    box = f"{BODY}.getBoundingClientRect()"
    here = "document.querySelector('.listing .here').getBoundingClientRect()"
    assert tab.run(f"{here}.top > {box}.top && {here}.bottom < {box}.bottom")
    for now in (1, 5_000, 20_000):
        tab.run(f"m4.store.set({{now: {now}}}); {DRAWN}")
        assert tab.run("document.querySelectorAll('.listing li').length") <= 81


def test_the_curves_say_their_values_at_now_and_move_it_when_pressed(tab: Page, show: Show) -> None:
    show([panel_lives.use_after_free()], "story", 9, 0)
    words = "live 64 B usable 80 B footprint 80 B fragmentation internal 20 % external 0.0 %"
    assert said(tab, "#curves-said") == words
    left, top, width = tab.run(
        "(b => [b.left, b.top, b.width])(document.querySelector('#curves > svg').getBoundingClientRect())"
    )
    tab.click(left + tab.run("m4.map.x(4.5)"), top + 30)
    tab.run(DRAWN)
    assert state(tab, "now") == 5
    assert said(tab, "#curves-said").startswith("live 40 B usable 48 B")
    line = tab.run("Number(document.querySelector('#curves .now').getAttribute('x1'))")
    assert abs(line - tab.run("m4.map.x(5)")) < 1 and 0 < line < width


def test_two_lives_have_their_curves_and_calls_one_beside_the_other(tab: Page, show: Show) -> None:
    text = show([panel_lives.resized(), panel_lives.use_after_free()], "script", 3)
    assert "A grows.heap" in text and "B stale.heap" in text
    assert tab.run("document.querySelectorAll('.listing .here').length") == 2
    assert tab.run("document.querySelectorAll('#curves-said .which').length") == 2


def played(tab: Page, tmp_path: File, run: Path, word: str, formula: str) -> None:
    file = tmp_path / "lasso.html"
    file.write_text(lasso.draw(PathSystem(parse_word(word)), run, parse(formula), name="again"), encoding="utf-8")
    tab.problems.clear()
    tab.open(file)


def test_a_lasso_is_stepped_by_keys_round_its_cycle(tab: Page, tmp_path: File) -> None:
    run = Path((0, 1, 2), (Step(0, "one"), Step(0, "two <i>"), Step(0, "three")), 1)
    played(tab, tmp_path, run, "p; cycle{1; q}", "[](q -> <>p)")
    seen = []
    for _ in range(4):
        tab.press("ArrowRight")
        seen.append(tab.run("[m4.lasso.now.at, m4.lasso.now.turn]"))
    assert seen == [[1, 0], [2, 0], [1, 1], [2, 1]]
    assert said(tab, ".state h2") == "State 2, turn 2 of the cycle"
    tab.press("ArrowLeft")
    tab.press("ArrowLeft")
    assert tab.run("[m4.lasso.now.at, m4.lasso.now.turn]") == [2, 0]
    assert tab.run("document.querySelectorAll('tr[aria-current]').length") == 1
    assert "↩ back to state 1" in said(tab, ".steps") and "two <i>" in said(tab, ".steps")
    assert tab.run("document.querySelectorAll('.score .dot.cycle').length") == 2
    assert tab.run("location.hash") == "#state=2" and tab.problems == []


def test_a_run_that_ends_can_be_clicked_and_stops_at_its_end(tab: Page, tmp_path: File) -> None:
    played(tab, tmp_path, Path((0, 1), (Step(0, "p"),)), "p; q", "[]p")
    assert "However this run of 1 step goes on, the property is violated" in said(tab, ".lasso-head")
    tab.click(*tab.centre(".steps tbody tr:nth-child(2)"))
    tab.press("ArrowRight")
    assert tab.run("m4.lasso.now.at") == 1
    assert said(tab, ".transport").startswith("|◀ ◀ ▶ play (space) ▶ ▶| state 1 of 1: path p")
    assert tab.run("document.querySelectorAll('.score .dot.end').length") == 1
    tab.press(" ")  # plays, and at the end stops by itself
    assert tab.until("document.querySelector('.transport').textContent.includes('▶ play')")
    assert tab.problems == []


def test_a_block_of_terabytes_is_shown_as_soon_as_a_small_one(show: Show) -> None:
    size = 1 << 45
    huge = panel_lives.life(
        "huge",
        [panel_lives.event(Function.MALLOC, 0, size), panel_lives.event(Function.MALLOC, 1, 16)],
        [panel_lives.block(0x1000_0000, size, size, 0, 2, tag=3), panel_lives.block(0x100, 16, 16, 1, 2, tag=4)],
        granule=16,
        protection="mte",
    )
    said_of_it = show([huge], "moment", 2, block=0)
    assert "The pointer to #1 has tag 3" in said_of_it
    assert "bytes not drawn" in said_of_it


def test_what_turns_a_text_round_is_shown_and_what_is_long_is_cut(show: Show) -> None:
    marks = (Mark(0, -1, "label", "a\u202eb"), Mark(1, -1, "label", "x" * 10_000))
    odd = replace(panel_lives.resized(), allocator="\u202etfel", marks=marks)
    said_of_it = show([odd], "findings", 2)
    assert "a[U+202E]b" in said_of_it
    assert "x… (10000 characters)" in said_of_it and "x" * 300 not in said_of_it
