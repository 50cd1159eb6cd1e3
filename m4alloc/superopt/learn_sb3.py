"""The same environment with stable-baselines3's PPO in place of the built-in agent: `pip install 'm4alloc[learn]'`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.superopt.environment import SuperoptEnv
from m4alloc.superopt.ir import Function
from m4alloc.superopt.moves import Rewriting, key
from m4alloc.superopt.problem import Judge, Problem
from m4alloc.tune.learn_sb3 import Sb3Agent, train_sb3

PENALTY: Final = 0.002
"""What a step costs while learning: PPO without masks must learn by it not to choose what is forbidden."""

IDLE: Final = 50
"""Episodes in a row that propose nothing, after which the search ends."""


def train_policy(
    problems: Sequence[Problem],
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    actions: int = 32,
    rewriting: Rewriting | None = None,
) -> Sb3Agent:
    """Train MaskablePPO where sb3-contrib is installed, else PPO, to rewrite these problems.

    actions: that an episode offers at once, of which the weights know the number. Raises: ModuleNotFoundError that
    names the extra, ValueError.
    """
    env = SuperoptEnv(problems, actions=actions, penalty=PENALTY, rewriting=rewriting)
    return train_sb3(env, steps, seed, progress)


@dataclass(frozen=True)
class Sb3Policy:
    """Episodes of a trained model of stable-baselines3: the likeliest rules first, then rules at random."""

    agent: Sb3Agent
    actions: int = 32
    rewriting: Rewriting = field(default_factory=Rewriting)
    name: str = "policy of stable-baselines3"

    def run(self, judge: Judge, seed: int) -> None:
        """Search until the budget is spent, or nothing new is proposed for IDLE episodes."""
        rng = np.random.default_rng(seed)
        # The judge is offered every function, so that the environment need prove none.
        env = SuperoptEnv([judge.problem], actions=self.actions, rewriting=self.rewriting, verify=_unproved)
        seen: set[Function] = set()
        number = idle = 0
        while not judge.budget.is_spent and idle < IDLE:
            before = judge.budget.used
            observation, _ = env.reset(seed=int(rng.integers(2**31)))
            ended = False
            while not ended and not judge.budget.is_spent:
                function, steps = env.here
                if key(function) not in seen:
                    seen.add(key(function))
                    judge.offer(function, self.name, steps)
                action = self.agent.act(observation.astype(np.float64), env.action_masks(), rng if number else None)
                observation, _, ended, _, _ = env.step(action)
            number += 1
            idle = idle + 1 if judge.budget.used == before else 0


def _unproved(problem: Problem, function: Function) -> bool:
    return False
