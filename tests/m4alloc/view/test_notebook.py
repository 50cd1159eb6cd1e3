"""What notebooks show: every value that has a picture, well-formed, small, and true."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

import m4alloc
from capability.cheri.capability import Capability
from m4alloc.arena import Arena
from m4alloc.strategy import Strategy
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write
from spec.attack import Verdict as AttackVerdict
from spec.event import Event, Function
from spec.heap import Heap
from spec.ltl.automaton import Automaton
from spec.ltl.emptiness import Lasso
from spec.model.system import Path as Run
from spec.model.system import Result, Step, Verdict
from spec.property_verdict import PropertyVerdict

LARGEST = 50_000
"""Characters of one picture; heaps and traces of many blocks may have more."""


def _parsed(shown: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{shown}</div>")


@pytest.mark.parametrize(
    "kind",
    [Arena, Heap, Trace, Capability, Lasso, Verdict, AttackVerdict, PropertyVerdict, Automaton, Strategy, Run, Result],
)
def test_every_value_that_people_look_at_has_a_picture(kind: type) -> None:
    assert callable(kind._repr_html_)  # type: ignore[attr-defined]


def test_an_arena_says_how_its_slots_are_divided() -> None:
    with Arena(1 << 20) as arena:
        blocks = [arena.malloc(24) for _ in range(10)]
        arena.free(blocks.pop())
        shown = arena._repr_html_()
        _parsed(shown)
        assert "9 live blocks" in shown
        assert "9 live, " in shown
        assert len(shown) < LARGEST
    assert "closed" in arena._repr_html_()


def test_a_strategy_shows_what_differs_from_the_default_first() -> None:
    shown = Strategy(delay_line=64)._repr_html_()
    _parsed(shown)
    assert shown.index("1 knob unlike the default") < shown.index("delay_line") < shown.index("all knobs")
    assert "the default strategy" in m4alloc.Strategy()._repr_html_()


def test_a_trace_shows_its_figures_and_its_map(tmp_path: Path) -> None:
    events = [Event(Function.MALLOC, size=24, result=0x1000 + 32 * n, begin=2 * n + 1, end=2 * n + 2) for n in range(9)]
    write(tmp_path / "a<b.m4t", events)
    shown = Trace.open(tmp_path / "a<b.m4t")._repr_html_()
    assert "9 blocks" in "".join(_parsed(shown).itertext())
    assert "a&lt;b.m4t" in shown
    assert len(shown) < LARGEST


def test_a_trace_without_numbers_and_one_without_calls_are_shown_too(tmp_path: Path) -> None:
    write(tmp_path / "none.m4t", [])
    _parsed(Trace.open(tmp_path / "none.m4t")._repr_html_())
    write(tmp_path / "plain.m4t", [Event(Function.MALLOC, size=24, result=0x1000)])
    assert "1 block" in Trace.open(tmp_path / "plain.m4t")._repr_html_()


def test_a_result_shows_the_run_that_violates() -> None:
    run = Run(("idle", "busy"), (Step(0, "lock"), Step(0, "spin")), 1)
    shown = Result(Verdict.VIOLATED, "freed-eventually", run, 2, 2, 1)._repr_html_()
    _parsed(shown)
    assert all(word in shown for word in ("VIOLATED", "freed-eventually", "busy", "1 for ever"))
    assert ">HOLDS<" in Verdict.HOLDS._repr_html_()
