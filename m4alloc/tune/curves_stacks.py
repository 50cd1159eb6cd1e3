"""The hit curve of the thread stacks, for every depth at once, and the best use of a budget of bytes.

The model: each thread has one stack a class. A malloc takes the slot on top; at an empty stack it is a miss, and gets
one slot from the slabs. A free by the thread that allocated puts the slot on the stack; at a full one, one slot, the
oldest, goes back to the slabs, which is a flush. Under a delay line, a slot comes on the stack only when `delay` more
of its class have been freed by the thread, so that the first `delay` frees of a class and thread never do. What others
free does not come on the stack. A stack of depth d then holds the top part of what a deeper one holds, so a slot that
is pushed is popped by the same malloc at every depth that keeps it until then: the depth that this takes is the most
slots that lay from it upwards in the meantime, and one pass finds it for all of them, as stack distances do for LRU
caches (Mattson et al., "Evaluation techniques for storage hierarchies", 1970).

The core refills and flushes in batches. For a pair of depth and batch there is no such order between the depths, and no
closed form: these are simulated (m4alloc.tune.simulate).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import DEPTHS as GIVEN
from m4alloc.strategy import LIMITS, SMALL_MAX, Strategy
from m4alloc.tune.curves_pieces import Pieces, kernels, pieces
from m4alloc.tune.simulate import stack_depth
from m4alloc.tune.workload import Workload

DEPTHS = LIMITS["stack_depth"]


@dataclass(frozen=True, slots=True, eq=False)
class StackCurve:
    """One class: what its stacks miss at each depth.

    mallocs, frees, remote_frees: of the class; remote ones by another thread than allocated. threads: that allocate.
    cold: mallocs that miss at any depth. depths: increasing, at which a count changes. Source of misses and flushes.
    """

    slot_size: int
    mallocs: int
    frees: int
    remote_frees: int
    threads: int
    cold: int
    depths: npt.NDArray[np.int64]
    _hits: npt.NDArray[np.int64]
    _kept: npt.NDArray[np.int64]
    _pushed: int

    def refills(self, depth: int) -> int:
        """Mallocs that find an empty stack of that depth. Cost: O(log depths)."""
        return self.mallocs - self._up_to(self._hits, depth)

    def flushes(self, depth: int) -> int:
        """Slots that a full stack of that depth gives back. Cost: O(log depths)."""
        return self._pushed - self._up_to(self._kept, depth)

    def misses(self, depth: int) -> int:
        """Refills and flushes together."""
        return self.refills(depth) + self.flushes(depth)

    def bytes(self, depth: int) -> int:
        """The most that the stacks of all threads hold."""
        return depth * self.slot_size * self.threads

    def _up_to(self, counts: npt.NDArray[np.int64], depth: int) -> int:
        place = int(np.searchsorted(self.depths, depth, side="right"))
        return int(counts[place - 1]) if place else 0


def class_delays(strategy: Strategy) -> tuple[int, ...]:
    """For each class, frees between the free of a slot and its arrival on the stack, as the core has them.

    The delay line's length is a power of two, within delay_bytes; the quarantine follows it, also one that gives out
    random slots.

    >>> class_delays(Strategy())[0], class_delays(Strategy())[-1]
    (16, 1)
    """
    delays = []
    for slot in strategy.classes:
        line = 1 << (strategy.delay_line - 1).bit_length() if strategy.delay_line else 0
        while line > 1 and line * slot > strategy.delay_bytes:
            line //= 2
        fits = max(1, strategy.quarantine_bytes // slot)
        delays.append(line + min(strategy.quarantine, fits))
    return tuple(delays)


def strategy_depths(strategy: Strategy) -> tuple[int, ...]:
    """For each class, the depth of its stacks, as the core has them.

    >>> strategy_depths(Strategy())[0], strategy_depths(Strategy())[-1], strategy_depths(Strategy(classes=(16, 131072)))
    (1024, 16, (1024, 2))
    """
    return tuple(stack_depth(strategy, number, slot) for number, slot in enumerate(strategy.classes))


def least_depth(slot_size: int) -> int:
    """The least depth that is suggested for a class: what the core falls back on, 16 slots, or 2 above 32,768 bytes.

    >>> least_depth(32768), least_depth(36864)
    (16, 2)
    """
    return DEPTHS[0] if slot_size <= SMALL_MAX else GIVEN[0]


def _leasts(curves: Sequence[StackCurve], least: int | None) -> list[int]:
    return [least_depth(curve.slot_size) if least is None else least for curve in curves]


def stack_curves(
    workload: Workload, classes: Sequence[int], delays: Sequence[int] | int = 0, parts: Pieces | None = None
) -> tuple[StackCurve, ...]:
    """The curve of every class.

    classes: slot sizes, increasing. delays: of each class, or of all (class_delays(strategy)). parts: pieces(workload,
    classes), where at hand.  Cost: O(calls + depths log depths).
    """
    slots = tuple(classes)
    delay = np.broadcast_to(np.asarray(delays, np.int64), (len(slots),)).copy()
    parts = pieces(workload, slots) if parts is None else parts
    need, left_need, left_class, mallocs, local, others = kernels().stack_needs(
        parts.begin_at(), parts.end_at(), parts.slot, parts.maker, parts.freer, delay, max(1, workload.threads)
    )
    order = np.argsort(parts.slot, kind="stable")
    bounds = np.searchsorted(parts.slot[order], np.arange(len(slots) + 1))
    curves = []
    for c, slot in enumerate(slots):
        mine = need[order[bounds[c] : bounds[c + 1]]]
        popped = mine[mine > 0]
        left = left_need[left_class == c]
        depths = np.unique(np.concatenate((popped, left))).astype(np.int64)
        hits = np.searchsorted(np.sort(popped), depths, side="right")
        kept = hits + np.searchsorted(np.sort(left), depths, side="right")
        curves.append(
            StackCurve(
                slot,
                int(mallocs[c]),
                int(local[c]),
                int(others[0, c]),
                int(others[1, c]),
                int(mallocs[c]) - len(popped),
                depths,
                hits,
                kept,
                len(popped) + len(left),
            )
        )
    return tuple(curves)


@dataclass(frozen=True, slots=True)
class Depths:
    """A depth for each class. misses: of all. bytes: that the stacks hold at most."""

    depths: tuple[int, ...]
    misses: int
    bytes: int


def menu(curve: StackCurve, least: int | None = None, most: int = DEPTHS[1], entries: int = 64) -> list[int]:
    """Depths worth a look: the least one, and those where misses change; corners of their hull if there are too many.

    A depth in between costs bytes and saves nothing.
    """
    [least] = _leasts([curve], least)
    inside = curve.depths[(curve.depths > least) & (curve.depths <= most)]
    if len(inside) < entries:
        return [least, *inside.tolist()]
    corners = hull(curve, least, most)
    return sorted({*corners[:: -(-len(corners) // entries)], corners[-1]})


def hull(curve: StackCurve, least: int | None = None, most: int = DEPTHS[1]) -> list[int]:
    """The least depth, and those where misses saved for a byte become fewer: corners of the convex hull of misses.

    Cost: O(depths).
    """
    [least] = _leasts([curve], least)
    inside = np.flatnonzero((curve.depths > least) & (curve.depths <= most))
    depths = np.concatenate(([least], curve.depths[inside]))
    rest = curve.mallocs + curve._pushed - curve._hits[inside] - curve._kept[inside]
    misses = np.concatenate(([curve.misses(least)], rest))
    return [int(depth) for depth in depths[kernels().hull(depths, misses)]]


def depths_by_hull(
    curves: Sequence[StackCurve], budget: int, least: int | None = None, most: int = DEPTHS[1]
) -> Depths:
    """Depths within a budget of bytes, by the best saving a byte first, along the convex hulls.

    The least depths are always given, even beyond the budget. Optimal for the budget that it uses up exactly, and no
    worse than the optimum by more than the last step it could not take.  Cost: O(depths log depths).
    """
    depths = _leasts(curves, least)
    left = budget - sum(curve.bytes(depth) for curve, depth in zip(curves, depths, strict=True))
    steps = []
    for number, curve in enumerate(curves):
        for before, after in pairwise(hull(curve, least, most)):
            price = curve.bytes(after) - curve.bytes(before)
            steps.append((-(curve.misses(before) - curve.misses(after)) / max(1, price), number, after, price))
    stopped = set()
    for _, number, depth, price in sorted(steps):
        if number in stopped:
            continue
        if price <= left:
            left -= price
            depths[number] = depth
        else:
            stopped.add(number)
    return _depths(curves, depths)


def best_depths(
    curves: Sequence[StackCurve], budget: int, least: int | None = None, most: int = DEPTHS[1], unit: int = 0
) -> Depths:
    """The depths with the fewest misses within a budget of bytes: a knapsack, by dynamic programming.

    least: of each class; by default least_depth. unit: bytes are counted in such steps, rounded up; 0: so that there
    are 4,096 of them, at least 16. Exact when unit divides all costs and no class has more than 64 depths that matter;
    else within the budget all the same, and never worse than depths_by_hull. The least depths are always given.
    Cost: O(classes depths budget / unit), depths being at most 64.
    """
    greedy = depths_by_hull(curves, budget, least, most)
    leasts = _leasts(curves, least)
    room = budget - sum(curve.bytes(low) for curve, low in zip(curves, leasts, strict=True))
    if room <= 0:
        return greedy
    unit = unit or max(16, -(-room // 4096))
    width = room // unit + 1
    best = np.zeros(width, np.int64)
    choices = []
    for curve, low in zip(curves, leasts, strict=True):
        base, start = curve.misses(low), curve.bytes(low)
        value = np.full(width, -1, np.int64)
        choice = np.full(width, low, np.int64)
        for depth in menu(curve, low, most):
            steps = -(-(curve.bytes(depth) - start) // unit)
            if steps < width:
                new = best[: width - steps] + (base - curve.misses(depth))
                better = new > value[steps:]
                value[steps:][better] = new[better]
                choice[steps:][better] = depth
        best = value
        choices.append(choice)
    place = width - 1
    depths = []
    for curve, low, choice in zip(reversed(curves), reversed(leasts), reversed(choices), strict=True):
        depth = int(choice[place])
        depths.append(depth)
        place -= -(-(curve.bytes(depth) - curve.bytes(low)) // unit)
    found = _depths(curves, depths[::-1])
    return found if found.misses <= greedy.misses else greedy


def _depths(curves: Sequence[StackCurve], depths: Sequence[int]) -> Depths:
    pairs = list(zip(curves, depths, strict=True))
    return Depths(
        tuple(depths), sum(curve.misses(depth) for curve, depth in pairs), sum(c.bytes(depth) for c, depth in pairs)
    )
