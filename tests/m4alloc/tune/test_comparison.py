"""Tests of m4alloc.tune.comparison."""

import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.comparison import UNSEEDED, best_product, comparison, comparison_table
from m4alloc.tune.evaluate import Evaluator
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.search import search
from m4alloc.tune.space import Space

EVALUATOR = Evaluator((example_workload(100),), simulate=example_simulate)
EXACT = (16, 48, 112, 1024, 8192, 32768)
SPACE = Space.of({"refill_batch": [256]})


@pytest.mark.parametrize("methods", [[], ["climb"], ["random", "climb", "climb"]])
def test_random_search_is_always_among_them(methods: list[str]) -> None:
    rows = comparison(SPACE, EVALUATOR, methods=methods, budget=20, seeds=[0], workers=1)
    assert sorted(row.method for row in rows) == sorted({*methods, "random", UNSEEDED})


def test_a_row_is_what_the_campaigns_found_at_equal_budget() -> None:
    rows = comparison(SPACE, EVALUATOR, methods=["climb"], budget=25, seeds=[1, 2, 3], workers=1)
    assert [row.hypervolume for row in rows] == sorted((row.hypervolume for row in rows), reverse=True)
    assert {row.evaluations for row in rows} == {25}
    [climb] = [row for row in rows if row.method == "climb"]
    own = [search(SPACE, EVALUATOR, method="climb", budget=25, seed=seed, workers=1) for seed in (1, 2, 3)]
    assert climb.hypervolume == sorted(one.archive.hypervolume for one in own)[1]
    assert climb.least_hypervolume == min(one.archive.hypervolume for one in own)
    assert climb.best_time == sorted(one.archive.least_time for one in own)[1]
    assert climb.campaigns == 3


def test_one_random_search_knows_no_seeds_and_the_other_does() -> None:
    space = Space.of({"classes": [EXACT]})
    rows = comparison(space, EVALUATOR, methods=[], budget=10, seeds=[4], workers=1)
    for name, seeded in ((UNSEEDED, False), ("random", True)):
        [row] = [row for row in rows if row.method == name]
        own = search(space, EVALUATOR, method="random", budget=10, seed=4, workers=1, seeded=seeded)
        other = search(space, EVALUATOR, method="random", budget=10, seed=4, workers=1, seeded=not seeded)
        assert own.archive.hypervolume != other.archive.hypervolume
        assert (row.hypervolume, row.best_time) == (own.archive.hypervolume, own.archive.least_time)


def test_the_best_product_is_of_what_loses_nothing_that_the_simulator_knows_of() -> None:
    campaign = search(SPACE, EVALUATOR, budget=1, workers=1)
    assert best_product(campaign) == 1.0
    campaign.archive.add(Evaluation(Strategy(placement=1), Objectives(1.003, 0.5, 99.0)))
    assert best_product(campaign) == 1.0
    campaign.archive.add(Evaluation(Strategy(placement=1), Objectives(1.001, 0.9, 99.0)))
    assert best_product(campaign) == 1.001 * 0.9


def test_an_interrupt_leaves_out_what_was_not_begun() -> None:
    assert comparison(SPACE, EVALUATOR, budget=5, seeds=[0], workers=1, interrupts=True) == []


def test_the_table_has_a_line_for_each_method_and_bound() -> None:
    rows = comparison(SPACE, EVALUATOR, methods=[], budget=10, seeds=[0], workers=1)
    table = comparison_table(rows, {"peak live": 0.5})
    assert len(table) == 1 + 2 + 1
    assert {len(line) for line in table} == {8}
    assert table[-1][4] == "0.500"
