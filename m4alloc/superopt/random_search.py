"""Random search: rules and mutations chosen uniformly, the least that every other method must beat."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Final

from m4alloc.superopt import mutate
from m4alloc.superopt.ir import Function
from m4alloc.superopt.moves import Rewriting, key, starts
from m4alloc.superopt.problem import Judge, Step

IDLE: Final = 1000
"""Walks in a row that propose nothing, after which the space counts as exhausted."""


@dataclass(frozen=True)
class RandomSearch:
    """Short walks from the source, a seed or the best so far; each step is a rule at a place, or a mutation.

    longest: steps of a walk. mutations: share of walks that mutate instead of applying rules; a mutated function is
    proposed like any other, and hardly ever accepted.
    """

    longest: int = 8
    mutations: float = 0.3
    rewriting: Rewriting = field(default_factory=Rewriting)
    name: str = "random"

    def run(self, judge: Judge, seed: int) -> None:
        """Search until the budget is spent, or nothing new is proposed for IDLE walks."""
        rng = random.Random(seed)
        places = starts(judge.problem, self.rewriting)
        seen: set[Function] = set()
        for function, steps in places:
            seen.add(key(function))
            judge.offer(function, self.name, steps)
        idle = 0
        while not judge.budget.is_spent and idle < IDLE:
            before = judge.budget.used
            function, steps = rng.choice([*places, (judge.best.function, judge.best.steps)])
            mutating = rng.random() < self.mutations
            for _ in range(rng.randint(1, 2 if mutating else self.longest)):
                step = self._step(function, judge, rng, mutating)
                if step is None or judge.budget.is_spent:
                    break
                function, steps = step.result, (*steps, step)
                if key(function) not in seen:
                    seen.add(key(function))
                    judge.offer(function, self.name, steps)
            idle = idle + 1 if judge.budget.used == before else 0

    def _step(self, function: Function, judge: Judge, rng: random.Random, mutating: bool) -> Step | None:
        if mutating:
            return mutate.mutated(function, rng, mutate.pool_of(judge.problem.source))[1]
        move = self.rewriting.some(function, judge.problem.facts, rng)
        return None if move is None else self.rewriting.taken(function, move, judge.problem)
