"""The explorer's map driven in a real browser: pointer, wheel, keys, playing, links, themes; one start serves all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from m4alloc.view.explorer.life import Life
from spec.event import Function
from tests.m4alloc.view.browser import Page, browser, needs_browser
from tests.m4alloc.view.explorer import panel_lives
from tests.m4alloc.view.explorer.open_page import DRAWN, Opener, ungrouped

pytestmark = needs_browser
Show = Callable[..., Page]

CALLS = 2_000  # of a run that is zoomed and moved in: ten times as many take twice as long to draw
KEYS = "view, rows, now, selected, finding, colour, playing"
STATE = f"(({{{KEYS}}}) => ({{{KEYS}}}))(m4.store.state)"
# Where the middle of a block is in the window.
MIDDLE = """((block, life = 0) => {{
  const box = document.getElementById('map-canvas').getBoundingClientRect();
  const {{low, high}} = m4.heap.index(m4.store.state.lives[life]);
  const {{born, died}} = m4.store.state.lives[life].blocks;
  return [box.left + m4.map.x((born[block] + died[block]) / 2, life),
          box.top + m4.map.y((low[block] + high[block]) / 2, life)];
}})({block}, {life})"""


@pytest.fixture(scope="module")
def tab() -> Iterator[Page]:
    with browser() as one:
        yield one


@pytest.fixture(scope="module")
def opener(tab: Page, tmp_path_factory: pytest.TempPathFactory) -> Opener:
    return Opener(tab, tmp_path_factory.mktemp("pages"))


@pytest.fixture
def show(opener: Opener) -> Iterator[Show]:
    """Opens lives; what the page's console said is looked at when the test is over."""

    def opened(*lives: Life, **how: Any) -> Page:
        opener.open(lives, **how)
        return opener.tab

    opener.tab.problems.clear()
    yield opened
    assert opener.tab.problems == []


def state(tab: Page) -> Any:
    tab.run(DRAWN)
    return tab.run(STATE)


def middle(tab: Page, block: int, life: int = 0) -> tuple[float, float]:
    x, y = tab.run(MIDDLE.format(block=block, life=life))
    return x, y


def wide(tab: Page) -> float:
    """How many pixels all that is seen has, from left to right."""
    return float(tab.run("m4.map.pane(0).right - m4.map.pane(0).left"))


def text(tab: Page, selector: str) -> str:
    return " ".join(ungrouped(str(tab.run(f"document.querySelector({selector!r}).innerText"))).split())


def colours_of(tab: Page, selector: str = "#map-canvas") -> int:
    """How many different colours a canvas shows."""
    return int(
        tab.run(
            f"(() => {{ const one = document.querySelector({selector!r});"
            "const data = one.getContext('2d').getImageData(0, 0, one.width, one.height).data;"
            "return new Set(new Uint32Array(data.buffer)).size; })()"
        )
    )


def test_the_whole_run_is_seen_first(show: Show) -> None:
    tab = show(panel_lives.resized())
    now = state(tab)
    assert now["view"] == {"start": 0, "stop": 6}
    assert now["now"] == 6
    assert text(tab, "[role=tab][aria-selected=true]") == "Block"
    assert "6 events" in text(tab, "#about")
    assert colours_of(tab) > 10 and colours_of(tab, "#overview") > 3


def test_between_two_calls_the_counter_and_the_flag_say_the_same(show: Show) -> None:
    tab = show(panel_lives.resized())
    tab.run("m4.store.set({now: 2.4})")
    tab.run(DRAWN)
    assert text(tab, "#now").startswith("3 of 6 events")
    assert tab.run("m4.map.moment(m4.store.state.now, m4.store.state.lives[0])") == "3"


