"""The environment keeps gymnasium's contract, pays what it promises, and can be learned in."""

from __future__ import annotations

import math
import subprocess
import sys
import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.strategy import Strategy
from m4alloc.tune.agent import Agent, train
from m4alloc.tune.agent_edits import Reward, Worth, actions_of, masks, moved, observe, width_of
from m4alloc.tune.agent_summary import SUMMARY, lifetimes, summary
from m4alloc.tune.archive import Reference, hypervolume
from m4alloc.tune.environment import StrategyEnv, Task
from m4alloc.tune.evaluate import Evaluator, failed
from m4alloc.tune.example import example_simulate, example_workload
from m4alloc.tune.learn_sb3 import played
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.space import Knob, Space, SpaceError

SPACE = Space(
    (
        Knob("stack_depth", (64, 256, 1024, 4096, 16384)),
        Knob("refill_batch", (16, 64, 256)),
        Knob("placement", (0, 1, 2)),
        Knob("delay_line", (16, 64)),
    )
)


def bowl(strategy: Strategy) -> Evaluation:
    """Best where the stacks are deepest and placement is 2; the other knobs only cost."""
    time = 1.0 - 0.1 * math.log(strategy.stack_depth / 1024) / math.log(16) - 0.05 * strategy.placement
    memory = 1.0 + 0.02 * (strategy.delay_line > 16) + 0.02 * abs(strategy.refill_batch - 64) / 64
    return Evaluation(strategy, Objectives(time, memory, 5.0))


BEST = (4, 1, 2, 0)
"""Where the bowl is lowest."""


def best_gain() -> float:
    return Worth().score(bowl(SPACE.strategy(BEST)).objectives, bowl(SPACE.base).objectives)


@pytest.mark.parametrize("reward", list(Reward))
def test_it_keeps_the_contract_of_gymnasium(reward: Reward) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        # Without a registration it has no spec, of which the checker only says so.
        warnings.filterwarnings("ignore", message=".*spec.*")
        check_env(StrategyEnv(SPACE, bowl, reward=reward), skip_render_check=True)


Walks = st.lists(st.integers(0, actions_of(SPACE) - 2), max_size=20)


@given(walk=Walks, start=st.tuples(*(st.integers(0, len(knob.values) - 1) for knob in SPACE.knobs)))
@settings(max_examples=60, deadline=None)
def test_rewards_add_up_to_what_was_gained_whatever_the_way(walk: list[int], start: tuple[int, ...]) -> None:
    points, sums = [start], {}
    for reward in Reward:
        env = StrategyEnv(SPACE, bowl, reward=reward, steps=21)
        env.reset(seed=0, options={"point": start})
        points = [start]
        total = 0.0
        for action in walk:
            _, earned, _, _, info = env.step(action)
            total += earned
            points.append(info["point"])
        sums[reward] = total
    seen = [bowl(SPACE.strategy(point)).objectives for point in points]
    scores = [Worth().score(one, bowl(SPACE.base).objectives) for one in seen]
    corner = Reference.of(SPACE.base)
    assert sums[Reward.LAST] == pytest.approx(scores[-1] - scores[0])
    assert sums[Reward.BEST] == pytest.approx(max(scores) - scores[0])
    assert sums[Reward.FRONT] == pytest.approx(hypervolume(seen, corner) - hypervolume(seen[:1], corner))


@given(point=st.tuples(*(st.integers(0, len(knob.values) - 1) for knob in SPACE.knobs)))
def test_the_mask_allows_exactly_the_steps_to_neighbours_and_stopping(point: tuple[int, ...]) -> None:
    mask = masks(SPACE, point)
    reached = [moved(SPACE, point, action) for action in np.flatnonzero(mask)]
    assert reached[-1] is None
    assert set(reached[:-1]) == set(SPACE.neighbours(point)) and len(reached[:-1]) == len(set(reached[:-1]))
    assert all(moved(SPACE, point, int(action)) == point for action in np.flatnonzero(~mask))


def episode(env: StrategyEnv, seed: int) -> list[tuple[bytes, float]]:
    found = []
    seen, _ = env.reset(seed=seed)
    rng, ended = np.random.default_rng(seed), False
    while not ended:
        seen, earned, ended, _, _ = env.step(int(rng.choice(np.flatnonzero(env.action_masks()))))
        found.append((seen.tobytes(), earned))
    return found


def test_the_same_seed_and_actions_give_the_same_episode_whatever_came_before() -> None:
    tasks = [Task(name, bowl, np.full(len(SUMMARY), at, np.float32)) for at, name in enumerate("abc")]
    used = StrategyEnv(SPACE, tasks)
    episode(used, 1)
    assert episode(used, 7) == episode(StrategyEnv(SPACE, tasks), 7)


def test_each_strategy_is_evaluated_once_a_task() -> None:
    asked: list[Strategy] = []

    def counting(strategy: Strategy) -> Evaluation:
        asked.append(strategy)
        return bowl(strategy)

    env = StrategyEnv(SPACE, counting)
    for seed in range(20):
        episode(env, seed)
    assert len(asked) == len(set(asked)) == env.evaluations > 10


def test_stopping_ends_the_episode_and_earns_nothing() -> None:
    env = StrategyEnv(SPACE, bowl, cost=0.5)
    env.reset(seed=0)
    _, earned, terminated, truncated, _ = env.step(actions_of(SPACE) - 1)
    assert (earned, terminated, truncated) == (0.0, True, False)


