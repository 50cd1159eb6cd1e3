"""Simplify: of what a search changed, only what pays stays changed."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final, TypeVar

from m4alloc.strategy import Strategy, StrategyError
from m4alloc.tune.archive import EQUAL
from m4alloc.tune.result import Evaluation, Objectives
from m4alloc.tune.space import Allowed, everything

Judged = TypeVar("Judged", bound=Evaluation)

TOGETHER: Final = (("slab_bytes",), ("stack_depths",), ("classes", "slab_bytes", "stack_depths"))
"""Knobs that are put back together; all others one by one. A class set takes with it what is one number a class."""


def simplified(
    chosen: Judged,
    baseline: Strategy,
    evaluate: Callable[[Strategy], Judged],
    allowed: Allowed = everything,
    *,
    keep_security: bool = True,
) -> Judged:
    """The candidate with every knob put back that can be without losing 0.2 % of time or memory, or any security.

    keep_security: else more security than is allowed at least goes where it gains neither time nor memory.

    A search drifts in knobs that do not matter to the program; what remains explains the gain. Deterministic. Cost: as
    many evaluations as knobs differ, for each pass until nothing changes, two mostly.

    >>> def worth(strategy):
    ...     return Evaluation(strategy, Objectives(1 - 0.1 * strategy.placement, 1.0, 4.0))
    >>> best = simplified(worth(Strategy(placement=1, refill_batch=8)), Strategy(), worth)
    >>> best.strategy.to_environment()
    'placement=1'
    """
    own = chosen.objectives
    best = chosen
    while True:
        before = best
        for names in _groups(best.strategy, baseline):
            try:
                simpler = best.strategy.with_(**{name: getattr(baseline, name) for name in names})
            except StrategyError:
                continue
            if simpler == best.strategy or not allowed(simpler):
                continue
            found = evaluate(simpler)
            if _no_worse(found.objectives, own, own.security if keep_security else -math.inf):
                best = found
        if best is before:
            return best


def _groups(strategy: Strategy, baseline: Strategy) -> list[tuple[str, ...]]:
    joined = {name for names in TOGETHER for name in names}
    alone = [(name,) for name in Strategy.__slots__ if name not in joined]
    return [
        names
        for names in (*TOGETHER, *alone)
        if any(getattr(strategy, name) != getattr(baseline, name) for name in names)
    ]


def _no_worse(one: Objectives, own: Objectives, security: float) -> bool:
    limit = 1 + EQUAL
    return one.time <= own.time * limit and one.memory <= own.memory * limit and one.security >= security
