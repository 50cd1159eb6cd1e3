"""Giving pages back: a timer as ski rental, a limit on what is kept, and calls to the system against memory.

Units: the memory that is needed at a time is a number of units of 64 KiB, each class in the fewest slabs and each
large block in whole units (SlabBounds.units). When it falls, units become idle; when it rises, the unit that fell idle
last is used again. So each unit has gaps: the time from falling idle to its next use. Nothing links the decisions for
two gaps, so that every optimum below is a sum of what is best for each gap. An actual allocator leaves more units
partly used: its gaps are fewer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import UNIT
from m4alloc.tune.curves_pieces import PAGE, kernels
from m4alloc.tune.curves_slabs import SlabBounds

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LIMITS_KEPT = (0, *(1 << bits for bits in range(16, 35)))
"""Bytes of idle units that keep their pages: none, and 64 KiB to 16 GiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What pages cost, in microseconds.

    fault: a page that is touched again after it was given back. release: a call that gives pages back. held: a mebibyte
    of idle pages that is kept for a second. The first two can be measured; the third says what memory is worth. By
    default a mebibyte kept for a second is worth its 256 faults, which is what retain_ms=1000 takes for granted.
    """

    fault: float = 1.75
    release: float = 2.0
    held: float = 448.0

    @property
    def hold_ms(self) -> float:
        """Of one unit kept for a millisecond."""
        return self.held * UNIT / (1 << 20) / 1000

    @property
    def back(self) -> float:
        """Of the faults of one unit."""
        return self.fault * (UNIT // PAGE)

    @property
    def break_even_ms(self) -> float:
        """The time for which a unit costs as much to keep as to give back and fault anew.

        >>> Prices().break_even_ms, Prices(held=896.0).break_even_ms
        (1000.0, 500.0)
        """
        return self.back / self.hold_ms if self.hold_ms else float("inf")


@dataclass(frozen=True, slots=True, eq=False)
class Gaps:
    """Gaps of units, one row for units that fell idle and were used again together, side by side.

    begin_ms, end_ms: when; where nothing ended it, the end is that of the workload. units: how many. first: the number
    of the lowest. ended: whether they were used again; else giving them back costs no fault.
    """

    begin_ms: Ints
    end_ms: Ints
    units: Ints
    first: Ints
    ended: npt.NDArray[np.bool_]

    @property
    def length_ms(self) -> Ints:
        """Of each gap."""
        return self.end_ms - self.begin_ms


def idle_gaps(slabs: SlabBounds, last_ms: int) -> Gaps:
    """The gaps of a workload. last_ms: when it ends.  Cost: O(changes of the level)."""
    begin, end, units, first = kernels().idle_gaps(slabs.time_ms, slabs.units)
    ended = end >= 0
    return Gaps(begin, np.where(ended, end, last_ms), units, first, ended)


@dataclass(frozen=True, slots=True, eq=False)
class TimerCurve:
    """A fixed time for which idle units keep their pages, against knowing each gap.

    All costs in microseconds. timer_ms: every timer that differs from the next shorter one, increasing, 0 first; cost:
    of each; kept: of each, the unit-milliseconds; faults: the units that fault again. offline: the least cost when gaps
    are known. break_even, break_even_ms: the timer that never costs more than twice the offline optimum, whatever the
    program does, and its cost.
    """

    timer_ms: Ints
    cost: Floats
    kept: Floats
    faults: Ints
    offline: float
    break_even: float
    break_even_ms: float

    @property
    def best_ms(self) -> int:
        """The timer that would have cost least."""
        return int(self.timer_ms[int(self.cost.argmin())])

    def at(self, timer_ms: float) -> float:
        """The cost of a timer. Between two of the curve, what is kept too long is added; O(log timers)."""
        place = int(np.searchsorted(self.timer_ms, timer_ms, side="right")) - 1
        return float(self.cost[place] + (timer_ms - self.timer_ms[place]) * self._slope[place])

    _slope: Floats


def timer_curve(gaps: Gaps, prices: Prices = Prices()) -> TimerCurve:
    """What every timer costs: units idle for longer than it are given back, and fault when they are used again.

    A gap of length g costs h g under a timer of g or more, else h T + f, with h the price of holding a unit and f that
    of its faults; the offline optimum is min(h g, f). With T = f / h the cost is at most twice that: ski rental
    (A. Karlin et al., "Competitive snoopy caching", 1988). The last gaps of a program cost no faults.
    Cost: O(gaps log gaps).
    """
    hold, back = prices.hold_ms, prices.back
    length, units = gaps.length_ms, gaps.units.astype(np.float64)
    returns = np.where(gaps.ended, units, 0.0)
    order = np.argsort(length, kind="stable")
    ranked, weight, again = length[order], units[order], returns[order]
    timers = np.unique(np.concatenate(([0], ranked)))
    upto = np.searchsorted(ranked, timers, side="right")
    spent = np.concatenate(([0.0], np.cumsum(ranked * weight)))
    count = np.concatenate(([0.0], np.cumsum(weight)))
    faulting = np.concatenate(([0.0], np.cumsum(again)))
    longer = count[-1] - count[upto]
    kept = spent[upto] + timers * longer
    faults = faulting[-1] - faulting[upto]
    cost = hold * kept + back * faults
    offline = float(np.minimum(hold * length * units, back * returns).sum())
    even = prices.break_even_ms
    curve = TimerCurve(timers, cost, kept, faults.astype(np.int64), offline, 0.0, even, hold * longer)
    at_even = curve.at(even) if np.isfinite(even) else float(cost[-1])
    return TimerCurve(timers, cost, kept, curve.faults, offline, at_even, even, curve._slope)


@dataclass(frozen=True, slots=True)
class Retained:
    """One limit on the bytes of idle units that keep their pages, retain_bytes.

    releases: calls that give pages back. faults: pages that fault again. kept_mean: bytes kept idle, over the time.
    cost: microseconds, at the prices asked for.
    """

    limit: int
    releases: int
    faults: int
    kept_mean: float
    cost: float


def retained_curve(
    slabs: SlabBounds,
    last_ms: int,
    limits: Sequence[int] = LIMITS_KEPT,
    prices: Prices = Prices(),
    share: int = 0,
) -> tuple[Retained, ...]:
    """What every limit costs: what falls idle beyond it is given back at once, the longest idle first.

    share: as many hundredths of what is in use may be kept at any limit, retain_share.

    Cost: O(changes of the level) for each limit.
    """
    units = np.asarray([limit // UNIT for limit in limits], np.int64)
    releases, faults, kept = kernels().retained(slabs.time_ms, slabs.units, last_ms, units, share)
    return tuple(
        Retained(
            int(limit),
            int(releases[n]),
            int(faults[n]) * (UNIT // PAGE),
            float(kept[n]) * UNIT / max(1, last_ms),
            float(releases[n] * prices.release + faults[n] * prices.back + kept[n] * prices.hold_ms),
        )
        for n, limit in enumerate(limits)
    )


@dataclass(frozen=True, slots=True, eq=False)
class Releases:
    """Calls to the system against memory, when all gaps are known.

    calls: 0, 1, 2 .. calls that give an idle extent back. kept_mean: for each, the least bytes kept idle over the time.
    offline: the least cost at the prices asked for, and offline_calls the calls that it makes.
    """

    calls: Ints
    kept_mean: Floats
    offline: float
    offline_calls: int


def release_curve(gaps: Gaps, last_ms: int, prices: Prices = Prices(), points: int = 200) -> Releases:
    """The least memory for every number of calls, one for each idle extent that is given back, when it falls idle.

    An extent is units with the same gap, side by side. (Who waits until several have fallen idle can give them back
    with one call, and keeps them longer.) Every call costs the same and frees the extent's size for the length of its
    gap, and no two depend on each other, so the best k are the k largest products. points: of the curve, at most.
    Cost: O(gaps log gaps).
    """
    product = np.sort((gaps.units * gaps.length_ms).astype(np.float64))[::-1]
    rest = product.sum() - np.concatenate(([0.0], np.cumsum(product)))
    keep = gaps.units * gaps.length_ms * prices.hold_ms
    give = np.where(gaps.ended, gaps.units * prices.back, 0.0) + prices.release
    shown = np.unique(np.geomspace(1, len(rest), min(points, len(rest))).astype(np.int64)) - 1
    return Releases(
        shown,
        np.maximum(rest[shown], 0.0) * UNIT / max(1, last_ms),
        float(np.minimum(keep, give).sum()),
        int((give < keep).sum()),
    )
