"""Best-first search over the rules: the smallest function reached so far is rewritten next."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

from m4alloc.superopt.ir import Function
from m4alloc.superopt.moves import Rewriting, key, starts
from m4alloc.superopt.problem import Judge, Step
from m4alloc.superopt.simplify_structural import applications


@dataclass
class BestFirst:
    """Applies every rule at every place of the smallest function that was not rewritten yet, ties by fewer steps.

    Beside the rules over terms those of branches, memory and the places of instructions.

    most: functions that are kept; a function larger than the source by more than `moves.GROWTH` is not.
    patience: functions in a row that are rewritten without any gain, after which the search ends.
    exhausted: whether the last run ended because no further function could be reached; impatient: or for want of gain.
    """

    most: int = 20_000
    patience: int = 200
    rewriting: Rewriting = field(default_factory=lambda: Rewriting(applications=applications))
    name: str = "rules"
    exhausted: bool = False
    impatient: bool = False

    def run(self, judge: Judge, seed: int) -> None:
        """Offer every function that is smaller than the best, or as small; deterministic, `seed` is not used."""
        self.exhausted = self.impatient = False
        order = count()
        queue: list[tuple[int, int, int, Function, tuple[Step, ...]]] = []
        seen: set[Function] = set()

        def reach(function: Function, steps: tuple[Step, ...]) -> None:
            name = key(function)
            if name not in seen and len(seen) < self.most:
                seen.add(name)
                heapq.heappush(queue, (function.size, len(steps), next(order), function, steps))
                if steps and function.size <= judge.best.cost.ir:
                    judge.offer(function, self.name, steps)

        for function, steps in starts(judge.problem, self.rewriting):
            reach(function, steps)
        best, idle = judge.best.cost, 0
        while queue and not judge.budget.is_spent:
            idle = idle + 1 if judge.best.cost == best else 0
            best = judge.best.cost
            if idle > self.patience:
                self.impatient = True
                return
            *_, function, steps = heapq.heappop(queue)
            for move in self.rewriting.moves(function, judge.problem.facts):
                if judge.budget.is_spent:
                    return
                step = self.rewriting.taken(function, move, judge.problem)
                if step is not None:
                    reach(step.result, (*steps, step))
        self.exhausted = not queue and len(seen) < self.most
