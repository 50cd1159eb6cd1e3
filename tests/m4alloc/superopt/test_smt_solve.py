"""Choices of the source against choices of the target: who may depend on whom."""

from __future__ import annotations

import z3

from m4alloc.superopt.smt_clock import Answer, Clock
from m4alloc.superopt.smt_solve import Question, decide
from m4alloc.superopt.smt_values import Choices

INPUT = z3.BitVec("input", 8)


def sides() -> tuple[Choices, Choices]:
    """Both functions' choices."""
    return Choices("s!"), Choices("t!")


def answer(bad: z3.BoolRef, source: Choices, target: Choices, *observed: str) -> Answer:
    """The decision."""
    return decide(Question(bad, source, target, frozenset(observed)), Clock(10.0))


def test_a_choice_of_the_source_may_equal_the_targets() -> None:
    source, target = sides()
    s, t = source.fresh(8, "undef")[1], target.fresh(8, "undef")[1]
    assert answer(s != t, source, target).proved


def test_a_choice_of_the_source_may_depend_on_the_input() -> None:
    source, target = sides()
    s = source.fresh(8, "undef")[1]
    assert answer(s + 7 != INPUT, source, target).proved


def test_a_choice_of_the_target_is_not_the_sources_to_make() -> None:
    source, target = sides()
    t = target.fresh(8, "undef")[1]
    assert answer(t != INPUT, source, target).model is not None


def test_no_choice_explains_an_odd_number_as_a_double() -> None:
    source, target = sides()
    s, t = source.fresh(8, "undef")[1], target.fresh(8, "undef")[1]
    assert answer(s + s != t, source, target).model is not None
    assert answer(s != t + t, source, target).proved


def test_a_freeze_cannot_foresee_how_an_undef_result_is_looked_at() -> None:
    source, target = sides()
    s = source.fresh(8, "freeze")[1]
    name, t = target.fresh(8, "undef")
    assert answer(s != t, source, target, name).model is not None


def test_an_undef_result_of_the_source_may_follow_each_look() -> None:
    source, target = sides()
    ours, s = source.fresh(8, "undef")
    theirs, t = target.fresh(8, "undef")
    assert answer(s != t, source, target, ours, theirs).proved


def test_a_condition_that_is_plainly_false_needs_no_query() -> None:
    source, target = sides()
    clock = Clock(10.0)
    assert decide(Question(INPUT != INPUT, source, target), clock).proved
    assert clock.queries == 0


def test_a_budget_that_is_spent_is_said_to_be() -> None:
    source, target = sides()
    found = decide(Question(INPUT * INPUT != INPUT, source, target), Clock(0.0))
    assert (found.proved, found.model) == (False, None)