def test_every_colouring_explains_itself_with_patterns_that_differ(show: Show) -> None:
    tab = show(panel_lives.resized())
    for name in ("size", "age", "thread", "tag", "state"):
        tab.run(f"m4.store.set({{colour: {name!r}}})")
        tab.run(DRAWN)
        assert tab.run("document.querySelectorAll('#legend .entry').length") >= 3
        tiles = tab.run(f"m4.colours.scheme({name!r}, m4.store.state.lives).classes.map((one) => one.tile.join())")
        # Sixteen tags have their numbers as well, so that eight patterns will do.
        assert len(set(tiles)) >= min(len(tiles), 9) - (name == "tag"), name
    assert text(tab, "#legend").startswith("Colour: state live slack")


def test_a_page_with_findings_opens_at_the_first_thing_that_went_wrong(show: Show) -> None:
    tab = show(panel_lives.use_after_free())
    opened = state(tab)
    assert (opened["finding"], opened["selected"], opened["now"]) == (0, {"life": 0, "block": 0}, 9)
    assert opened["view"] == {"start": 0, "stop": 11}
    assert text(tab, "[role=tab][aria-selected=true]") == "Findings"
    tab.run("location.hash = '#v=0-11&n=3'")
    assert (state(tab)["finding"], state(tab)["now"]) == (None, 3), "but a link says otherwise"


def test_keys_move_zoom_step_and_choose(show: Show) -> None:
    tab = show(panel_lives.use_after_free())
    tab.press("+")
    tab.press("+")
    near = state(tab)["view"]
    assert near["stop"] - near["start"] == pytest.approx(2.75)
    tab.press("ArrowLeft")
    assert state(tab)["view"]["start"] < near["start"]
    tab.press("-")
    assert state(tab)["view"]["stop"] - state(tab)["view"]["start"] == pytest.approx(5.5)
    tab.press("Home")
    assert state(tab)["now"] == 0
    tab.press(".")
    assert state(tab)["now"] == 1
    tab.press("Escape")
    tab.press("n")
    found = state(tab)
    assert (found["finding"], found["selected"]["block"], found["now"]) == (0, 0, 9)
    assert "use_after_free" in text(tab, "#status")
    tab.press("[")
    assert state(tab)["now"] == 5, "the event of the block before the load is its free"
    tab.press("]")
    assert state(tab)["now"] == 9
    tab.press("c")
    assert state(tab)["colour"] == "age"
    tab.press("Escape")
    assert state(tab)["selected"] is None
    tab.press("?")
    assert "Keys and gestures" in text(tab, "#help")
    tab.press("?")
    assert tab.run("document.getElementById('help').open") is False


def test_playing_moves_the_moment_and_stops_at_the_end(show: Show) -> None:
    tab = show(panel_lives.use_after_free())
    tab.press("Home")
    tab.run("m4.store.set({speed: 40})")
    tab.press(" ")
    tab.until("m4.store.state.now > 2")
    assert tab.run("document.getElementById('play').getAttribute('aria-label')") == "Pause"
    tab.until("!m4.store.state.playing")
    assert state(tab)["now"] == 11


def test_the_theme_button_turns_the_page_dark(show: Show) -> None:
    tab = show(panel_lives.use_after_free())
    assert tab.run("m4.colours.dark()") is False
    tab.click(*tab.centre("#theme"))
    assert tab.run(f"{DRAWN}.then(() => m4.colours.dark())") is True
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 28)"


def test_a_click_selects_the_block_and_the_moment_and_a_link_brings_both_back(show: Show) -> None:
    tab = show(panel_lives.many(CALLS))
    tab.run("m4.map.show(100, 160); m4.map.show_rows(0, 0, 8000)")
    tab.run(DRAWN)
    block = tab.run("m4.heap.index(m4.store.state.lives[0]).live_at(130)[3]")
    tab.run(f"m4.map.show_block(0, {block})")
    tab.run(DRAWN)
    tab.click(*middle(tab, block))
    chosen = state(tab)
    assert chosen["selected"] == {"life": 0, "block": block}
    born, died = tab.run(f"(({{born, died}}) => [born[{block}], died[{block}]])(m4.store.state.lives[0].blocks)")
    assert abs(chosen["now"] - (born + died) / 2) < (died - born) * 0.01 + 1
    link = tab.until("location.hash.includes('b=0:') && location.hash")
    again = state(show(panel_lives.many(CALLS), hash=link))
    assert again["selected"] == chosen["selected"]
    assert again["view"]["start"] == pytest.approx(chosen["view"]["start"], abs=0.01)
    assert again["rows"][0]["high"] == pytest.approx(chosen["rows"][0]["high"], abs=0.01)


