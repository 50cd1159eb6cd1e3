"""Rounds of the random search ask only for what they may, and are the same for the same draw."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m4alloc.check.draw import drawn
from m4alloc.check.edges import IMPOSSIBLE
from m4alloc.check.instruction import Planner
from m4alloc.check.judgement import Terms
from m4alloc.check.operation import Aim, Directive, Operation
from m4alloc.check.round import SECTION, Round, asks
from m4alloc.check.rounds import rounds
from spec.event import Function

EVERY = frozenset(Function) - {Function.LOAD, Function.STORE, Function.FILL, Function.LABEL}
FEW = frozenset({Function.MALLOC, Function.FREE})
LIMIT = 1 << 16
few_seconds = settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))


def directives(plan: list[Operation]) -> list[Directive]:
    """The directives of a plan."""
    return [Directive(operation.count) for operation in plan if operation.function is Function.LABEL]


@given(rounds(EVERY, limit=LIMIT, length=300))
@few_seconds
def test_a_plan_is_the_same_for_the_same_round(one: Round) -> None:
    assert one.plan(EVERY) == one.plan(EVERY)


@given(st.data(), st.booleans())
@few_seconds
def test_a_plan_asks_only_for_what_there_is_and_is_allowed(data: st.DataObject, misuse: bool) -> None:
    functions = data.draw(st.sampled_from([EVERY, FEW]))
    one = data.draw(rounds(functions, misuse=misuse, limit=LIMIT, length=300))
    plan = one.plan(functions)
    assert {step.function for step in plan} <= functions | {Function.LABEL, Function.LOAD, Function.FILL}
    assert misuse or not any(step.misuse for step in plan)
    assert all(0 <= step.thread < one.threads for step in plan)
    for step in plan:
        if step.function is Function.REALLOC and step.aim is Aim.LIVE:
            assert step.size > 0
        if step.function is not Function.LABEL:
            assert step.size <= LIMIT or (one.impossible and step.size in IMPOSSIBLE)
    assert len(Planner().plan(plan)) <= len(plan)


@given(rounds(EVERY, limit=LIMIT, length=300))
@few_seconds
def test_what_happens_at_once_is_closed_and_bounded(one: Round) -> None:
    plan = one.plan(EVERY)
    told = directives(plan)
    sections = [which for which in told if which in (Directive.PARALLEL, Directive.JOIN)]
    assert sections == [Directive.PARALLEL, Directive.JOIN] * (len(one.phases) if one.parallel else 0)
    assert told.count(Directive.LIMIT_MEMORY) == (one.memory > 0 and len(one.phases) > 1)
    assert not one.parallel or Directive.THREAD_END not in told
    assert asks(plan) <= sum(length for length, _ in one.phases) and (not one.parallel or asks(plan) <= 4 * SECTION)


@given(rounds(EVERY, limit=LIMIT, length=300))
@few_seconds
def test_realloc_to_nothing_is_asked_only_where_it_is_defined(one: Round) -> None:
    allowed, usual = (one.plan(EVERY, realloc_zero=zero) for zero in (True, False))
    assert [step for step in allowed if step.function is not Function.REALLOC or step.size or step.aim is Aim.NULL] == [
        step for step in usual if step.function is not Function.REALLOC or step.size or step.aim is Aim.NULL
    ] or one.parallel


def test_a_batch_is_the_same_for_the_same_seed_and_no_other() -> None:
    terms = Terms()
    first = drawn(EVERY, terms, 3, 0, 16)
    assert first == drawn(EVERY, terms, 3, 0, 16) and 10 <= len(first) <= 16
    assert first != drawn(EVERY, terms, 3, 1, 16) and first != drawn(EVERY, terms, 4, 0, 16)
    assert not any(one.misuse for one in first)


def test_the_first_batches_are_of_small_rounds() -> None:
    small, large = (drawn(FEW, Terms(), 3, batch, 16) for batch in (0, 9))
    assert max(length for one in small for length, _ in one.phases) <= 200
    assert max(length for one in large for length, _ in one.phases) > 200


def test_every_feature_is_drawn_sooner_or_later() -> None:
    many = [one for batch in range(12) for one in drawn(EVERY, Terms(catches_misuse=True), 0, batch, 16)]
    for feature in ("resizing", "sized", "measuring", "impossible", "misuse", "parallel", "ends"):
        assert {bool(getattr(one, feature)) for one in many} == {True, False}, feature
    assert {one.fork for one in many} == {None, Directive.FORK_CHILD, Directive.FORK_PARENT}
    assert {one.memory > 0 for one in many} == {True, False} and {one.threads for one in many} == {1, 2, 3, 4}
