"""Exact answers about one workload together: how far a strategy is from each optimum, and where a search may begin."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.strategy import CLASSES_MAX, SMALL_MAX, Strategy, StrategyError
from m4alloc.tune.curves_classes import ClassCurve, ClassRules, Overhead, class_curve
from m4alloc.tune.curves_demand import Demand, Weight
from m4alloc.tune.curves_live import LiveCurve, live_curve
from m4alloc.tune.curves_pages import (
    Gaps,
    Prices,
    Releases,
    Retained,
    TimerCurve,
    idle_gaps,
    release_curve,
    retained_curve,
    timer_curve,
)
from m4alloc.tune.curves_pieces import Pieces, pieces
from m4alloc.tune.curves_quarantine import CountedPoint, QuarantineCurve, counted_curve, held_slots, quarantine_curve
from m4alloc.tune.curves_slabs import SlabBounds, best_slab_bytes, slab_bounds
from m4alloc.tune.curves_stacks import StackCurve, best_depths, class_delays, stack_curves, strategy_depths
from m4alloc.tune.workload import Workload
from m4alloc.view.quantity import duration, number, percent, size

DEFAULT = Strategy()
DEFAULT_PRICES = Prices()
CLASS_COUNTS = (8, 12, 16, 20, 24, 32, 40, 48, 64)
CLASS_BYTES = 20 << 10
"""What one class more costs: pages of its slabs that are partly used, its part of each thread's tables. On ten recorded
programs the number of classes that this gives has a simulated footprint within 1 % of the least."""
BUDGETS = (4 << 20, 1 << 20, 16 << 20, 256 << 10)
"""Bytes that stacks may hold, in the order in which depths for them are suggested."""


@dataclass(frozen=True, slots=True)
class Distance:
    """How far a strategy is from what is possible for one policy, all others aside.

    knob: of Strategy. unit: of the values, "share" being of one. value: this strategy's. optimum: the best one; bound:
    it is only known that nothing is better. ratio: value to optimum, at least 1 up to rounding. why: a sentence.
    """

    knob: str
    unit: str
    value: float
    optimum: float
    ratio: float
    bound: bool
    why: str


def _distance(knob: str, unit: str, value: float, optimum: float, why: str, *, bound: bool = False) -> Distance:
    ratio = value / optimum if optimum else (math.inf if value else 1.0)
    return Distance(knob, unit, float(value), float(optimum), ratio, bound, why)


@dataclass(frozen=True, eq=False)
class Exact:
    """The exact answers about a workload; each is worked out when it is first asked for, and kept.

    classes_max: the most classes of the curve of classes. prices: of faults, calls and memory. base: the strategy whose
    classes and delay line the curves of slabs, stacks and pages are for.
    """

    workload: Workload
    classes_max: int = 64
    prices: Prices = DEFAULT_PRICES
    base: Strategy = DEFAULT
    _by_classes: dict[tuple[int, ...], Pieces] = field(default_factory=dict, repr=False)

    @cached_property
    def _parts(self) -> Pieces:
        return pieces(self.workload)

    def _pieces_of(self, classes: tuple[int, ...]) -> Pieces:
        if classes not in self._by_classes:
            if len(self._by_classes) > 1:  # they are large: the base's and the last ones
                self._by_classes.popitem()
            self._by_classes[classes] = pieces(self.workload, classes)
        return self._by_classes[classes]

    @cached_property
    def _last_ms(self) -> int:
        return int(self.workload.time_ms.max(initial=0))

    @cached_property
    def live(self) -> LiveCurve:
        """Live bytes over time; their peak bounds every footprint."""
        return live_curve(self.workload, parts=self._parts)

    @cached_property
    def demand(self) -> Demand:
        """How much of each size, by byte-seconds (each block counts for as many calls as it lives)."""
        return Demand.of(self.workload, Weight.TIME, self._parts)

    @cached_property
    def demand_at_peak(self) -> Demand:
        """How much of each size when most bytes are live."""
        return Demand.of(self.workload, Weight.PEAK, self._parts)

    @cached_property
    def classes(self) -> ClassCurve:
        """The least waste for every number of classes up to classes_max, by byte-seconds, the last one 32,768."""
        return class_curve(self.demand, self.classes_max, self._rules(SMALL_MAX))

    def _rules(self, largest: int, overhead: Overhead | None = None) -> ClassRules:
        """Sets that end in `largest`, of sizes that the base's capabilities bound."""
        return ClassRules(largest=largest, forced=(largest,), representable=self.base.representable, overhead=overhead)

    @cached_property
    def slabs(self) -> SlabBounds:
        """Slabs of the base's classes."""
        return self.slabs_of(self.base, future=True)

    def slabs_of(self, strategy: Strategy, *, future: bool = False) -> SlabBounds:
        """Slabs of a strategy's classes; future: with the packing that knows it."""
        parts = self._pieces_of(strategy.classes)
        return slab_bounds(self.workload, strategy.classes, strategy.slab_bytes, parts, future=future)

    @cached_property
    def stacks(self) -> tuple[StackCurve, ...]:
        """Misses of the stacks of the base's classes at every depth, behind its delay line."""
        return self.stacks_of(self.base)

    def stacks_of(self, strategy: Strategy) -> tuple[StackCurve, ...]:
        """The same of another strategy."""
        parts = self._pieces_of(strategy.classes)
        return stack_curves(self.workload, strategy.classes, class_delays(strategy), parts)

    @cached_property
    def quarantine(self) -> QuarantineCurve:
        """Windows against memory of a quarantine by bytes."""
        return quarantine_curve(self.workload, parts=self._parts)

    @cached_property
    def counted(self) -> tuple[CountedPoint, ...]:
        """Memory of a quarantine or delay line by blocks, of the base's classes."""
        return counted_curve(self.workload, self.base.classes, parts=self._pieces_of(self.base.classes))

    @cached_property
    def gaps(self) -> Gaps:
        """How long units of 64 KiB lie idle."""
        return idle_gaps(self.slabs, self._last_ms)

    @cached_property
    def timer(self) -> TimerCurve:
        """What every retain_ms costs."""
        return timer_curve(self.gaps, self.prices)

    @cached_property
    def retained(self) -> tuple[Retained, ...]:
        """What every retain_bytes costs."""
        return retained_curve(self.slabs, self._last_ms, prices=self.prices)

    @cached_property
    def releases(self) -> Releases:
        """Calls to the system against memory."""
        return release_curve(self.gaps, self._last_ms, self.prices)

    def distances(self, strategy: Strategy) -> tuple[Distance, ...]:
        """For each policy, where this strategy stands, where the optimum or a bound, and a sentence about it.

        Each looks at its policy alone; what they do to one another is for the simulator.
        Cost: a few passes over the calls when the strategy's classes are not the base's.

        >>> from m4alloc.tune.example import example_workload
        >>> for distance in Exact(example_workload(2000)).distances(Strategy())[:2]:
        ...     print(distance.why)
        classes: 10.6 % of live slots' bytes are wasted by 40 classes; 7.2 % are possible with as many
        slab_bytes: the fewest whole slabs take 1.25 MB at their peaks; of the best sizes for these classes, 1.25 MB
        """
        slabs = self.slabs if self._same(strategy) else self.slabs_of(strategy)
        return (
            self._classes_distance(strategy),
            self._slabs_distance(slabs),
            self._footprint_distance(slabs),
            self._stacks_distance(strategy),
            self._delay_distance(strategy),
            self._timer_distance(strategy),
            self._retained_distance(strategy),
        )

    def _same(self, strategy: Strategy) -> bool:
        return (strategy.classes, strategy.slab_bytes) == (self.base.classes, self.base.slab_bytes)

    def _classes_distance(self, strategy: Strategy) -> Distance:
        most = strategy.classes[-1]
        count = len(strategy.classes)
        rules = ClassRules(largest=most, forced=(most,), representable=strategy.representable)
        curve = class_curve(self.demand, count, rules)
        wasted = self.demand.waste(strategy.classes)
        value = wasted / (wasted + curve.requested) if curve.requested else 0.0
        best = curve.share(count)
        least = min(best, self.classes.share(self.classes_max))
        more = f", {percent(least)} with {self.classes_max}" if percent(least) != percent(best) else ""
        why = (
            f"classes: {percent(value)} of live slots' bytes are wasted by {count} classes; {percent(best)} are "
            f"possible with as many{more}"
        )
        return _distance("classes", "share", value, best, why)

    def _slabs_distance(self, slabs: SlabBounds) -> Distance:
        best = best_slab_bytes(slabs)
        least = slabs.large_peak + sum(
            -(-row.peak // (bytes_ // row.slot_size)) * bytes_ for row, bytes_ in zip(slabs.classes, best, strict=True)
        )
        why = (
            f"slab_bytes: the fewest whole slabs take {size(slabs.least_bytes)} at their peaks; of the best sizes for "
            f"these classes, {size(least)}"
        )
        return _distance("slab_bytes", "bytes", slabs.least_bytes, least, why)

    def _footprint_distance(self, slabs: SlabBounds) -> Distance:
        why = (
            f"footprint: live slots and large blocks take {size(slabs.used_peak)} at the peak, a bound for these "
            f"classes; live requests {size(self.live.peak)}, a bound for any allocator"
        )
        return _distance("footprint", "bytes", slabs.used_peak, self.live.peak, why, bound=True)

    def _stacks_distance(self, strategy: Strategy) -> Distance:
        same = strategy.classes == self.base.classes and class_delays(strategy) == class_delays(self.base)
        curves = self.stacks if same else self.stacks_of(strategy)
        depths = strategy_depths(strategy)
        value = sum(curve.misses(depth) for curve, depth in zip(curves, depths, strict=True))
        budget = sum(curve.bytes(depth) for curve, depth in zip(curves, depths, strict=True))
        best = best_depths(curves, budget, least=min(16, *depths))
        optimum = min(best.misses, value)
        cold = sum(curve.misses(curve.depths[-1] if len(curve.depths) else 0) for curve in curves)
        why = (
            f"stack_depths: in batches of one, {number(value)} mallocs and frees miss their stack; {number(optimum)} "
            f"with the same {size(budget)} divided best, {number(cold)} at any depth"
        )
        return _distance("stack_depths", "misses", value, optimum, why)

    def _delay_distance(self, strategy: Strategy) -> Distance:
        lines = class_delays(strategy)
        parts = self._pieces_of(strategy.classes)
        held, shared = held_slots(self.workload, strategy.classes, lines, parts)
        why = (
            f"delay_line: freed slots that wait take {size(held)}, up to {max(lines)} of a class and thread; in one "
            f"line a class, {size(shared)} would do"
        )
        return _distance("delay_line", "bytes", held, shared, why, bound=True)

    def _timer_distance(self, strategy: Strategy) -> Distance:
        value = self.timer.at(strategy.retain_ms)
        best = self.timer.best_ms
        why = (
            f"retain_ms: a timer of {strategy.retain_ms} ms alone costs {duration(value / 1e6)}; the best, {best} ms, "
            f"{duration(self.timer.at(best) / 1e6)}; knowing the future, {duration(self.timer.offline / 1e6)}"
        )
        return _distance("retain_ms", "us", value, self.timer.offline, why, bound=True)

    def _retained_distance(self, strategy: Strategy) -> Distance:
        (now,) = retained_curve(self.slabs, self._last_ms, (strategy.retain_bytes,), self.prices, strategy.retain_share)
        best = min(self.retained, key=lambda point: (point.cost, point.limit))
        # One call may give back several extents, so that what calls cost is no part of the bound.
        optimum = self.timer.offline
        why = (
            f"retain_bytes: the limit alone costs {duration(now.cost / 1e6)}, with {number(now.releases)} calls; the "
            f"best fixed one, {size(best.limit)}, {duration(best.cost / 1e6)}; knowing the future, "
            f"{duration(optimum / 1e6)}"
        )
        return _distance("retain_bytes", "us", now.cost, optimum, why, bound=True)

    def class_sets(
        self, counts: Sequence[int] = CLASS_COUNTS, rules: ClassRules | None = None
    ) -> list[tuple[int, ...]]:
        """The best sets for these numbers of classes, those first that take least at the peak of live bytes.

        That is what their slots take, and CLASS_BYTES a class. rules: of the sets; by default 32,768 is the last class,
        so that the large threshold stays. Sets that no Strategy may have are left out.
        """
        curve = self.classes if rules is None else class_curve(self.demand, max(counts), rules)
        found = {
            curve.classes(count) for count in counts if count < len(curve.waste) and math.isfinite(curve.waste[count])
        }
        return sorted(filter(self._valid, found), key=self._at_peak)

    def _with(self, classes: tuple[int, ...]) -> Strategy:
        return self.base.with_(classes=classes, slab_bytes=(), stack_depths=())

    def _valid(self, classes: tuple[int, ...]) -> bool:
        try:
            self._with(classes)
        except StrategyError:
            return False
        return True

    def _at_peak(self, classes: tuple[int, ...]) -> float:
        return self.demand_at_peak.waste(classes) + CLASS_BYTES * len(classes)

    def _pays(self, cost: float) -> bool:
        """Is it less than the base's timer costs, by a hundredth and a microsecond at least?"""
        return cost < 0.99 * self.timer.at(self.base.retain_ms) - 1

    def suggestions(self) -> Mapping[str, Sequence[Any]]:
        """Values of knobs worth a try, the best first; slab_bytes and stack_depths are for the first of the class sets.

        The best is that of each policy alone; where the base's own is as good there are none. All are values that a
        Strategy may have.

        >>> from m4alloc.tune.example import example_workload
        >>> found = Exact(example_workload(2000)).suggestions()
        >>> sorted(found)
        ['classes', 'slab_bytes', 'stack_depths']
        """
        # The number of classes is a matter of what one costs; with that, the optimum has the right number.
        rules = self._rules(SMALL_MAX, lambda slots, counts: np.full(slots.shape, float(CLASS_BYTES)))
        classes = [class_curve(self.demand_at_peak, CLASSES_MAX, rules).classes(CLASSES_MAX)]
        classes += [one for one in self.class_sets() if one not in classes]
        for largest in (8192, 131072):
            classes += [one for one in self.class_sets((32,), self._rules(largest)) if one not in classes]
        classes = [one for one in classes if self._valid(one)]
        first = self._with(classes[0]) if classes else self.base
        curves = self.stacks_of(first)
        depths = [best_depths(curves, budget).depths for budget in BUDGETS]
        timers = [self.timer.best_ms] if self._pays(self.timer.at(self.timer.best_ms)) else []
        even = self.prices.break_even_ms
        if math.isfinite(even) and round(even) != self.base.retain_ms:
            timers.append(round(even))
        limits = [point for point in self.retained if self._pays(point.cost)]
        limits = sorted(limits, key=lambda point: (point.cost, point.limit))[:3]
        # Longer promises that cost next to nothing: 2 % of the peak.
        lines = [point.count for point in self.counted if self.base.delay_line < point.count <= 4096]
        peaks = {point.count: point.peak for point in self.counted}
        affordable = [count for count in lines if peaks[count] <= 1.02 * peaks[1]]
        found: dict[str, Sequence[Any]] = {
            "classes": classes,
            "slab_bytes": [best_slab_bytes(self.slabs_of(first))] if classes else [],
            "stack_depths": list(dict.fromkeys(depths)) if classes else [],
            "retain_ms": list(dict.fromkeys(timers)),
            "retain_bytes": [point.limit for point in limits],
            "delay_line": affordable[::-1][:3],
        }
        return {name: values for name, values in found.items() if values}


PHASES = ("live", "demand", "classes", "slabs", "stacks", "quarantine", "counted", "timer", "retained", "releases")


def exact(
    workload: Workload,
    *,
    classes_max: int = 64,
    prices: Prices = DEFAULT_PRICES,
    base: Strategy | None = None,
    progress: Progress | None = None,
) -> Exact:
    """The exact answers about a workload.

    classes_max: the most classes looked at. prices: what faults, calls and memory cost. base: the strategy whose
    classes and delay line the curves of slabs, stacks and pages are for, by default the default. progress: when given,
    everything is worked out at once and told there; else each answer when it is first asked for.
    Cost: about a second for a million calls; the first time, numba compiles for some seconds.
    Raises: ModuleNotFoundError without numba, when something is worked out.

    >>> from m4alloc.tune.example import example_workload
    >>> answers = exact(example_workload(2000))
    >>> answers.live.peak, answers.classes.classes(4)
    (7406, (96, 272, 768, 32768))
    """
    answers = Exact(workload, classes_max, prices, base or DEFAULT)
    if progress is not None:
        progress.phase("exact answers", len(PHASES))
        for done, phase in enumerate(PHASES, 1):
            getattr(answers, phase)
            progress.advance(done)
    return answers
