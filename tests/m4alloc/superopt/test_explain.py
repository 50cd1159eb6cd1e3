"""Every step of a rewrite is checked alone."""

from __future__ import annotations

from m4alloc.superopt.explain import explained
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import Step
from m4alloc.superopt.verdict import Outcome, Verdict


def function(body: str) -> Function:
    return parse_function(f"define i8 @f(i8 noundef %x) {{ {body} }}")


SOURCE = function("%a = add i8 %x, %x ret i8 %a")
SHIFT = Step("double", "%a", function("%a = shl i8 %x, 1 ret i8 %a"))
WRONG = Step("mutation", "%a", function("%a = shl i8 %x, 2 ret i8 %a"))


def outcomes(*steps: Step, facts: tuple[Fact, ...] = ()) -> list[Outcome]:
    return [step.proof.outcome for step in explained(SOURCE, steps, facts) if step.proof is not None]


def test_each_step_is_held_against_the_one_before() -> None:
    assert outcomes(SHIFT, WRONG, SHIFT) == [Outcome.REFINES, Outcome.COUNTEREXAMPLE, Outcome.COUNTEREXAMPLE]


def test_a_step_may_need_the_facts() -> None:
    assert outcomes(WRONG, facts=(Fact("x == 0"),)) == [Outcome.REFINES]


def test_a_step_that_has_a_proof_keeps_it() -> None:
    proof = Verdict(Outcome.REFINES, "induction")
    (step,) = explained(SOURCE, [Step("idiom", "all", SHIFT.result, proof)])
    assert step.proof is proof


def test_what_there_is_no_time_for_is_not_checked() -> None:
    assert explained(SOURCE, [SHIFT], most=0.0)[0].proof is None
