"""The report as lines: every part, its width, and the answer at the end."""

from __future__ import annotations

from dataclasses import replace

from m4alloc.strategy import Strategy
from m4alloc.tune import text
from m4alloc.tune.report import DEFAULT, NOTHING, UNDECIDED, TuneReport
from spec.model.system import Verdict
from tests.m4alloc.tune.report_cases import GOOD, measured, report, tried


def told(**changes: object) -> str:
    return "\n".join(text.lines(report(**changes)))


def test_every_part_is_there_and_the_answer_comes_last() -> None:
    found = told()
    parts = ["policy", "search: 20 evaluations", "front of 1 candidate", "the knobs that matter", "held out"]
    assert [
        part for part in [*parts, "before and after", "GLIBC_TUNABLES", "something to know"] if part not in found
    ] == []
    assert found.splitlines()[-1].startswith("use it: LD_PRELOAD=/")
    assert found.splitlines()[-1].endswith("/out/libm4alloc-prog.so prog 'a b'")


def test_sentences_are_wrapped() -> None:
    assert max(map(len, told(notes=("a word " * 60,)).splitlines())) <= text.WIDTH + 5


def test_a_distance_says_today_the_optimum_and_the_ratio() -> None:
    found = text.distances(report())
    rows = [line.split() for line in found]
    assert ["classes", "20.0", "%", "10.0", "%", "2.00", "an", "optimum"] in rows
    assert ["footprint", "2.00", "MB", "1.00", "MB", "2.00", "a", "bound"] in rows


def test_the_least_of_seeds_is_there_only_when_there_are_seeds() -> None:
    one = report()
    assert "least of seeds" not in "\n".join(text.methods(one))
    several = replace(one, methods=tuple(replace(row, campaigns=3) for row in one.methods))
    assert "least of seeds" in text.methods(several)[1]
    assert "memory bound" in text.methods(one)[-1] and " 0.5" in text.methods(one)[-1]


def test_a_candidate_without_a_decision_is_not_called_refused() -> None:
    found = "\n".join(text.candidates(report(tried=(tried("time", GOOD, 0.8, 0.9, Verdict.EXHAUSTED),))))
    assert "not decided" in found and "refused" not in found
    found = "\n".join(text.candidates(report()))
    assert "front 2, refused:" in found and "class 16 is reused at once" in found
    assert "kept as a test: refused/test_it.py" in found


def test_without_a_library_the_strategy_is_used() -> None:
    assert text.recommendation(report(library="", files=("o/strategy.toml",)))[-1] == (
        "use it: m4alloc run --strategy o/strategy.toml -- prog 'a b'"
    )


def test_what_stays_is_named() -> None:
    def last(verdict: str, strategy: Strategy) -> str:
        return text.recommendation(report(verdict=verdict, why="because", strategy=strategy))[-1]

    assert last(DEFAULT, Strategy()) == "the default strategy stays: because"
    assert last(DEFAULT, Strategy.hardened()) == "the baseline stays: because"
    assert (last(NOTHING, Strategy()), last(UNDECIDED, Strategy())) == ("because", "undecided: because")


def test_an_interrupt_says_how_it_goes_on() -> None:
    assert "interrupted; it goes on with: m4alloc tune --resume x" in told(
        interrupted=True, resume="m4alloc tune --resume x"
    )


def test_runners_that_left_are_named_in_the_race() -> None:
    assert "left early, clearly worse than others: time" in text.race(report(race=measured(dropped=("time",))))


def test_an_empty_report_is_its_answer_alone() -> None:
    assert text.lines(TuneReport(name="x", course={}, why="nothing was found")) == ["undecided: nothing was found"]
