"""A finite violation counts under fairness and assumptions when it can go on fairly and as assumed."""

from __future__ import annotations

from m4alloc.model.check import GOES_ON, model
from m4alloc.model.continuation import continued
from spec.ltl.evaluate import holds
from spec.ltl.formula import FALSE
from spec.ltl.parser import parse
from spec.model.catalogue import program
from spec.model.counterexample import replay
from spec.model.execution import Execution
from spec.model.fairness import is_fair
from spec.model.search import check
from spec.model.system import Verdict


def test_the_continuation_is_a_fair_run_of_the_program_that_violates_the_formula() -> None:
    unlocked = program("free_list", {"LOCKED": 0})
    system = Execution(unlocked)
    formula = {one.name: one.formula for one in unlocked.properties}["handed_out_once"]
    assumed = [one.formula for one in unlocked.assumptions]
    begin = check(system, formula, fairness=False).counterexample
    assert begin is not None and begin.back is None
    run = continued(system, begin, formula, assumed, (0, 1), states=None, seconds=None)
    assert run is not None and run.back is not None
    assert run.states[: len(begin.states)] == begin.states
    replay(system, run)
    assert is_fair(system, run, (0, 1)) and all(holds(one, run.word(system)) for one in assumed)


def test_there_is_none_where_the_assumption_excludes_the_beginning() -> None:
    unlocked = program("free_list", {"LOCKED": 0})
    system = Execution(unlocked)
    formula = parse("[]!malloc")
    begin = check(system, formula, fairness=False).counterexample
    assert begin is not None
    assert continued(system, begin, formula, [parse("[]!malloc")], (), states=None, seconds=None) is None
    assert continued(system, begin, formula, [], (0, 1), states=2, seconds=None) is None


def test_the_report_shows_the_finite_run_and_says_that_it_goes_on() -> None:
    answer = model("free_list", constants={"LOCKED": 0}, properties=["handed_out_once"], engine="own").answers[0]
    assert answer.verdict is answer.alone is Verdict.VIOLATED
    assert answer.note == GOES_ON and answer.path is not None and answer.path.back is None
    assert answer.path.steps[-1].text.startswith("label mem_allocate_end")


def test_a_violation_that_the_assumptions_exclude_is_looked_for_again() -> None:
    # FALSE is violated by every beginning; under an assumption that no run meets, by none.
    system = Execution(program("peterson"))
    begin = check(system, FALSE).counterexample
    assert begin is not None
    assert continued(system, begin, FALSE, [parse("critical0")], (), states=None, seconds=None) is None


def test_where_nothing_is_assumed_a_finite_violation_goes_on_fairly() -> None:
    answer = model("mte_retag", properties=["stale_access_caught"], engine="own").answers[0]
    assert answer.verdict is Verdict.VIOLATED and answer.note == GOES_ON
    assert answer.under == ("weak fairness of client",)