def test_the_wheel_zooms_about_the_pointer_time_or_addresses(show: Show) -> None:
    tab = show(panel_lives.many(CALLS))
    x, y = tab.centre("#map-canvas")
    left = tab.run("document.getElementById('map-canvas').getBoundingClientRect().left")
    under = tab.run(f"m4.map.event({x} - {left})")
    tab.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
    zoomed = state(tab)
    assert zoomed["view"]["stop"] - zoomed["view"]["start"] < 1_400
    assert tab.run(f"m4.map.event({x} - {left})") == pytest.approx(under, abs=2.5), "to the pixel"
    tab.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400, modifiers=8)
    rows = state(tab)["rows"][0]
    assert rows["high"] - rows["low"] < 0.7 * (zoomed["rows"][0]["high"] - zoomed["rows"][0]["low"])
    tab.run("m4.map.show(1000, 1004)")
    for _ in range(5):
        tab.mouse("mouseWheel", x, y, deltaX=0, deltaY=-400)
    nearest = state(tab)["view"]
    assert nearest["stop"] - nearest["start"] == pytest.approx(1), "one call is as near as one gets"
    tab.press("0")
    assert state(tab)["view"] == {"start": 0, "stop": CALLS}


def test_dragging_moves_and_with_shift_zooms_to_the_box(show: Show) -> None:
    tab = show(panel_lives.many(CALLS))
    tab.run("m4.map.show(500, 600)")
    tab.run(DRAWN)
    x, y = tab.centre("#map-canvas")
    tab.drag((x, y), (x - 100, y))
    moved = state(tab)["view"]
    assert moved["start"] > 508 and moved["stop"] - moved["start"] == pytest.approx(100)
    tab.press("z")
    tab.drag((x - 100, y - 60), (x + 100, y + 60))
    boxed = state(tab)
    assert boxed["view"]["stop"] - boxed["view"]["start"] == pytest.approx(100 * 200 / wide(tab), rel=0.02)
    assert boxed["rows"][0]["low"] > 0
    tab.press("z")


def test_the_strip_above_moves_the_view(show: Show) -> None:
    tab = show(panel_lives.many(CALLS))
    x, y = tab.centre("#overview")
    tab.drag((x - 50, y), (x + 50, y))
    part = state(tab)["view"]
    assert part["stop"] - part["start"] == pytest.approx(CALLS * 100 / wide(tab), rel=0.02)
    tab.drag((x, y), (x + 60, y))
    assert state(tab)["view"]["start"] > part["start"] + 100


def test_dragging_the_time_axis_scrubs(show: Show) -> None:
    tab = show(panel_lives.many(CALLS))
    x, _ = tab.centre("#map-canvas")
    top = tab.run("document.getElementById('map-canvas').getBoundingClientRect().top")
    tab.drag((x, top + 10), (x + 40, top + 10))
    assert 900 < state(tab)["now"] < 1_250
    assert f"of {CALLS} events" in text(tab, "#now")


def test_two_fingers_stretch_time(show: Show) -> None:
    tab = show(panel_lives.many(CALLS))

    def touch(kind: str, *points: tuple[int, int]) -> None:
        fingers = [{"x": x, "y": y, "id": number} for number, (x, y) in enumerate(points)]
        tab.call("Input.dispatchTouchEvent", type=kind, touchPoints=fingers)

    touch("touchStart", (400, 400))
    touch("touchStart", (400, 400), (600, 400))
    for wider in (30, 60, 90):
        touch("touchMove", (400 - wider, 400), (600 + wider, 400))
    touch("touchEnd")
    seen = state(tab)
    assert 900 < seen["view"]["stop"] - seen["view"]["start"] < 1_200
    assert seen["rows"][0]["low"] == 0


