"""Idioms as one of the searches: what is found of a whole function is offered with the proof it came with."""

from __future__ import annotations

from m4alloc.superopt.cost import cost
from m4alloc.superopt.idioms import find
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.problem import Candidate, Judge, Step

SECONDS = 10.0
"""For one proof, where the budget has more."""


class Idioms:
    """Offers what `idioms.find` finds; a loop is followed as far as idioms.BOUND.

    Memory that other threads may touch is left alone: the proofs of idioms do not ask for that.
    """

    name = "idioms"

    def run(self, judge: Judge, seed: int) -> None:
        """Offer every idiom of the problem's function once; nothing is drawn at random."""
        problem = judge.problem
        touches = any(one.opcode in {"load", "store"} for one in problem.source)
        if touches and getattr(judge, "shared", True):
            return
        found = find(problem.source, problem.facts, seconds=min(SECONDS, judge.budget.left))
        for offer in found.offers:
            steps = (Step(offer.idiom, "the whole function", offer.function, offer.verdict),)
            if isinstance(judge, TheJudge):
                price = cost(offer.function, problem.target, problem.objective)
                after = judge.budget.seconds - judge.budget.left
                judge.adopt(Candidate(offer.function, price, offer.verdict, self.name, steps, after))
            else:
                judge.offer(offer.function, self.name, steps)
