"""Every program is held out once, gains are told apart from the gap, and the choice is the one of least regret."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.strategy import Strategy
from m4alloc.tune.result import Evaluation, Objectives, Simulation
from m4alloc.tune.several import HeldOut, cycles, held_out, least_regret, memory, regrets, splits
from m4alloc.tune.workload import Workload, example

NAMES = st.lists(st.sampled_from(["git", "perl", "node"]), min_size=1, max_size=8)


def simulation(time: float, peak: int = 0) -> Simulation:
    counters = dict.fromkeys(Simulation.__dataclass_fields__, 0)
    return Simulation(**{**counters, "cycles": time, "footprint_peak": peak, "classes": ()})  # type: ignore[arg-type]


def evaluation(*pairs: tuple[float, int]) -> Evaluation:
    simulations = tuple(simulation(time, peak) for time, peak in pairs)
    return Evaluation(Strategy(), Objectives(1.0, 1.0, 1.0), simulations)


@given(NAMES)
def test_every_workload_is_held_out_once_and_trains_otherwise(programs: list[str]) -> None:
    found = splits(programs)
    if len(programs) == 1:
        assert found == []
        return
    assert sorted(place for split in found for place in split.held_out) == list(range(len(programs)))
    for split in found:
        assert sorted(split.train + split.held_out) == list(range(len(programs)))
        assert split.train


@given(NAMES.filter(lambda programs: len(set(programs)) > 1))
def test_no_program_is_on_both_sides(programs: list[str]) -> None:
    for split in splits(programs):
        assert {programs[place] for place in split.held_out} == {split.program}
        assert split.program not in {programs[place] for place in split.train}


def test_inputs_of_one_program_are_held_out_one_by_one() -> None:
    assert [(split.program, split.train, split.held_out) for split in splits(["git", "git"])] == [
        ("git, 1", (1,), (0,)),
        ("git, 2", (0,), (1,)),
    ]


def test_a_search_never_sees_what_it_is_judged_by() -> None:
    workloads = [example([(1, 1, size)], name) for size, name in ((8, "a"), (16, "b"), (24, "b"), (32, "c"))]
    seen: list[list[str]] = []

    def search(given: Sequence[Workload]) -> frozenset[str]:
        seen.append([workload.name for workload in given])
        return frozenset(workload.name for workload in given)

    def cost(candidate: frozenset[str], given: Sequence[Workload]) -> float:
        return 0.75 if all(workload.name in candidate for workload in given) else 0.875

    rows = held_out(search, cost, workloads)
    assert seen == [["b", "b", "c"], ["a", "c"], ["a", "b", "b"]]
    assert rows == [HeldOut(name, 0.25, 0.125) for name in "abc"]
    assert [row.gap for row in rows] == [0.125] * 3


def test_programs_may_have_other_names_than_their_workloads() -> None:
    workloads = [example([(1, 1, 8)], "same")] * 2
    rows = held_out(len, lambda count, given: count / 4, workloads, ["one", "two"])
    assert rows == [HeldOut("one", 0.75, 0.75), HeldOut("two", 0.75, 0.75)]


def test_one_workload_has_no_held_out_row() -> None:
    assert held_out(len, lambda count, given: 1.0, [example([(1, 1, 8)])]) == []


COSTS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(st.integers(0, 20), min_size=width, max_size=width), min_size=1, max_size=5)
)


@given(COSTS)
def test_regret_is_the_worst_ratio_to_the_best_of_a_workload(costs: list[list[int]]) -> None:
    best = [min(column) for column in zip(*costs, strict=True)]

    def ratio(cost: int, least: int) -> float:
        return 1.0 if cost == least else cost / least if least else float("inf")

    assert regrets(costs).tolist() == [max(map(ratio, row, best)) for row in costs]


@given(COSTS)
def test_a_candidate_that_is_nowhere_worse_regrets_no_more(costs: list[list[int]]) -> None:
    found = regrets(costs)
    for one, row in enumerate(costs):
        for other, others in enumerate(costs):
            if all(a <= b for a, b in zip(row, others, strict=True)):
                assert found[one] <= found[other]


@pytest.mark.parametrize(
    ("costs", "message"),
    [
        ([], "costs of shape (0,): there is no candidate, or no workload, to choose by"),
        ([[], []], "costs of shape (2, 0): there is no candidate, or no workload, to choose by"),
        ([[1.0, -1.0]], "a cost is below 0 or not a number"),
        ([[float("nan")]], "a cost is below 0 or not a number"),
    ],
)
def test_costs_that_cannot_be_compared_are_refused(costs: list[list[float]], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        regrets(costs)


def test_the_least_regret_is_a_compromise_where_the_best_of_each_is_not() -> None:
    extreme, other, between = evaluation((1, 9), (8, 9)), evaluation((4, 9), (2, 9)), evaluation((1.5, 9), (3, 9))
    assert least_regret([extreme, other, between]) == (2, 1.5)


def test_a_measure_of_memory_changes_the_choice() -> None:
    fast, small = evaluation((1, 100)), evaluation((2, 10))
    assert least_regret([fast, small], [cycles]) == (0, 1.0)
    assert least_regret([fast, small], [memory]) == (1, 1.0)
    assert least_regret([fast, small], [cycles, memory]) == (1, 2.0)


def test_of_equal_candidates_the_first_is_chosen() -> None:
    assert least_regret([evaluation((2, 1)), evaluation((2, 1))]) == (0, 1.0)


@pytest.mark.parametrize(
    "evaluations",
    [[], [evaluation()], [evaluation((1, 1)), evaluation()], [evaluation((1, 1)), evaluation((1, 1), (1, 1))]],
)
def test_evaluations_of_different_workloads_are_not_compared(evaluations: list[Evaluation]) -> None:
    with pytest.raises(ValueError, match=r"^each evaluation needs a simulation of each workload, the same for all$"):
        least_regret(evaluations)


def test_regrets_of_one_candidate_are_one() -> None:
    assert np.array_equal(regrets([[0, 3, 7]]), [1.0])