def test_what_is_under_the_pointer_is_told(show: Show) -> None:
    tab = show(panel_lives.tagged_attack())
    tab.mouse("mouseMoved", *middle(tab, 1))
    told = text(tab, "#hover")
    assert "block #2" in told and "0x1000" in told and "tag 12" in told
    x, y = tab.run(
        "(() => { const box = document.getElementById('map-canvas').getBoundingClientRect();"
        "const {x, y} = m4.map.marks.place(m4.map.pane(0), m4.store.state.lives[0].marks[4]);"
        "return [box.left + x, box.top + y]; })()"
    )
    tab.mouse("mouseMoved", x, y)
    assert "tag 5 was drawn again: the check passes" in text(tab, "#hover")


def test_the_thread_of_a_block_is_told_whatever_its_number_is(show: Show) -> None:
    events = [panel_lives.event(Function.MALLOC, 0, 16, thread=40_000), panel_lives.event(Function.FREE, 1)]
    blocks = [panel_lives.block(0x1000, 16, 16, -1, 1, thread=-1), panel_lives.block(0x1020, 16, 16, 0, 2)]
    blocks[1] |= {"thread": 40_000, "freer": -1}
    events[0]["block"], events[1]["block"] = 1, 0
    tab = show(panel_lives.life("a late thread", events, blocks))
    for block, wanted in enumerate(("thread nobody", "thread thread 40000")):
        tab.mouse("mouseMoved", *tab.run(f"{MIDDLE.format(block=block, life=0)}"))
        assert wanted in text(tab, "#hover")


def test_text_on_every_colour_can_be_read(show: Show) -> None:
    worst = """(() => {
      const linear = (value) => (value <= 10 ? value / 3294 : ((value / 255 + 0.055) / 1.055) ** 2.4);
      const parts = [0.2126, 0.7152, 0.0722];
      const light = (colour) => parts.reduce((sum, part, at) => sum + part * linear(colour[at]), 0.05);
      const { on, role, scheme, NAMES } = m4.colours;
      const lives = m4.store.state.lives;
      const colours = Object.keys(NAMES).flatMap((name) => scheme(name, lives).classes.map(({ colour }) => colour));
      colours.push(...["bad", "warn", "accent", "ink", "muted"].map(role));
      const ratios = colours.map((one) => light(on(one)) / light(one)).map((ratio) => Math.max(ratio, 1 / ratio));
      return Math.min(...ratios);
    })()"""
    tab = show(panel_lives.tagged_attack())
    for theme in ("light", "dark"):
        tab.run(f"document.documentElement.dataset.theme = {theme!r}; m4.colours.forget()")
        assert tab.run(worst) >= 4.5, theme


def test_two_lives_share_one_clock(show: Show) -> None:
    timed = panel_lives.resized()
    late = replace(timed, title="late", events=replace(timed.events, time_ns=timed.events.time_ns * 2))
    tab = show(timed, late)
    assert tab.run("m4.map.x(4, 0) === m4.map.x(4, 1)")
    tab.run("m4.store.set({clock: 'time', view: m4.map.whole()})")
    tab.run(DRAWN)
    first, second = tab.run("[m4.map.x(4, 0), m4.map.x(4, 1)]")
    left = tab.run("m4.map.pane(0).left")
    assert (second - left) == pytest.approx(2 * (first - left), rel=0.01)
    round_trip = tab.run("[0.5, 1, 2.25, 4.75].map((event) => m4.map.event(m4.map.x(event, 1), 1))")
    assert round_trip == pytest.approx([0.5, 1, 2.25, 4.75], abs=1e-3)
    tab.press("l")
    tab.run(DRAWN)
    assert tab.run("m4.map.pane(1).left > m4.map.pane(0).right")
    tab.click(*middle(tab, 2, life=1))
    assert state(tab)["selected"] == {"life": 1, "block": 2}


