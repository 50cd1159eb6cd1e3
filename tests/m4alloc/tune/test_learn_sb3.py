"""stable-baselines3 learns in the same environments, where it is installed; where not, the error says how to get it."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec

import gymnasium
import numpy as np
import pytest

from m4alloc.strategy import Strategy
from m4alloc.tune.agent import Agent, AgentError
from m4alloc.tune.agent_edits import Worth, actions_of, width_of
from m4alloc.tune.environment import StrategyEnv
from m4alloc.tune.learn_sb3 import algorithm, played, train_sb3
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.space import Knob, Space

SPACE = Space((Knob("stack_depth", (64, 256, 1024, 4096, 16384)), Knob("placement", (0, 1, 2))))

needs_sb3 = pytest.mark.skipif(find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed")


def bowl(strategy: Strategy) -> Evaluation:
    """Best with deep stacks and placement 2."""
    return Evaluation(strategy, Objectives(1.2 - 0.00001 * strategy.stack_depth - 0.05 * strategy.placement, 1.0, 5.0))


def test_without_it_the_error_names_the_extra() -> None:
    program = (
        "import importlib.util as u; real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'stable_baselines3' else real(name, *rest)\n"
        "from m4alloc.tune.learn_sb3 import algorithm\n"
        "try: algorithm()\n"
        "except ModuleNotFoundError as error: print(error)\n"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout == "this learner needs stable-baselines3: pip install 'm4alloc[learn]'\n"


def test_an_episode_is_played_by_any_agent_that_acts() -> None:
    agent = Agent.fresh(width_of(SPACE), actions_of(SPACE), 0)
    env = StrategyEnv(SPACE, bowl, steps=5)
    assert played(env, agent, 1, greedy=False) == played(env, agent, 1, greedy=False)
    assert (
        0
        <= played(env, agent, 1, greedy=False)
        <= Worth().score(Objectives(0.9, 1.0, 5.0), bowl(SPACE.base).objectives)
    )


@needs_sb3
def test_it_passes_the_checker_of_stable_baselines3() -> None:
    from stable_baselines3.common.env_checker import check_env

    check_env(StrategyEnv(SPACE, bowl))


@needs_sb3
def test_it_learns_in_the_environment_and_never_does_what_a_mask_forbids(tmp_path) -> None:  # type: ignore[no-untyped-def]
    env = StrategyEnv(SPACE, bowl, steps=6, cost=0.0005)
    trained = train_sb3(env, 3000, seed=1)
    assert trained.name == algorithm()[0] and trained.steps >= 3000 and trained.curve and not trained.interrupted
    plain = StrategyEnv(SPACE, bowl, steps=6)
    guessing = Agent.fresh(width_of(SPACE), actions_of(SPACE), 1)
    learned = np.mean([played(plain, trained, seed, greedy=False) for seed in range(10)])
    chance = np.mean([played(plain, guessing, seed, greedy=False) for seed in range(10)])
    best = Worth().score(bowl(SPACE.strategy((4, 2))).objectives, bowl(SPACE.base).objectives)
    assert chance < 0.75 * best < 0.85 * best < learned
    trained.save(tmp_path / "model.zip")
    assert (tmp_path / "model.zip").stat().st_size > 1000


@needs_sb3
def test_the_same_seed_gives_the_same_model() -> None:
    models = [train_sb3(StrategyEnv(SPACE, bowl, steps=6), 256, seed=3) for _ in range(2)]
    seen = np.zeros(width_of(SPACE), np.float32)
    values = [one.model.policy.predict_values(one.model.policy.obs_to_tensor(seen)[0]).item() for one in models]
    assert values[0] == values[1]


@needs_sb3
def test_an_environment_without_masks_is_learned_by_plain_ppo() -> None:
    assert train_sb3(gymnasium.make("CartPole-v1"), 64, rollout=64).name == "PPO"


@needs_sb3
def test_an_environment_without_a_choice_of_actions_is_refused() -> None:
    with pytest.raises(AgentError, match="needs a vector to see and a Discrete action"):
        train_sb3(gymnasium.make("Pendulum-v1"), 64)
