"""Tests of m4alloc.tune.evaluate."""

import math
import pickle
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.strategy import Strategy
from m4alloc.tune.evaluate import WORST, Evaluator, EvaluatorError, Objective, Scored, digest, failed
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.result import Simulation
from m4alloc.tune.security import Security
from m4alloc.tune.workload import Workload

TWO = (example_workload(100, name="a"), example_workload(100, seed=2, name="b", largest=20000))
MEAN = Evaluator(TWO, simulate=example_simulate)
RATIOS = st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=2, max_size=2)


@pytest.mark.parametrize("objective", list(Objective))
@pytest.mark.parametrize("best", [(), ((0.5, 0.8), (0.9, 1.0))])
def test_the_baseline_is_worth_one(objective: Objective, best: tuple[tuple[float, float], ...]) -> None:
    baseline = Strategy(refill_batch=8)
    worth = Evaluator(TWO, baseline, objective, best=best, simulate=example_simulate).evaluate(baseline).objectives
    assert (worth.time, worth.memory) == pytest.approx((1.0, 1.0))
    assert worth.security == Security.of(baseline).score


def test_ratios_are_of_cycles_and_peak_footprint() -> None:
    strategy = Strategy(placement=1)
    one = MEAN.evaluate(strategy)
    for workload, (time, memory), simulation in zip(TWO, one.ratios, one.simulations, strict=True):
        base = example_simulate(workload, Strategy())
        assert simulation == example_simulate(workload, strategy)
        assert time == simulation.cycles / base.cycles
        assert memory == simulation.footprint_peak / base.footprint_peak


def test_the_mean_is_geometric_and_weighted() -> None:
    assert MEAN.combined([(4.0, 1.0), (1.0, 9.0)]) == pytest.approx((2.0, 3.0))
    assert replace(MEAN, weights=(3.0, 1.0)).combined([(16.0, 1.0), (1.0, 1.0)])[0] == pytest.approx(8.0)


@given(RATIOS, RATIOS)
def test_regret_is_no_better_than_what_it_is_against(
    ratios: list[tuple[float, float]], seen: list[tuple[float, float]]
) -> None:
    plain = Evaluator(TWO, objective=Objective.REGRET, simulate=example_simulate)
    known = plain.against(
        [Scored(Strategy(), WORST, ratios=tuple(ratios)), Scored(Strategy(), WORST, ratios=tuple(seen))]
    )
    time, memory = known.combined(ratios)
    # The best of each workload alone would have no regret at all: what any one candidate has is that much or more.
    assert time >= 1 / max(1 / best for best, _ in known.best) - 1e-9
    assert memory >= 1 / max(1 / best for _, best in known.best) - 1e-9
    assert all(best <= min(1.0, a[0], b[0]) for (best, _), a, b in zip(known.best, ratios, seen, strict=True))


def test_regret_prefers_what_sacrifices_nobody() -> None:
    plain = Evaluator(TWO, objective=Objective.REGRET, simulate=example_simulate)
    extreme, even = ((0.4, 1.0), (1.3, 1.0)), ((0.8, 1.0), (0.8, 1.0))
    assert plain.combined(even) < plain.combined(extreme)
    assert MEAN.combined(extreme) < MEAN.combined(even)


def test_rescoring_is_what_evaluating_would_have_been() -> None:
    known = replace(MEAN, objective=Objective.REGRET, best=((0.9, 0.9), (0.7, 1.0)))
    strategies = [Strategy(), Strategy(placement=2), Strategy(stack_depth=64)]
    direct = [known.scored(one) for one in strategies]
    assert known.rescored([MEAN.scored(one) for one in strategies]) == direct
    lost = failed(Strategy(), "gone")
    assert known.rescored([lost]) == [lost]


def test_an_evaluator_is_the_same_after_pickling_and_does_not_simulate_its_baseline_again() -> None:
    copy = pickle.loads(pickle.dumps(MEAN))
    assert copy._baselines == MEAN._measured()
    strategy = Strategy(refill_batch=256)
    assert copy.evaluate(strategy) == MEAN.evaluate(strategy)
    assert copy.identity() == MEAN.identity()


def test_a_strategy_is_scored_once() -> None:
    calls = []

    def counting(workload: Workload, strategy: Strategy) -> Simulation:
        calls.append(workload.name)
        return example_simulate(workload, strategy)

    evaluator = Evaluator(TWO, simulate=counting)
    first = evaluator.scored(Strategy(placement=1))
    assert calls == ["a", "b"] * 2
    assert evaluator.scored(Strategy(placement=1)) is first
    assert calls == ["a", "b"] * 2
    assert not first.simulations


def test_a_failed_candidate_is_worse_than_any() -> None:
    one = failed(Strategy(), "why")
    assert one.failed and one.failure == "why"
    assert MEAN.scored(Strategy(canaries=True)).objectives.dominates(one.objectives)
    assert math.isinf(one.objectives.time)


def test_the_digest_names_the_calls() -> None:
    one = example_workload(50)
    assert digest(one) == digest(example_workload(50))
    assert digest(replace(one, name="other")) == digest(one)
    size = one.size.copy()
    size[3] += np.uint64(1)
    assert digest(replace(one, size=size)) != digest(one)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Evaluator(()), "there is no workload to judge a strategy by"),
        (
            lambda: Evaluator((example_workload(0, name="nil"),)),
            "workload nil has no calls; no strategy is better than another on it",
        ),
        (lambda: Evaluator(TWO, weights=(1.0,)), "there are 1 weights for 2 workloads"),
        (lambda: Evaluator(TWO, best=((1.0, 1.0),)), "there are 1 best for 2 workloads"),
        (
            lambda: Evaluator(TWO, weights=(1.0, -1.0)),
            "weights are (1.0, -1.0); none may be negative, and one must be positive",
        ),
    ],
)
def test_misuse_is_told(make: object, message: str) -> None:
    with pytest.raises(EvaluatorError) as caught:
        make()  # type: ignore[operator]
    assert str(caught.value) == message


def test_a_workload_that_costs_nothing_is_refused() -> None:
    def free(workload: Workload, strategy: Strategy) -> Simulation:
        return replace(example_simulate(workload, strategy), cycles=0.0)

    with pytest.raises(EvaluatorError, match="workload a costs the baseline nothing"):
        Evaluator(TWO, simulate=free).evaluate(Strategy())
