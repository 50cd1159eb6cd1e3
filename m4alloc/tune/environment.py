"""StrategyEnv: a gymnasium environment in which an agent edits a strategy step by step and earns what that gains."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from m4alloc.check.progress import Progress
from m4alloc.strategy import Strategy
from m4alloc.tune.agent import Agent, Training, train
from m4alloc.tune.agent_edits import (
    MOST,
    Reward,
    Seen,
    Vector,
    Worth,
    actions_of,
    masks,
    moved,
    names_of,
    observe,
    width_of,
)
from m4alloc.tune.agent_ppo import Settings
from m4alloc.tune.agent_summary import SUMMARY
from m4alloc.tune.archive import Reference, hypervolume
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.space import Space

try:
    import gymnasium
except ModuleNotFoundError:
    raise ModuleNotFoundError("the learning environments need gymnasium: pip install 'm4alloc[tune]'") from None

if TYPE_CHECKING:
    Base = gymnasium.Env[Vector, np.int64]
else:
    Base = gymnasium.Env

Evaluate = Callable[[Strategy], Evaluation]


@dataclass(frozen=True, slots=True, eq=False)
class Task:
    """A workload, or several, to find a strategy for: what a strategy is worth there, and what the agent is told."""

    name: str
    evaluate: Evaluate
    told: Vector = field(default_factory=lambda: np.zeros(len(SUMMARY), np.float32))


class StrategyEnv(Base):
    """An agent steps through a Space from one point to a neighbour, and stops when it likes or after `steps` steps.

    space: of points; each is a strategy that is valid and above the security floor. tasks: an evaluator, or tasks of
    which each episode takes one at random. worth, reward: what is earned, see Reward; every step also costs `cost`.
    Actions: 2i and 2i + 1 are a step down and up in the menu of knob i, the last one is to stop; `action_masks()` tells
    which lead somewhere, and one that does not leaves the point where it is. The steps left are part of what the agent
    sees, so that their end is an end (terminated). Each strategy is evaluated once a task: `evaluations` counts.
    reset's options: point, task (its number). The same seed and actions give the same episodes.

    >>> from m4alloc.tune.space import Knob
    >>> def fake(strategy):
    ...     return Evaluation(strategy, Objectives(1.0 - strategy.placement / 10, 1.0, 0.0))
    >>> env = StrategyEnv(Space((Knob("placement", (0, 1, 2)),)), fake, steps=5)
    >>> observation, info = env.reset(seed=0)
    >>> observation, reward, terminated, truncated, info = env.step(1)
    >>> info["point"], round(reward, 3), terminated
    ((1,), 0.053, False)
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gymnasium declares it

    def __init__(
        self,
        space: Space,
        tasks: Evaluate | Sequence[Task],
        *,
        steps: int = 20,
        reward: Reward = Reward.BEST,
        worth: Worth | None = None,
        cost: float = 0.0,
    ) -> None:
        if steps < 1:
            raise ValueError(f"an episode has {steps} steps; it must have one at least")
        self.space = space
        self.tasks = (Task("", tasks),) if callable(tasks) else tuple(tasks)
        if not self.tasks:
            raise ValueError("there is no task")
        self.steps = steps
        self.names = names_of(space)
        self.observation_space = gymnasium.spaces.Box(-MOST, MOST, (width_of(space),), np.float32)
        self.action_space = gymnasium.spaces.Discrete(actions_of(space))
        self.evaluations = 0
        self._kind, self._worth, self._cost = reward, worth or Worth(), cost
        self._baselines: dict[int, Evaluation] = {}
        self._known: dict[tuple[int, Strategy], Seen] = {}
        self._task, self._left = 0, 0
        self._point = space.default
        self._first = self._score = self._best = 0.0
        self._visited: list[Objectives] = []
        self._reference = Reference.of(space.base)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Vector, dict[str, Any]]:
        """A new episode at the space's default point."""
        super().reset(seed=seed)
        given = options or {}
        self._task = int(given.get("task", self.np_random.integers(len(self.tasks))))
        self._point = self.space.check(given.get("point", self.space.default))
        self._left = self.steps
        self._score = self._best = self._first = self._score_of(self._seen())
        self._visited = [self._seen().objectives]
        return self._observation(), self._info()

    def step(self, action: np.int64 | int) -> tuple[Vector, float, bool, bool, dict[str, Any]]:
        """One edit, or the end."""
        after = moved(self.space, self._point, int(action))
        earned = 0.0
        self._left -= 1
        if after is not None:
            self._point = after
            earned = self._gain(self._seen()) - self._cost
        return self._observation(), earned, after is None or self._left <= 0, False, self._info()

    def action_masks(self) -> npt.NDArray[np.bool_]:
        """Of each action whether it leads somewhere from here."""
        return masks(self.space, self._point)

    def _gain(self, seen: Seen) -> float:
        score = self._score_of(seen)
        before, best = self._score, self._best
        self._score, self._best = score, max(best, score)
        if self._kind is Reward.LAST:
            return score - before
        if self._kind is Reward.BEST:
            return self._best - best
        volume = hypervolume(self._visited, self._reference)
        self._visited.append(seen.objectives)
        return hypervolume(self._visited, self._reference) - volume

    def _baseline(self) -> Evaluation:
        found = self._baselines.get(self._task)
        if found is None:
            found = self._baselines[self._task] = self.tasks[self._task].evaluate(self.space.base)
            self.evaluations += 1
            self._known[self._task, self.space.base] = Seen.of(found, found)
        return found

    def _seen(self) -> Seen:
        baseline = self._baseline()
        strategy = self.space.strategy(self._point)
        found = self._known.get((self._task, strategy))
        if found is None:
            found = Seen.of(self.tasks[self._task].evaluate(strategy), baseline)
            self._known[self._task, strategy] = found
            self.evaluations += 1
        return found

    def _score_of(self, seen: Seen) -> float:
        return self._worth.score(seen.objectives, self._baseline().objectives)

    def _observation(self) -> Vector:
        return observe(
            self.space,
            self._point,
            self._seen(),
            self._baseline().objectives,
            (self._score, self._best),
            self.tasks[self._task].told,
            self._left / self.steps,
        )

    def _info(self) -> dict[str, Any]:
        return {
            "task": self.tasks[self._task].name,
            "point": self._point,
            "score": self._score,
            "best": self._best,
            "gain": self._best - self._first,
            "evaluations": self.evaluations,
        }


def train_for(
    env: StrategyEnv,
    steps: int,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    agent: Agent | None = None,
    settings: Settings | None = None,
) -> Training:
    """Train the built-in agent here, with weights that know which knobs and which workloads they are for.

    See m4alloc.tune.agent.train; what it returns can be saved, and given to m4alloc.tune.method_learned.
    """
    settings = settings or Settings()
    agent = agent or Agent.fresh(width_of(env.space), actions_of(env.space), seed, hidden=settings.hidden)
    names = tuple(dict.fromkeys((*agent.trained, *(task.name for task in env.tasks if task.name))))
    agent = replace(agent.check(width_of(env.space), actions_of(env.space), env.names), names=env.names, trained=names)
    return train(env, steps, seed, progress, agent=agent, settings=settings)
