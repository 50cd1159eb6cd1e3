"""Which knob of a tuned strategy matters, and why: each one alone, and the whole without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields

from m4alloc.strategy import Strategy, StrategyError
from m4alloc.tune.result import Evaluation, Objectives, Simulation
from m4alloc.view.quantity import number, percent, significant, size

Evaluate = Callable[[Strategy], Evaluation]
TOGETHER = ("classes", "slab_bytes", "stack_depths")
"""Knobs that have one value for each class: without the classes the others mean nothing."""

COUNTERS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("faults", "page faults", lambda value: number(round(value))),
    ("refills", "refills of empty stacks", lambda value: number(round(value))),
    ("flushes", "flushes of full stacks", lambda value: number(round(value))),
    ("slabs_made", "slabs made", lambda value: number(round(value))),
    ("os_calls", "calls of the system", lambda value: number(round(value))),
    ("lines", "cache lines fetched", lambda value: significant(value)),
    ("footprint_peak", "peak memory", size),
    ("internal", "of live memory not asked for", percent),
    ("external", "of memory in no live block", percent),
)
"""What a change of a knob can be seen in: attribute of Simulation, in words, and how it is written."""
NOTICED = 0.02
"""Relative change of a counter that is worth telling."""


@dataclass(frozen=True, slots=True)
class Importance:
    """One knob that a strategy sets otherwise than the baseline.

    before, after: its value in words. alone: the baseline with this knob only. without: the strategy with this knob as
    it was, in objectives of the baseline. why: the counters that it moves most.
    """

    knob: str
    before: str
    after: str
    alone: Objectives
    without: Objectives
    why: str

    def weight(self, whole: Objectives) -> float:
        """How much of time and memory is lost without it: the sum of both, as shares of the baseline's."""
        return (self.without.time - whole.time) + (self.without.memory - whole.memory)


def importance(strategy: Strategy, baseline: Strategy, evaluate: Evaluate) -> tuple[Importance, ...]:
    """The knobs in which a strategy differs, the most important first.

    evaluate: gives objectives relative to `baseline`, with simulations. A knob without which the others make no
    strategy, as the bytes of a longer delay line, is left out. Cost: two evaluations a knob that differs.

    >>> importance(Strategy(), Strategy(), lambda one: Evaluation(one, Objectives(1.0, 1.0, 0.0)))
    ()
    """
    whole = evaluate(strategy)
    found = []
    for group in differing(strategy, baseline):
        try:
            back = strategy.with_(**{name: getattr(baseline, name) for name in group})
            only = baseline.with_(**{name: getattr(strategy, name) for name in group})
        except StrategyError:
            continue  # it is there so that another knob can be what it is
        without = evaluate(back)
        found.append(
            Importance(
                " and ".join(group),
                in_words(baseline, group),
                in_words(strategy, group),
                evaluate(only).objectives,
                without.objectives,
                reason(without.simulations, whole.simulations),
            )
        )
    return tuple(sorted(found, key=lambda one: -one.weight(whole.objectives)))


def differing(strategy: Strategy, baseline: Strategy) -> list[tuple[str, ...]]:
    """The knobs that differ, those of the classes in one group.

    >>> differing(Strategy(stack_depth=64, prefault=4096), Strategy())
    [('stack_depth',), ('prefault',)]
    """
    names = [one.name for one in fields(Strategy) if getattr(strategy, one.name) != getattr(baseline, one.name)]
    tied = tuple(name for name in TOGETHER if name in names)
    if "classes" not in tied:
        return [(name,) for name in names]
    return [tied, *((name,) for name in names if name not in tied)]


def in_words(strategy: Strategy, group: tuple[str, ...]) -> str:
    """The values of a group of knobs.

    >>> in_words(Strategy(), ("classes",)), in_words(Strategy(), ("stack_bytes",))
    ('40 classes up to 32,768', '262,144')
    """
    return "; ".join(_value(name, getattr(strategy, name)) for name in group)


def _value(name: str, value: object) -> str:
    if name == "classes" and isinstance(value, tuple):
        return f"{len(value)} classes up to {value[-1]:,}"
    if isinstance(value, tuple):
        return f"{min(value):,} to {max(value):,}" if value else "by rule"
    if isinstance(value, bool):
        return "on" if value else "off"
    return f"{value:,}" if isinstance(value, int) else str(value)


def reason(before: tuple[Simulation, ...], after: tuple[Simulation, ...]) -> str:
    """The counters that moved most, summed over the workloads; two at most.

    >>> reason((), ())
    'no counter moves'
    """
    moved = []
    for name, words, show in COUNTERS:
        old = sum(float(getattr(one, name)) for one in before)
        new = sum(float(getattr(one, name)) for one in after)
        share = abs(new - old) / max(old, new, 1e-9)
        if share >= NOTICED:
            count = len(before) if name in ("internal", "external") else 1
            moved.append((share, f"{words}: {show(new / count)} instead of {show(old / count)}"))
    told = [text for _, text in sorted(moved, key=lambda one: -one[0])[:2]]
    return "; ".join(told) or "no counter moves"
