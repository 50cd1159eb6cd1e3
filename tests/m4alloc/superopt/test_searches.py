"""Tests of the searches that share a judge: each finds what it can, repeats itself by its seed, keeps its budget."""

from __future__ import annotations

import pytest

from m4alloc.superopt.agent import Agent
from m4alloc.superopt.agent_search import WEIGHTS, Policy, shipped
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.mcmc import Mcmc
from m4alloc.superopt.mcts import Mcts
from m4alloc.superopt.moves import key
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import Problem, Search
from m4alloc.superopt.random_search import RandomSearch
from tests.m4alloc.superopt.rewriting_cases import ALREADY, FEW, LOWEST, PARTS, judge, problem

SEARCHES = [RandomSearch(rewriting=FEW), Mcts(rewriting=FEW), Policy(rewriting=FEW), Mcmc()]
BY_RULES = SEARCHES[:3]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda one: str(one.name))
def test_it_finds_what_is_cheaper_and_proved(search: Search) -> None:
    asked = judge(PARTS, 2000 if search.name == "mcmc" else 300)
    search.run(asked, 1)
    assert asked.best.cost.ir == 1 and asked.best.method == search.name
    assert refines(asked.problem.source, asked.best.function).accepted


@pytest.mark.parametrize("search", BY_RULES, ids=lambda one: str(one.name))
def test_it_finds_what_is_behind_a_function_that_is_as_dear(search: Search) -> None:
    asked = judge(LOWEST, 300)
    search.run(asked, 1)
    assert asked.best.cost.ir == 2


@pytest.mark.parametrize("search", BY_RULES, ids=lambda one: str(one.name))
def test_every_step_of_a_way_by_rules_is_a_refinement_of_the_one_before(search: Search) -> None:
    asked = judge(LOWEST, 300)
    search.run(asked, 1)
    before = asked.problem.source
    assert asked.best.steps
    for step in asked.best.steps:
        assert refines(before, step.result).accepted
        before = step.result
    assert key(before) == key(asked.best.function)


@pytest.mark.parametrize("search", SEARCHES, ids=lambda one: str(one.name))
def test_the_same_seed_finds_the_same_with_the_same_proposals(search: Search) -> None:
    told = []
    for _ in range(2):
        asked = judge(LOWEST, 120)
        search.run(asked, 3)
        told.append((asked.best.function, asked.best.steps, asked.budget.used, asked.tally))
    assert told[0] == told[1]


@pytest.mark.parametrize("search", SEARCHES, ids=lambda one: str(one.name))
def test_it_keeps_its_budget(search: Search) -> None:
    asked = judge(LOWEST, 25)
    search.run(asked, 0)
    assert asked.budget.used <= 25 + 1
    spent = judge(LOWEST, 10_000, seconds=0.0)
    search.run(spent, 0)
    assert spent.budget.used <= 3


@pytest.mark.parametrize("search", BY_RULES, ids=lambda one: str(one.name))
def test_it_ends_by_itself_where_nothing_is_left_to_propose(search: Search) -> None:
    asked = judge(ALREADY, 1_000_000, seconds=60.0)
    if isinstance(search, RandomSearch):
        search = RandomSearch(mutations=0.0, rewriting=FEW)
    search.run(asked, 0)
    assert asked.budget.left > 40.0 and asked.best.cost.ir == 1


def test_a_search_begins_at_what_seeds_the_problem() -> None:
    best = parse_function("define i8 @parts(i8 noundef %x, i8 noundef %y) { %r = add i8 %x, %y ret i8 %r }")
    for search in (RandomSearch(rewriting=FEW), Mcts(rewriting=FEW), Policy(rewriting=FEW)):
        asked = judge(PARTS, 10)
        asked.problem = Problem(asked.problem.source, seeds=(best,))
        search.run(asked, 0)
        assert asked.best.cost.ir == 1 and asked.best.steps[0].rule in ("seed 0", "or and and")


def test_the_policy_without_weights_of_its_own_takes_the_shipped_ones() -> None:
    assert shipped() is shipped()
    assert problem(PARTS).objective == "ir"


def test_the_shipped_weights_are_for_what_the_policy_is_told_now() -> None:
    assert WEIGHTS.stat().st_size < 200 * 1024
    assert len(Agent.load(WEIGHTS).trained) > 20
