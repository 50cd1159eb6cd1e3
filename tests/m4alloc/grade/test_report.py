"""The formula of a grade, and where lost points are said to have gone."""

from __future__ import annotations

import pytest

from m4alloc.grade.report import Fault, GradeReport, Measured, TraceGrade
from m4alloc.grade.text import HINTS, lines
from spec.contract import EXPECTATIONS, RULES


def of(measured: Measured | None = None, fault: Fault | None = None, weight: float = 0.6) -> TraceGrade:
    """A trace's grade."""
    return TraceGrade("t", 10, weight, measured, fault)


FULL = Measured(peak_live=100, footprint=100, usable=100, seconds=1.0, reference_seconds=2.0)
HALF = Measured(peak_live=50, footprint=100, usable=80, seconds=2.0, reference_seconds=1.0)


def test_what_wastes_nothing_and_is_as_fast_as_the_reference_gets_all_points() -> None:
    assert of(FULL).points == 100
    assert sum(of(FULL).lost.values()) == 0


def test_being_faster_than_the_reference_brings_no_more() -> None:
    assert of(FULL, weight=0.0).points == 100


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.6, 1.0])
def test_points_and_lost_points_are_a_hundred(weight: float) -> None:
    grade = of(HALF, weight=weight)
    assert grade.points == pytest.approx(50)
    assert grade.points + sum(grade.lost.values()) == pytest.approx(100)
    assert grade.lost["internal"] == pytest.approx(100 * weight * 0.3)


def test_a_fault_takes_all_points_of_its_trace() -> None:
    grade = of(FULL, Fault("it broke"))
    assert grade.points == 0 and grade.lost == {"wrong": 100.0}


def test_without_usable_size_fragmentation_is_not_told_apart() -> None:
    grade = of(Measured(50, 100, None, 1.0, 1.0))
    assert set(grade.lost) == {"memory", "slow"} and grade.lost["memory"] == pytest.approx(30)


def test_a_footprint_smaller_than_what_lives_is_no_more_than_full() -> None:
    assert Measured(200, 100, None, 1.0, 1.0).utilisation == 1


def test_the_total_is_the_mean_and_one_fault_is_a_violation() -> None:
    report = GradeReport("a.so", "library", "the system's malloc", 0.6, (of(FULL), of(None, Fault("x"))))
    assert report.total == 50 and report.verdict.value == "VIOLATED" and report.exit_status == 1
    assert GradeReport("a.so", "library", "", 0.6, (of(FULL),)).exit_status == 0


def test_the_text_says_the_formula_and_what_cost_most() -> None:
    text = "\n".join(lines(GradeReport("a.so", "library", "the system's malloc", 0.25, (of(HALF, weight=0.25),))))
    assert "mean of 100 * (0.25 * utilisation + 0.75 * min(1, speed)); speed 1 is the system's malloc" in text
    assert "lost  37.5  it is slower than the reference" in text and "verdict  HOLDS on 1 trace" in text


@pytest.mark.parametrize(("kind", "who"), [("library", "`m4alloc check ./a.so` looks"), ("python", "AllocatorMachine")])
def test_what_is_right_on_all_traces_is_told_who_asks_more(kind: str, who: str) -> None:
    def told(*rows: TraceGrade) -> list[str]:
        return [line for line in lines(GradeReport("./a.so", kind, "", 0.6, rows)) if line.startswith("  next")]

    (line,) = told(of(FULL))
    assert who in line
    assert told(of(FULL), of(fault=Fault("x"))) == []


def test_the_report_as_data_has_every_number_and_the_whole_fault() -> None:
    measured = of(HALF).to_json()["measured"]
    assert measured["peak_live"] == 50 and measured["speed"] == 0.5 and measured["internal"] == pytest.approx(0.3)
    assert of(fault=Fault("x", "r", file="f")).to_json()["fault"]["file"] == "f"


def test_hints_are_about_rules_that_there_are() -> None:
    assert set(HINTS) <= {*RULES, *EXPECTATIONS}


def test_a_fault_is_told_with_a_hint_and_ends_with_what_replays_it() -> None:
    fault = Fault("calloc(1, 9) ...", "calloc-zeroes", "POSIX", "a = calloc 1 9\n", 1, "f.heap", "m4alloc check ...")
    text = lines(GradeReport("a.so", "library", "", 0.6, (of(fault=fault),)))
    start = text.index("t: calloc(1, 9) ...")
    assert [line.split()[0] for line in text[start + 1 : start + 6]] == ["rule", "hint", "smallest", "replay", "file"]


def test_an_interrupted_grade_says_so() -> None:
    report = GradeReport("a.so", "library", "", 0.6, (), ("interrupted: 9 traces left out",), True)
    assert report.exit_status == 130 and report.verdict.value == "UNDECIDED"
    assert "  note        interrupted: 9 traces left out" in lines(report)


def test_traces_that_show_the_same_fault_share_its_lines() -> None:
    same, other = Fault("x", "calloc-zeroes", script="a = calloc 1 9\n"), Fault("killed")
    rows = [TraceGrade(name, 1, 0.6, fault=fault) for name, fault in (("a", same), ("b", other), ("c", same))]
    text = lines(GradeReport("a.so", "library", "", 0.6, tuple(rows)))
    assert "a, c: x" in text and "b: killed" in text
