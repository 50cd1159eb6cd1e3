"""stable-baselines3 learns in the same environment, where it is installed; where not, the error says how to get it."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from m4alloc.superopt.environment import SuperoptEnv
from m4alloc.superopt.learn_sb3 import Sb3Policy, train_policy
from tests.m4alloc.superopt.rewriting_cases import FEW, LOWEST, PARTS, judge, problem

needs_sb3 = pytest.mark.skipif(find_spec("stable_baselines3") is None, reason="stable-baselines3 is not installed")


@pytest.mark.skipif(find_spec("stable_baselines3") is not None, reason="stable-baselines3 is installed")
def test_without_it_the_error_names_the_extra() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'm4alloc\[learn\]'"):
        train_policy([problem(PARTS)], 64, rewriting=FEW)


@needs_sb3
def test_it_passes_the_checker_of_stable_baselines3() -> None:
    from stable_baselines3.common.env_checker import check_env

    check_env(SuperoptEnv([problem(PARTS)], rewriting=FEW))


@needs_sb3
def test_what_it_learned_finds_what_is_cheaper() -> None:
    agent = train_policy([problem(PARTS), problem(LOWEST)], 512, seed=1, actions=12, rewriting=FEW)
    assert agent.name in ("MaskablePPO", "PPO") and agent.steps >= 512
    for text, least in ((PARTS, 1), (LOWEST, 2)):
        asked = judge(text, 60)
        Sb3Policy(agent, 12, FEW).run(asked, 0)
        assert asked.best.cost.ir == least
