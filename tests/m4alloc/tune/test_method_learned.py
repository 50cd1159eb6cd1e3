"""The learned agent keeps to what a method promises: it asks for what is not known, and the same each time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.agent import Agent, AgentError
from m4alloc.tune.agent_edits import Worth, actions_of, names_of, width_of
from m4alloc.tune.agent_ppo import Settings
from m4alloc.tune.environment import StrategyEnv, train_for
from m4alloc.tune.evaluate import Evaluator, Scored, failed
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.method_learned import Learned, method, with_weights
from m4alloc.tune.methods import Random, method_of
from m4alloc.tune.result import Objectives
from m4alloc.tune.search import search
from m4alloc.tune.space import Knob, Point, Space

SPACE = Space(
    tuple(
        Knob(name, values)
        for name, values in {
            "stack_depth": (16, 64, 256, 1024, 4096, 16384, 65536),
            "refill_batch": (8, 16, 32, 64, 128, 256, 1024),
            "retain_bytes": (0, 1 << 20, 8 << 20, 32 << 20, 128 << 20, 1 << 30),
            "prefault": (0, 16 << 10, 64 << 10, 256 << 10, 1 << 20),
            "large_delay": (0, 128 << 10, 512 << 10, 2 << 20, 8 << 20),
            "placement": (0, 1, 2),
        }.items()
    )
)


def slope(strategy: Strategy) -> Scored:
    """Every knob counts alone: the further up, the better; placement only costs."""
    point = SPACE.point_of(strategy)
    share = np.mean([i / (len(knob.values) - 1) for i, knob in zip(point[:-1], SPACE.knobs, strict=False)])
    return Scored(strategy, Objectives(1.0 - 0.5 * float(share) + 0.1 * point[-1], 1.0, 5.0))


def searched(some: Learned | Random, budget: int, each: int = 4, seed: int = 0) -> tuple[list[Point], float]:
    """The points asked for and the best score, in a search with so many evaluations."""
    rng = np.random.default_rng(seed)
    base, points, best = slope(SPACE.base).objectives, [], 0.0
    some.tell([SPACE.default], [slope(SPACE.base)])
    while len(points) < budget:
        asked = some.ask(min(each, budget - len(points)), rng)
        assert 0 < len(asked) <= each
        found = [slope(SPACE.strategy(point)) for point in asked]
        some.tell(asked, found)
        points += asked
        best = max(best, *(Worth().score(one.objectives, base) for one in found))
    return points, best


def test_it_asks_for_the_default_first_when_nobody_told_what_it_is_worth() -> None:
    assert Learned(SPACE, 0).ask(5, np.random.default_rng(0)) == [SPACE.default]


@pytest.mark.slow
def test_no_strategy_is_asked_for_twice() -> None:
    points, _ = searched(Learned(SPACE, 1), 300)
    strategies = [SPACE.strategy(point) for point in points]
    assert len(set(strategies)) == len(strategies) == 300
    assert all(SPACE.check(point) == point for point in points)


def test_the_same_seed_and_answers_give_the_same_points() -> None:
    first, second, other = (searched(Learned(SPACE, seed), 150, seed=seed)[0] for seed in (3, 3, 4))
    assert first == second != other


def test_it_learns_while_it_searches() -> None:
    learned = Learned(SPACE, 0)
    before = learned.agent
    searched(learned, 200)
    assert learned.updates >= 2
    assert not np.array_equal(before.actor[0], learned.agent.actor[0])


def test_weights_from_other_workloads_beat_chance_clearly_at_the_same_budget() -> None:
    env = StrategyEnv(SPACE, slope, steps=20)
    agent = train_for(env, 2500, seed=2, settings=Settings(rate=3e-3, rollout=128)).agent
    trained = np.mean([searched(with_weights(agent)(SPACE, seed), 30, seed=seed)[1] for seed in range(5)])
    chance = np.mean([searched(Random(SPACE), 30, seed=seed)[1] for seed in range(5)])
    top = Worth().score(Objectives(0.5, 1.0, 5.0), slope(SPACE.base).objectives)
    assert chance < 0.7 * top < 0.8 * top < trained


def test_it_goes_on_when_candidates_cannot_be_evaluated() -> None:
    learned, rng = Learned(SPACE, 0), np.random.default_rng(0)
    learned.tell([SPACE.default], [slope(SPACE.base)])
    for _ in range(60):
        asked = learned.ask(3, rng)
        learned.tell(asked, [failed(SPACE.strategy(point), "died") for point in asked])
    assert all(np.isfinite(part).all() for part in learned.agent.actor)


def test_it_goes_on_when_what_it_asked_for_is_never_told() -> None:
    learned, rng = Learned(SPACE, 0), np.random.default_rng(0)
    learned.tell([SPACE.default], [slope(SPACE.base)])
    for _ in range(5):
        assert learned.ask(3, rng)
    asked = learned.ask(3, rng)
    learned.tell(asked[:1], [slope(SPACE.strategy(asked[0]))])
    assert learned.ask(3, rng)


def test_it_answers_even_where_everything_is_known() -> None:
    small = Space((Knob("placement", (0, 1, 2)),))
    learned, rng = Learned(small, 0), np.random.default_rng(0)
    for point in ((0,), (1,), (2,)):
        learned.tell([point], [Scored(small.strategy(point), Objectives(1.0, 1.0, 5.0))])
    asked = learned.ask(2, rng)
    assert asked and set(asked) <= {(0,), (1,), (2,)}


def test_the_campaign_knows_it_by_its_name() -> None:
    assert method_of(method, SPACE, 1).name == "agent"


def test_it_says_where_its_weights_come_from(tmp_path: Path) -> None:
    agent = Agent.fresh(width_of(SPACE), actions_of(SPACE), names=names_of(SPACE))
    replace(agent, trained=("git", "perl")).save(tmp_path / "weights.npz")
    assert with_weights(tmp_path / "weights.npz")(SPACE, 0).about == "agent, weights trained on git, perl"
    assert with_weights(agent)(SPACE, 0).about == "agent, weights trained on unnamed workloads"


def test_weights_for_other_knobs_are_refused() -> None:
    other = Space((*SPACE.knobs[:-1], Knob("randomise", (0, 1, 2))))
    agent = Agent.fresh(width_of(SPACE), actions_of(SPACE), names=names_of(SPACE))
    with pytest.raises(AgentError, match=r"^the weights are for stack_depth, .*, placement; here are .*, randomise$"):
        with_weights(agent)(other, 0)


def test_it_works_with_the_evaluator_of_the_search() -> None:
    evaluator = Evaluator((example_workload(60),), simulate=example_simulate)
    learned, rng = Learned(SPACE, 0), np.random.default_rng(0)
    times = []
    for _ in range(25):
        asked = learned.ask(4, rng)
        found = [evaluator.scored(SPACE.strategy(point)) for point in asked]
        times += [one.objectives.time for one in found]
        learned.tell(asked, found)
    assert min(times) < 1.0


def test_a_campaign_of_it_spends_its_budget_and_is_the_same_each_time() -> None:
    evaluator = Evaluator((example_workload(60),), simulate=example_simulate)
    first, second = (search(SPACE, evaluator, method=method, budget=40, seed=5, workers=1) for _ in range(2))
    assert first.method == "agent" and len({one.strategy for one in first.evaluations}) == 40
    assert [one.strategy for one in first.evaluations] == [one.strategy for one in second.evaluations]
    assert first.archive.hypervolume > 1