def test_empty_heaps_and_heaps_of_one_call_are_drawn(show: Show) -> None:
    one = panel_lives.life("one", [panel_lives.event(Function.MALLOC, 0, 8)], [panel_lives.block(0x1000, 8, 16, 0, 1)])
    tab = show(one)
    assert state(tab)["view"] == {"start": 0, "stop": 1}
    for key in ("+", "-", "ArrowUp", "Home", " ", "n", "]"):
        tab.press(key)
    nothing = {name: getattr(one.blocks, name)[:0] for name in one.blocks.__slots__}
    tab = show(replace(one, blocks=type(one.blocks)(**nothing), events=replace(one.events, block=np.array([-1]))))
    assert text(tab, "#map-note") == "No block was handed out in this heap."
    silent = {name: getattr(one.events, name)[:0] for name in one.events.__slots__}
    tab = show(replace(one, blocks=type(one.blocks)(**nothing), events=type(one.events)(**silent), curves=()))
    assert text(tab, "#map-note") == "There is no event in this heap."


def test_a_small_window_scrolls_down_only(show: Show) -> None:
    tab = show(panel_lives.use_after_free(), width=420, height=640)
    assert tab.run("document.documentElement.scrollWidth") <= 420
    assert tab.run("m4.map.pane(0).right - m4.map.pane(0).left") > 150


def test_in_a_small_window_nothing_lies_over_the_panel(show: Show) -> None:
    """As at 200 % of a window of 1280 by 800."""
    tab = show(panel_lives.use_after_free(), panel_lives.use_after_free(), width=640, height=400)
    boxes = tab.run(
        "['curves', 'legend', 'panel'].map((id) => document.getElementById(id).getBoundingClientRect())"
        ".map(({top, bottom}) => [top, bottom])"
    )
    assert boxes[0][1] <= boxes[1][0] + 1 and boxes[1][1] <= boxes[2][0] + 1
    assert tab.run("document.documentElement.scrollWidth") <= 640


def test_notes_of_several_heaps_say_whose_they_are_and_are_said_once(show: Show) -> None:
    one, two = (replace(panel_lives.resized(), left_out=text) for text in ("Some.", "Other."))
    foot = text(show(one, two), "#foot")
    assert foot == "A: Some. B: Other."
    assert text(show(one, one), "#foot") == "Some."


def test_marks_of_one_call_that_lie_near_each_other_do_not_cover_each_other(show: Show) -> None:
    tab = show(panel_lives.use_after_free(), width=1280, height=500)
    spots = tab.run(
        "(() => { const {context} = m4.map.prepare(document.getElementById('map-canvas'));"
        "return m4.map.marks.draw(context, m4.map.panes[0]).map(({x, y}) => [x, y]); })()"
    )
    # The ring is round the shape of the finding that is looked at, not between two.
    ring = tab.run("(({x, y}) => [x, y])(m4.map.shape_of(m4.map.panes[0], m4.store.state.finding))")
    assert ring in spots
    pairs = [(one, other) for at, one in enumerate(spots) for other in spots[:at]]
    assert all(abs(one[0] - other[0]) >= 18 or abs(one[1] - other[1]) >= 18 for one, other in pairs)


def test_what_a_key_does_is_told_to_those_who_cannot_see_it(show: Show) -> None:
    tab = show(panel_lives.use_after_free(), hash="#v=0-11&n=0")
    tab.press(".")
    assert text(tab, "#status") == "after event 1: malloc 24 B → #1"
    tab.press(",")
    assert text(tab, "#status") == "before the first event"
    tab.press("End")
    assert text(tab, "#status") == "after event 11: free #2"
    tab.press("+")
    assert text(tab, "#status") == "events 3 to 9"
    tab.press("0")
    assert text(tab, "#status") == "events 1 to 11"
    tab.press("ArrowUp")
    assert text(tab, "#status") == "all addresses"
    tab.press("*")
    assert text(tab, "#status").startswith("addresses 0x10")
    # The counter, which moves all the time while the heap is played, is not read out by itself.
    assert tab.run("document.getElementById('now').getAttribute('aria-live')") == "off"
    unnamed = "[...document.querySelectorAll('button, select, [role]')].filter((one) => !one.textContent.trim()"
    unnamed += " && !one.ariaLabel && !one.labels?.length && one.role !== 'status').map((one) => one.outerHTML)"
    assert tab.run(unnamed) == []


