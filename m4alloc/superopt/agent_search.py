"""Policy: the search that applies the rules which an agent has learned to choose."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np

from m4alloc.superopt.agent import Agent
from m4alloc.superopt.features import STOP, Places, Row, Standing, action_row, function_row, stop_row
from m4alloc.superopt.ir import Function
from m4alloc.superopt.moves import Move, Rewriting, key, price, starts
from m4alloc.superopt.problem import Judge, Step
from m4alloc.tune.network import Layers

WEIGHTS: Final = Path(__file__).with_name("policy.npz")
"""Weights that come with the package."""

IDLE: Final = 200
"""Episodes in a row that propose nothing, after which the search ends."""


@cache
def shipped() -> Agent:
    """The agent that comes with the package; one that has learned nothing where there is none. Raises: AgentError."""
    return Agent.load(WEIGHTS) if WEIGHTS.exists() else Agent.fresh()


@dataclass(frozen=True)
class Policy:
    """Episodes of an agent: the likeliest rules first, and then rules at random by their probabilities.

    agent: the shipped one when not given. steps: of an episode. warmth: above 1 the probabilities are flatter, 1 as
    learned. Episodes begin at the source, at a seed, or at the best so far.
    """

    agent: Agent | None = None
    steps: int = 12
    warmth: float = 1.0
    rewriting: Rewriting = field(default_factory=Rewriting)
    name: str = "policy"

    def run(self, judge: Judge, seed: int) -> None:
        """Search until the budget is spent, or nothing new is proposed for IDLE episodes."""
        rng = np.random.default_rng(seed)
        walker = _Walker(self, judge, self.agent or shipped())
        places = starts(judge.problem, self.rewriting)
        for function, steps in places:
            walker.proposed(function, steps)
        number = idle = 0
        while not judge.budget.is_spent and idle < IDLE:
            before = judge.budget.used
            if number < len(places):
                walker.episode(*places[number], None)
            else:
                best = judge.best
                here = [*places, (best.function, best.steps)]
                walker.episode(*here[int(rng.integers(len(here)))], rng)
            number += 1
            idle = idle + 1 if judge.budget.used == before and number > len(places) else 0


class _Walker:
    def __init__(self, search: Policy, judge: Judge, agent: Agent) -> None:
        self.search, self.judge = search, judge
        self.agent = replace(agent, scorer=_warmed(agent.scorer, search.warmth))
        self.base = max(1.0, price(judge.problem, judge.problem.source))
        self.seen: set[Function] = set()
        self.known: dict[Function, tuple[Sequence[Move], Places]] = {}

    def proposed(self, function: Function, steps: tuple[Step, ...]) -> None:
        """Offer what was not offered before."""
        known = key(function)
        if known not in self.seen:
            self.seen.add(known)
            self.judge.offer(function, self.search.name, steps)

    def episode(self, function: Function, steps: tuple[Step, ...], rng: np.random.Generator | None) -> None:
        """Rules one after another until the agent stops, nothing applies, or the steps or the budget are used up."""
        begun = len(steps)
        least = cost = price(self.judge.problem, function)
        for left in range(self.search.steps, 0, -1):
            if self.judge.budget.is_spent:
                return
            if key(function) not in self.known:
                self.known[key(function)] = (
                    self.search.rewriting.moves(function, self.judge.problem.facts),
                    Places.of(function),
                )
            moves, places = self.known[key(function)]
            applied = tuple(step.rule for step in steps[begun:])
            standing = Standing(cost / self.base, least / self.base, left / self.search.steps, applied)
            told = [stop_row(), *(action_row(places, one.rule, one.at, standing) for one in moves)]
            action = self._chosen(function_row(function, standing), np.array(told), rng)
            if action == STOP:
                return
            step = self.search.rewriting.taken(function, moves[action - 1], self.judge.problem)
            if step is None:
                if rng is None:
                    return  # it would choose the same again
                continue
            function, steps = step.result, (*steps, step)
            cost = price(self.judge.problem, function)
            least = min(least, cost)
            self.proposed(function, steps)

    def _chosen(self, function: Row, actions: Row, rng: np.random.Generator | None) -> int:
        mask = np.ones(len(actions), np.bool_)
        # To stop at once would be an episode for nothing.
        mask[STOP] = len(actions) == 1
        return self.agent.act(function, actions, mask, rng)


def _warmed(scorer: Layers, warmth: float) -> Layers:
    return (*scorer[:4], scorer[4] / warmth, scorer[5] / warmth)