def test_an_episode_ends_after_its_steps_and_the_agent_sees_them_run_out() -> None:
    env = StrategyEnv(SPACE, bowl, steps=3)
    left = [float(env.reset(seed=0)[0][-1])]
    for ended in (False, False, True):
        seen, _, terminated, _, _ = env.step(1)
        left.append(float(seen[-1]))
        assert terminated is ended
    assert left == pytest.approx([1.0, 2 / 3, 1 / 3, 0.0])


def test_a_candidate_that_could_not_be_evaluated_earns_nothing_and_shows_no_infinity() -> None:
    def fragile(strategy: Strategy) -> Evaluation:
        return failed(strategy, "died") if strategy.placement else bowl(strategy)

    for reward in (Reward.BEST, Reward.FRONT):
        env = StrategyEnv(SPACE, fragile, reward=reward)
        env.reset(seed=0)
        seen, earned, *_ = env.step(5)
        assert earned == 0.0 and np.isfinite(seen).all()


def test_a_step_never_leads_below_the_security_floor() -> None:
    seen: list[int] = []

    def recording(strategy: Strategy) -> Evaluation:
        seen.append(strategy.delay_line)
        return bowl(strategy)

    menus = (Knob("delay_line", (0, 4, 16, 64)), Knob("placement", (0, 1, 2)))
    env = StrategyEnv(Space(menus, allowed=lambda one: one.delay_line >= 16), recording)
    for seed in range(10):
        episode(env, seed)
    assert set(seen) == {16, 64}


def test_it_runs_as_a_vector_of_environments() -> None:
    envs = gymnasium.vector.SyncVectorEnv([lambda: StrategyEnv(SPACE, bowl) for _ in range(3)])
    seen, _ = envs.reset(seed=3)
    assert seen.shape == (3, width_of(SPACE))
    seen, earned, *_ = envs.step(np.array([1, 5, 8]))
    assert earned[0] > 0 and earned[1] > 0 and earned[2] == 0
    envs.close()


def test_the_agent_sees_counters_beside_those_of_the_baseline() -> None:
    evaluator = Evaluator((example_workload(60),), simulate=example_simulate)
    env = StrategyEnv(SPACE, evaluator.evaluate)
    first, _ = env.reset(seed=0)
    counters = slice(len(SPACE.knobs), len(SPACE.knobs) + 11)
    assert not first[counters].any()
    # The fourth is the refills, and larger batches mean fewer.
    assert env.step(3)[0][counters][3] < 0


def test_what_cannot_be_an_environment_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^there is no task$"):
        StrategyEnv(SPACE, [])
    with pytest.raises(ValueError, match=r"^an episode has 0 steps; it must have one at least$"):
        StrategyEnv(SPACE, bowl, steps=0)
    with pytest.raises(SpaceError):
        StrategyEnv(SPACE, bowl).reset(options={"point": (9, 0, 0, 0)})


def test_the_agent_learns_to_find_a_known_optimum_where_chance_does_not() -> None:
    env = StrategyEnv(SPACE, bowl, steps=8, cost=0.001)
    trained = train(env, 2500, seed=1).agent
    guessing = Agent.fresh(width_of(SPACE), actions_of(SPACE), 1)
    env = StrategyEnv(SPACE, bowl, steps=8)
    learned = np.mean([played(env, trained, seed, greedy=False) for seed in range(20)])
    chance = np.mean([played(env, guessing, seed, greedy=False) for seed in range(20)])
    assert chance < 0.6 * best_gain()
    assert learned > 0.85 * best_gain()


def test_a_summary_is_the_same_for_the_same_calls_and_small_whatever_the_program() -> None:
    first, second = summary(example_workload(500)), summary(example_workload(500))
    assert np.array_equal(first, second) and first.shape == (len(SUMMARY),)
    assert np.isfinite(first).all() and np.abs(first).max() < 2
    assert not np.array_equal(first, summary(example_workload(500, largest=64)))


def test_lifetimes_are_those_of_a_walk_through_the_calls() -> None:
    workload = example_workload(80, seed=4)
    births: dict[int, int] = {}
    expected = {}
    for at in range(len(workload)):
        block = int(workload.block[at])
        if workload.kind[at] == 1:
            births[block] = at
        else:
            expected[births.pop(block)] = at
    born, died = lifetimes(workload)
    assert dict(zip(born.tolist(), died.tolist(), strict=True)) == expected


def test_what_is_seen_stays_within_its_bounds() -> None:
    env = StrategyEnv(SPACE, bowl)
    env.reset(seed=0)
    far = env._seen()
    object.__setattr__(far, "counters", np.full(11, 1e9, np.float32))
    seen = observe(SPACE, BEST, far, far.objectives, (math.inf, -math.inf), np.zeros(len(SUMMARY), np.float32), 1.0)
    assert env.observation_space.contains(seen)


def test_without_gymnasium_the_error_names_the_extra() -> None:
    program = (
        "import sys; sys.modules['gymnasium'] = None\n"
        "for name in ('environment', 'placement_env'):\n"
        "    try: __import__(f'm4alloc.tune.{name}')\n"
        "    except ModuleNotFoundError as error: print(error)\n"
        "import m4alloc.tune.method_learned\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "the learning environments need gymnasium: pip install 'm4alloc[tune]'\n" * 2