def test_the_number_of_an_event_stands_over_its_own_room(show: Show) -> None:
    tab = show(panel_lives.use_after_free(), hash="#v=0-11&n=3")
    told = tab.run(
        """(() => {
          const said = {}, { prototype } = CanvasRenderingContext2D, { fillText } = prototype;
          prototype.fillText = function (text, x, y) { if (y < 20) said[text] = x; fillText.call(this, text, x, y); };
          m4.map.redraw();
          return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
            prototype.fillText = fillText;
            done([said, m4.map.x(0), m4.map.x(7), m4.map.x(8), m4.map.x(3)]);
          })));
        })()"""
    )
    said, first, left, right, flag = told
    assert said["8"] == pytest.approx((left + right) / 2, abs=1)
    assert said["1"] > first and "0" not in said
    assert abs(said["3"] - flag) < 12, "the flag of the moment says how many events have happened"


def test_a_number_that_would_lie_under_the_flag_is_left_out(show: Show) -> None:
    tab = show(panel_lives.many(CALLS), hash=f"#v=0-{CALLS}&n=1010")
    told = tab.run(
        """(() => {
          const said = [], { prototype } = CanvasRenderingContext2D, { fillText } = prototype;
          prototype.fillText = function (text, x, y) {
            if (y < 20) said.push([x, this.measureText(text).width, this.textAlign]);
            fillText.call(this, text, x, y);
          };
          m4.map.redraw();
          return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
            prototype.fillText = fillText;
            done(said);
          })));
        })()"""
    )
    left_of = {"center": 0.5, "right": 1}
    starts = [(x - width * left_of.get(align, 0), width) for x, width, align in told]
    spans = sorted((start, start + width) for start, width in starts)
    assert len(spans) > 4
    assert all(one[1] <= other[0] for one, other in pairwise(spans)), spans


def test_a_block_that_would_drown_all_others_is_shown_by_its_ends(show: Show) -> None:
    giant, small = 4 << 30, 48
    events = [panel_lives.event(Function.MALLOC, number, size) for number, size in enumerate((small, giant, small))]
    places = (0x1000, 0x7000_0000, 0x1030)
    blocks = [
        panel_lives.block(base, size, size, number, 3)
        for number, (base, size) in enumerate(zip(places, (small, giant, small), strict=True))
    ]
    tab = show(panel_lives.life("a giant", events, blocks))
    index = "m4.heap.index(m4.store.state.lives[0])"
    tall = tab.run(f"[...{index}.low].map((low, at) => ({index}.high[at] - low) * m4.map.down(m4.map.pane(0)).each)")
    assert min(tall) > 20 and max(tall) < 10 * min(tall)
    tab.click(*middle(tab, 1))
    assert state(tab)["selected"] == {"life": 0, "block": 1}, "in its middle, which is left out"
    assert tab.run(f"{index}.axis.address({index}.high[1] - 1)") == 0x7000_0000 + giant - 1 - 0x1000


def test_four_heaps_are_told_apart_by_what_differs_and_by_letters_and_colours(show: Show) -> None:
    lives = [replace(panel_lives.resized(), protection=name) for name in ("none", "mte", "adi", "morello")]
    tab = show(*lives, width=1280, height=800)
    tab.run("m4.store.set({tab: 'script', now: 3})")
    tab.run(DRAWN)
    headings = tab.run("[...document.querySelectorAll('#panel-body h3')].map((one) => one.textContent)")
    assert headings == ["A no protection", "B mte", "C adi", "D morello"]
    strokes = tab.run(
        "[...document.querySelectorAll('#curves-said > div')].map((one) => one.querySelector('line').style.stroke)"
    )
    assert len(set(strokes)) == 4
    letters = tab.run("[...new Set([...document.querySelectorAll('#curves .whose')].map((one) => one.textContent))]")
    assert sorted(letters) == ["A", "B", "C", "D"]
