"""What notebooks show: every value that has a picture, well-formed, small, and true."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

import m4alloc
from capability.cheri.capability import Capability
from capability.mte.picture import TagMap
from m4alloc.arena import Arena, Stats
from m4alloc.check.attack_report import AttackReport
from m4alloc.check.check_report import CheckReport
from m4alloc.check.search import Counterexample
from m4alloc.check.verify_report import VerifyReport
from m4alloc.grade.report import GradeReport
from m4alloc.ltl_report import LogicReport
from m4alloc.model.report import ModelReport
from m4alloc.strategy import Strategy
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write
from m4alloc.tune.report import TuneReport
from m4alloc.view.explorer.run import ViewReport
from m4alloc.view.notebook_report import Explorer
from spec.attack import Verdict as AttackVerdict
from spec.attacks.story import Story
from spec.event import Event, Function
from spec.heap import Heap
from spec.listing import History
from spec.ltl.automaton import Automaton
from spec.ltl.emptiness import Lasso
from spec.ltl.monitor import Monitor
from spec.ltl.word import Word
from spec.model.system import Path as Run
from spec.model.system import Result, Step, Verdict
from spec.property_verdict import PropertyVerdict
from spec.script_run import Outcome
from spec.statement import Script

LARGEST = 50_000
"""Characters of one picture; heaps and traces of many blocks may have more."""


def _parsed(shown: str) -> ElementTree.Element:
    return ElementTree.fromstring(f"<div>{shown}</div>")


@pytest.mark.parametrize(
    "kind",
    [
        *(Arena, Stats, Heap, Trace, Capability, TagMap, Lasso, Word, Verdict, AttackVerdict, Story, PropertyVerdict),
        *(Automaton, Monitor, Strategy, Run, Result, Script, Outcome, History, ModelReport, ViewReport, Counterexample),
        *(CheckReport, GradeReport, TuneReport, VerifyReport, AttackReport, LogicReport),
    ],
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


def test_a_model_shows_each_answer_and_the_run_that_violates() -> None:
    report = m4alloc.model("peterson")
    shown = report._repr_html_()
    _parsed(shown)
    assert shown.count(">HOLDS<") == 2
    assert shown.count(">VIOLATED<") == 1
    assert "[](waiting0 -&gt; &lt;&gt;critical0)" in shown
    assert "the run that shows it" in shown
    assert repr(report) == "<ModelReport of peterson: deadlock HOLDS, exclusive HOLDS, enters VIOLATED>"
    assert "enters" in report.answer("enters")._repr_html_()


def test_a_view_shows_the_map_the_findings_and_where_the_page_is(tmp_path: Path) -> None:
    script = "tests/scripts/misuse/double-free.heap"
    report = m4alloc.view(script, output=tmp_path / "heap.html")
    shown = report._repr_html_()
    said = "".join(_parsed(shown).itertext())
    assert "3misusedouble-freerealloc(0x1000, 48) at event 3" in said  # counted from 1, as the page does
    assert f'href="{tmp_path}/heap.html"' in shown
    assert repr(report) == f"<ViewReport of double-free.heap in {tmp_path}/heap.html>"
    frame = _parsed(Explorer(report, 300)._repr_html_())[0]
    assert frame.attrib["srcdoc"].split() == (tmp_path / "heap.html").read_text("utf-8").split()
    assert "height:300px" in frame.attrib["style"]
    odd = m4alloc.view(script, output=tmp_path / "a#b?.html")
    assert f'href="{tmp_path}/a%23b%3F.html"' in odd._repr_html_()
    with pytest.raises(ValueError, match="no page was written"):
        Explorer(m4alloc.view(script, output=None))


def test_a_counterexample_shows_rule_script_and_heap() -> None:
    from m4alloc.check import adapter
    from m4alloc.check.judgement import Terms
    from m4alloc.check.search import find_history

    class Same:
        """Every block lies at one address."""

        def malloc(self, size: int) -> int:
            return 4096

        def free(self, address: int) -> None:
            pass

    found = find_history(adapter.from_object(Same), 5, terms=Terms("c17"))
    assert found is not None
    shown = found._repr_html_()
    _parsed(shown)
    assert found.broken.rule.name in shown
    assert "<b>! violates" in shown
    assert "<svg" in shown


def test_reports_are_what_the_command_prints_under_the_verdict() -> None:
    shown = m4alloc.ltl.sat("[]p")._repr_html_()
    assert "satisfiable, by cycle{p}" in shown
    assert "<svg" in m4alloc.ltl.monitor("<>p")._repr_html_()
    assert "tag-guess" in m4alloc.attack(attack="tag-guess")._repr_html_()
