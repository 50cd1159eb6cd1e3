"""Proofs by every input, and that decided pairs are remembered."""

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.judge_proof import on_every_input, prove, with_needed_facts
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import Budget, Problem
from m4alloc.superopt.verdict import Outcome

SOURCE = parse_function("define i8 @f(i8 noundef %x) { %a = mul i8 %x, 2 ret i8 %a }")


def test_eight_bits_are_proved_by_running_every_input() -> None:
    verdict = on_every_input(
        Problem(SOURCE), parse_function("define i8 @f(i8 noundef %x) { %a = shl i8 %x, 1 ret i8 %a }")
    )
    assert verdict is not None and verdict.accepted and verdict.method == "exhaustive (256 inputs)"


def test_a_difference_names_an_input() -> None:
    verdict = on_every_input(
        Problem(SOURCE), parse_function("define i8 @f(i8 noundef %x) { %a = shl nuw i8 %x, 1 ret i8 %a }")
    )
    assert verdict is not None and verdict.outcome is Outcome.COUNTEREXAMPLE and verdict.counterexample is not None
    assert verdict.counterexample.target == "poison"


def test_facts_leave_inputs_out() -> None:
    target = parse_function("define i8 @f(i8 noundef %x) { %a = shl nuw i8 %x, 1 ret i8 %a }")
    verdict = on_every_input(Problem(SOURCE, (Fact("x < 128"),)), target)
    assert verdict is not None and verdict.accepted and verdict.assumptions == (Fact("x < 128"),)


def test_an_argument_that_may_be_undef_is_left_to_smt() -> None:
    source = parse_function("define i8 @f(i8 %x) { %a = mul i8 %x, 2 ret i8 %a }")
    assert on_every_input(Problem(source), source) is None


def test_wide_arguments_are_left_to_smt() -> None:
    source = parse_function("define i32 @f(i32 noundef %x) { ret i32 %x }")
    assert on_every_input(Problem(source), source) is None


def test_undef_in_a_function_is_left_to_smt() -> None:
    target = parse_function("define i8 @f(i8 noundef %x) { ret i8 undef }")
    assert on_every_input(Problem(SOURCE), target) is None


def test_a_proof_by_smt_is_remembered() -> None:
    source = parse_function("define i32 @f(i32 noundef %x) { %a = mul i32 %x, 2 ret i32 %a }")
    target = parse_function("define i32 @f(i32 noundef %x) { %a = shl i32 %x, 1 ret i32 %a }")
    assert prove(Problem(source), target, 5.0) is prove(Problem(source), target, 5.0)


def test_facts_by_other_names_are_another_problem() -> None:
    target = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { ret i32 %x }")
    source = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { %a = urem i32 %x, 16 ret i32 %a }")
    swapped = parse_function("define i32 @f(i32 noundef %y, i32 noundef %x) { %a = urem i32 %y, 16 ret i32 %a }")
    facts = (Fact("x < 16"),)
    assert prove(Problem(source, facts), target, 5.0).accepted
    assert not prove(Problem(swapped, facts), target, 5.0).accepted


WIDE = parse_function(
    "define i32 @f(i32 noundef %x, i32 noundef %y) { %a = urem i32 %x, 16 %b = add i32 %a, %y ret i32 %b }"
)
SUM = parse_function("define i32 @f(i32 noundef %x, i32 noundef %y) { %b = add i32 %x, %y ret i32 %b }")
MASKED = parse_function(
    "define i32 @f(i32 noundef %x, i32 noundef %y) { %a = and i32 %x, 15 %b = add i32 %a, %y ret i32 %b }"
)


@pytest.mark.parametrize(("target", "needed"), [(SUM, ("x < 16",)), (MASKED, ())])
def test_a_verdict_assumes_the_facts_that_it_needs_and_no_more(target: Function, needed: tuple[str, ...]) -> None:
    problem = Problem(WIDE, (Fact("y < 4096"), Fact("x < 16"), Fact("x <= y")))
    verdict = with_needed_facts(problem, target, prove(problem, target, 5.0), 5.0)
    assert verdict.accepted and verdict.assumptions == tuple(map(Fact, needed))


def test_the_judge_tells_of_no_fact_that_its_best_does_not_need() -> None:
    found = TheJudge(Problem(WIDE, (Fact("y < 4096"), Fact("x < 16"))), Budget(20.0)).offer(SUM, "test")
    assert found is not None and found.verdict.assumptions == (Fact("x < 16"),)
