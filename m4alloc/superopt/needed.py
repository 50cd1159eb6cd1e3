"""Leaves out of a proof the facts that it does not need, so that what is adopted carries no more conditions."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.verdict import Verdict

Facts = tuple[Fact, ...]

MOST = 8
"""Facts that are left out one by one; of more, the first so many."""


def needed(verdict: Verdict, prove: Callable[[Facts, float], Verdict], *, seconds: float = 4.0) -> Verdict:
    """A proof of the same under as few of its facts as further proofs show to be enough.

    prove: whether it holds under these facts, decided in so many seconds.  First without any fact, then without each
    in turn.  Every verdict that is given back is a whole proof of its own; where none succeeds it is `verdict`.
    seconds: for all of the proofs together, a quarter of it for each at most.
    Cost: at most MOST + 1 proofs; none where nothing was proved or nothing assumed.
    """
    if not verdict.accepted or not verdict.assumptions:
        return verdict
    ends = time.monotonic() + seconds
    facts = verdict.assumptions
    trials: list[Fact | None] = [None, *(facts[:MOST] if len(facts) > 1 else ())]
    for trial in trials:
        left = min(seconds / 4, ends - time.monotonic())
        if left <= 0.0:
            break
        fewer = () if trial is None else tuple(fact for fact in verdict.assumptions if fact != trial)
        found = prove(fewer, left)
        if found.accepted:
            stages = tuple(replace(stage, name=f"{stage.name} with fewer facts") for stage in found.stages)
            spent = verdict.seconds + found.seconds
            verdict = replace(found, stages=(*verdict.stages, *stages), seconds=spent)
        if not verdict.assumptions:
            break
    return verdict
