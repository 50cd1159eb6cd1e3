"""The learned agent as a search method: walkers that edit strategies, and learn from what each step led to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from m4alloc.strategy import Strategy
from m4alloc.tune.agent import Agent, experience
from m4alloc.tune.agent_edits import Seen, Vector, Worth, actions_of, masks, moved, names_of, observe, width_of
from m4alloc.tune.agent_ppo import Experience, Settings, update
from m4alloc.tune.agent_summary import SUMMARY
from m4alloc.tune.evaluate import Scored
from m4alloc.tune.network import Adam
from m4alloc.tune.space import Point, Space

SETTINGS: Final = Settings(rollout=64, batch=32, epochs=4)
"""For budgets of hundreds of evaluations."""

ATTEMPTS: Final = 30
"""Steps through known points before a walker is given a point at random instead."""


@dataclass(slots=True)
class _Walker:
    """Where one episode is. pending: what it saw and did to come to a point that is being evaluated."""

    point: Point
    left: int
    best: float
    pending: tuple[Vector, Any, int, Point] | None = None
    rows: list[tuple[Any, ...]] = field(default_factory=list)


class Learned:
    """The agent of m4alloc.tune.agent as a Method: walkers, each of which asks for a point at a time.

    A walker goes from point to neighbouring point by the policy; through points whose strategy is known it goes for
    nothing, any other is asked for. An episode begins at the best known point or at the default, and ends after `steps`
    steps or when the agent stops. After every `settings.rollout` steps the policy is updated. What is told without
    having been asked for is known from then on.
    weights: to begin with; none: it begins by guessing. told: the workload's `summary`. worth: what it climbs. walkers:
    how many; more of them keep more processors busy, and the same budget leads each less far.
    Raises AgentError: weights of another space.

    >>> Learned(Space.of(), 0).about
    'agent, learned here only'
    """

    name = "agent"

    def __init__(
        self,
        space: Space,
        seed: int = 0,
        *,
        weights: Agent | None = None,
        told: Vector | None = None,
        worth: Worth | None = None,
        steps: int = 20,
        walkers: int = 2,
        settings: Settings = SETTINGS,
    ) -> None:
        inputs, actions = width_of(space), actions_of(space)
        names = names_of(space)
        self.space = space
        self.agent = weights or Agent.fresh(inputs, actions, seed, hidden=settings.hidden, names=names)
        self.agent.check(inputs, actions, names)
        self.updates = 0
        self._given = weights
        self._told = np.zeros(len(SUMMARY), np.float32) if told is None else told
        self._worth, self._steps, self._settings = worth or Worth(), steps, settings
        self._most = walkers
        self._steppers = Adam(settings.rate), Adam(settings.rate)
        self._rng = np.random.default_rng((seed, 3))
        self._known: dict[Strategy, Seen] = {}
        self._baseline: Scored | None = None
        self._best: tuple[float, Point] | None = None
        self._walkers: list[_Walker] = []

    @property
    def about(self) -> str:
        """Where what it knows comes from, for a report."""
        if self._given is None:
            return "agent, learned here only"
        return f"agent, weights trained on {', '.join(self._given.trained) or 'unnamed workloads'}"

    def ask(self, count: int, rng: np.random.Generator) -> list[Point]:
        """Points to evaluate next, one a walker; first of all the default, when nobody told what it is worth."""
        if self._baseline is None:
            return [self.space.default]
        while len(self._walkers) < min(count, self._most):
            self._walkers.append(self._begun(rng))
        asked: dict[Strategy, Point] = {}
        for walker in self._walkers[:count]:
            point = self._next(walker, asked, rng)
            asked[self.space.strategy(point)] = point
        return list(asked.values())

    def tell(self, points: Sequence[Point], evaluations: Sequence[Scored]) -> None:
        """What points are worth; walkers that wait for one of them go on from there."""
        for point, one in zip(points, evaluations, strict=True):
            if point == self.space.default and self._baseline is None and not one.failed:
                self._baseline = one
        if self._baseline is None:
            return
        for point, one in zip(points, evaluations, strict=True):
            seen = Seen.of(one, self._baseline)
            self._known.setdefault(self.space.strategy(point), seen)
            score = self._worth.score(one.objectives, self._baseline.objectives)
            if self._best is None or score > self._best[0]:
                self._best = score, point
        for walker in self._walkers:
            self._arrive(walker)
        if sum(len(walker.rows) for walker in self._walkers) >= self._settings.rollout:
            self._learn()

    def _begun(self, rng: np.random.Generator) -> _Walker:
        start = self._best[1] if self._best is not None and rng.random() < 0.5 else self.space.default
        walker = _Walker(start, self._steps, 0.0)
        walker.best = self._score(start)
        return walker

    def _again(self, walker: _Walker, rng: np.random.Generator) -> None:
        fresh = self._begun(rng)
        walker.point, walker.left, walker.best, walker.pending = fresh.point, fresh.left, fresh.best, None

    def _next(self, walker: _Walker, asked: dict[Strategy, Point], rng: np.random.Generator) -> Point:
        """The first point on the walker's way that is neither known nor asked for; else one at random."""
        if walker.pending is not None:
            # What was asked for was never told: the walk ends there.
            self._again(walker, rng)
        for _ in range(ATTEMPTS):
            if walker.left <= 0:
                self._again(walker, rng)
            seen, mask = self._observed(walker), masks(self.space, walker.point)
            action = self.agent.act(seen, mask, rng)
            after = moved(self.space, walker.point, action)
            if after is None:
                walker.rows.append((seen, mask, action, 0.0, seen, True, True))
                self._again(walker, rng)
                continue
            strategy = self.space.strategy(after)
            if strategy in asked:
                continue
            walker.pending = seen, mask, action, after
            if strategy not in self._known:
                return after
            self._arrive(walker)
        point = self.space.mutate(walker.point, rng)
        for _ in range(ATTEMPTS):
            if self.space.strategy(point) not in self._known and self.space.strategy(point) not in asked:
                break
            point = self.space.mutate(point, rng)
        return point

    def _arrive(self, walker: _Walker) -> None:
        """The walker's step becomes a row, once it is known what it led to."""
        if walker.pending is None or self.space.strategy(walker.pending[3]) not in self._known:
            return
        seen, mask, action, walker.point = walker.pending
        walker.pending = None
        score = self._score(walker.point)
        reward = max(0.0, score - walker.best)
        walker.best = max(walker.best, score)
        walker.left -= 1
        ended = walker.left <= 0
        walker.rows.append((seen, mask, action, reward, self._observed(walker), ended, ended))

    def _score(self, point: Point) -> float:
        known = self._known.get(self.space.strategy(point))
        if known is None or self._baseline is None:
            return 0.0
        return self._worth.score(known.objectives, self._baseline.objectives)

    def _observed(self, walker: _Walker) -> Vector:
        assert self._baseline is not None
        seen = self._known[self.space.strategy(walker.point)]
        scores = self._score(walker.point), walker.best
        share = walker.left / self._steps
        return observe(self.space, walker.point, seen, self._baseline.objectives, scores, self._told, share)

    def _learn(self) -> None:
        """One update from all walkers' rows; each walker's are one piece, which the next one does not continue."""
        parts = [experience(self.agent, walker.rows) for walker in self._walkers if walker.rows]
        for part in parts:
            part.ended[-1] = True
        whole = Experience(*(np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)))
        actor, critic = update(self.agent.actor, self.agent.critic, self._steppers, whole, self._settings, self._rng)
        self.agent = replace(self.agent, actor=actor, critic=critic)
        self.updates += 1
        for walker in self._walkers:
            walker.rows.clear()


def _columns(part: Experience) -> tuple[Any, ...]:
    return tuple(getattr(part, name) for name in Experience.__slots__)


def method(space: Space, seed: int) -> Learned:
    """The agent without weights: a Factory."""
    return Learned(space, seed)


def with_weights(weights: Agent | str | Path, told: Vector | None = None) -> Callable[[Space, int], Learned]:
    """A Factory of agents that begin with weights, or with those of a file. Raises: AgentError, OSError.

    >>> space = Space.of()
    >>> agent = Agent.fresh(width_of(space), actions_of(space))
    >>> with_weights(replace(agent, trained=("git", "perl")))(space, 1).about
    'agent, weights trained on git, perl'
    """
    agent = weights if isinstance(weights, Agent) else Agent.load(weights)
    return lambda space, seed: Learned(space, seed, weights=agent, told=told)
