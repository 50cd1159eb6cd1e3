"""Idioms as a search."""

from __future__ import annotations

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_search import Idioms
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.problem import Budget, Problem
from tests.m4alloc.superopt import idioms_cases


def test_a_loop_is_replaced_with_its_proof_and_the_name_of_the_idiom() -> None:
    judge = TheJudge(Problem(idioms_cases.function("count_index")), Budget(30.0))
    Idioms().run(judge, 0)
    assert judge.best.method == "idioms" and judge.best.verdict.accepted
    assert judge.best.cost.ir == 2
    (step,) = judge.best.steps
    assert step.rule == "bits in a loop" and step.proof is judge.best.verdict


def test_the_facts_of_the_problem_are_used() -> None:
    problem = Problem(idioms_cases.function("of_sixteen"), (Fact("1 <= n <= 80"),))
    judge = TheJudge(problem, Budget(30.0))
    Idioms().run(judge, 0)
    assert judge.best.cost.ir == 3 and judge.best.verdict.assumptions == problem.facts


def test_a_function_that_is_no_idiom_stays_as_it_is() -> None:
    judge = TheJudge(Problem(idioms_cases.function("slot")), Budget(30.0))
    Idioms().run(judge, 0)
    assert judge.best.method == "source"
