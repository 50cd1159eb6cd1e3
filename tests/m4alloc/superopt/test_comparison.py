"""Tests of m4alloc.superopt.comparison: every search gets the same budget, and its course is what is compared."""

from __future__ import annotations

import time

import pytest

from m4alloc.superopt.comparison import PATIENCE, CpuBudget, Race, cells, courses, cut, race, races, rows_of
from m4alloc.superopt.mcts import Mcts
from m4alloc.superopt.problem import Budget, Judge
from m4alloc.superopt.random_search import RandomSearch
from tests.m4alloc.superopt.rewriting_cases import ALREADY, FEW, LOWEST, PARTS, problem

GOOD = Race("good", "f", 0, 4.0, 1.0, 10, 0.2, 20, 0.4, ((4, 0.1, 2.0), (10, 0.2, 1.0)))
POOR = Race("poor", "f", 0, 4.0, 4.0, 0, 0.0, 20, 0.4)


def test_a_race_tells_when_each_better_one_was_found() -> None:
    found = race(problem(PARTS), Mcts(rewriting=FEW), Budget(seconds=10.0, proposals=100), 0, "parts")
    assert (found.base, found.cost, found.ratio) == (3.0, 1.0, pytest.approx(1 / 3))
    assert found.course[-1][2] == 1.0 and 0 < found.proposals <= found.used <= 100
    assert 0.0 < found.seconds <= found.took


def test_where_nothing_is_cheaper_the_ratio_is_one() -> None:
    found = race(problem(ALREADY), Mcts(rewriting=FEW), Budget(seconds=5.0, proposals=20), 0)
    assert found.ratio == 1.0 and found.course == () and found.proposals == 0


def test_a_race_that_is_cut_stands_where_it_stood_then() -> None:
    assert (cut(GOOD, proposals=5).cost, cut(GOOD, seconds=0.15).cost, cut(GOOD, proposals=3).cost) == (2.0, 2.0, 4.0)
    assert cut(GOOD, proposals=5).used == 5 and cut(GOOD, seconds=0.3).took == 0.3
    assert cut(GOOD) == GOOD


def test_solved_is_to_reach_the_least_that_is_known() -> None:
    rows = {row.method: row for row in rows_of([GOOD, POOR])}
    assert (rows["good"].solved, rows["poor"].solved) == (1.0, 0.0)
    assert rows["good"].ratio == pytest.approx(0.25) and rows["poor"].ratio == 1.0
    assert [row.method for row in rows_of([POOR, GOOD])] == ["good", "poor"]
    assert rows_of([GOOD], {"f": 0.0})[0].solved == 0.0


def test_the_table_has_a_line_for_each_search() -> None:
    assert [line[0] for line in cells(rows_of([POOR, GOOD]))] == ["search", "good", "poor"]


def test_the_course_falls_from_one() -> None:
    assert courses([GOOD, POOR], [0, 5, 50]) == {"good": [1.0, 0.5, 0.25], "poor": [1.0, 1.0, 1.0]}


def test_every_method_runs_on_every_function_with_every_seed() -> None:
    methods = {"walks": lambda: RandomSearch(rewriting=FEW), "tree": lambda: Mcts(rewriting=FEW)}
    some = [("parts", problem(PARTS)), ("lowest", problem(LOWEST))]
    found = races(some, methods, lambda: Budget(seconds=10.0, proposals=40), seeds=(0, 1))
    assert len({(one.method, one.problem, one.seed) for one in found}) == 8 == len(found)
    assert all(one.used <= 41 for one in found)


def test_time_on_the_processor_is_not_shortened_by_waiting() -> None:
    budget = CpuBudget(seconds=0.5)
    time.sleep(0.1)
    assert budget.left > PATIENCE + 0.4 and not budget.is_spent
    assert CpuBudget(seconds=0.0).is_spent and CpuBudget(seconds=0.0).left == 0.0


class Endless:
    """A search that looks at no budget."""

    name = "endless"

    def run(self, judge: Judge, seed: int) -> None:
        while True:
            seed += 1


def test_a_search_that_looks_at_no_budget_is_ended_too() -> None:
    found = race(problem(PARTS), Endless(), CpuBudget(seconds=0.1), 0)
    assert found.cost == 3.0 and 0.05 < found.took < 2.0  # the timer counts in ticks
