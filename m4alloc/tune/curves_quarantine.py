"""Quarantines: what a window costs in memory, for every size at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.tune.curves_live import after_each_call
from m4alloc.tune.curves_pieces import LARGE, PAGE, Pieces, kernels, pieces
from m4alloc.tune.workload import Workload

SIZES = tuple(1 << bits for bits in range(12, 31, 2))
"""Bytes of a quarantine: 4 KiB to 1 GiB."""
COUNTS = tuple(1 << bits for bits in range(17))
"""Blocks of a quarantine."""


@dataclass(frozen=True, slots=True)
class QuarantinePoint:
    """One size of a quarantine.

    size: its limit, in bytes or in blocks. held_mean: bytes held, over the calls. held_peak: the most of them. peak: of
    live and held bytes together. window: frees that a block waits for, at least, -1 where none leaves; window_mean: on
    average, what is held at the end counting only as long as it was.
    """

    size: int
    held_mean: float
    held_peak: int
    peak: int
    window: int
    window_mean: float


@dataclass(frozen=True, slots=True)
class QuarantineCurve:
    """What quarantines cost and what they are worth.

    by_bytes: one queue of all freed blocks, which the oldest leave until it holds at most `size` bytes. needed: for
    windows of 1, 2, 4 .. frees the least limit in bytes under which no block ever leaves such a queue earlier.
    """

    by_bytes: tuple[QuarantinePoint, ...]
    needed: tuple[tuple[int, int], ...]


def quarantine_curve(workload: Workload, sizes: Sequence[int] = SIZES, parts: Pieces | None = None) -> QuarantineCurve:
    """The window against memory of a quarantine by bytes. parts: pieces(workload), where at hand.

    Blocks count as they are rounded, to 16 bytes or to pages.
    Cost: O(calls) for each size, and O(frees) for each window.
    """
    parts = pieces(workload) if parts is None else parts
    order, at = _freed(parts)
    freed = parts.need[order]
    live = after_each_call(parts, parts.need)
    limits = np.asarray(sizes, np.int64)
    before, high, span = _between(at, live)
    total, most, peak, least, waits = kernels().quarantined(freed, high, span, limits)
    peak = np.maximum(peak, before)
    calls, frees = max(1, parts.calls), max(1, len(freed))
    points = tuple(
        QuarantinePoint(
            int(limits[n]), float(total[n]) / calls, int(most[n]), int(peak[n]), int(least[n]), float(waits[n]) / frees
        )
        for n in range(len(limits))
    )
    sums = np.concatenate((np.zeros(1, np.int64), np.cumsum(freed)))
    needed = []
    window = 1
    while window < len(sums):
        # A block is still held when `window - 1` more have been freed exactly if they all fit.
        needed.append((window, int((sums[window:] - sums[:-window]).max())))
        window *= 2
    return QuarantineCurve(points, tuple(needed))


@dataclass(frozen=True, slots=True)
class CountedPoint:
    """One length of the quarantines of all classes. held: bytes at the end, when they hold most. held_mean: over the
    calls. peak: of live and held bytes together. shared: held, if all threads shared one quarantine a class."""

    count: int
    held: int
    held_mean: float
    peak: int
    shared: int


def counted_curve(
    workload: Workload, classes: Sequence[int], counts: Sequence[int] = COUNTS, parts: Pieces | None = None
) -> tuple[CountedPoint, ...]:
    """Memory of a quarantine of so many blocks for each class and thread, as the delay line is.

    The window is the count, always. classes: slot sizes, increasing. parts: pieces(workload, classes), where at hand.
    Blocks wait with the thread that freed them. Large blocks do not wait here.
    Cost: O(calls) for each count.
    """
    slots = np.asarray(tuple(classes), np.int64)
    parts = pieces(workload, tuple(classes)) if parts is None else parts
    slot = parts.slot
    memory = np.where(slot >= 0, slots[np.maximum(slot, 0)], 0)
    memory[slot == LARGE] = (parts.size[slot == LARGE] + PAGE - 1) // PAGE * PAGE
    live = after_each_call(parts, memory)
    order, at = _freed(parts)
    small = slot[order] >= 0
    order, at = order[small], at[small]
    key = parts.freer[order] * len(slots) + slot[order]
    keys = max(1, workload.threads) * len(slots)
    limits = np.asarray(counts, np.int64)
    before, high, span = _between(at, live)
    total, peak = kernels().counted_quarantine(key, memory[order], high, span, limits, keys)
    peak = np.maximum(peak, before)
    held = [held_slots(workload, classes, (count,) * len(slots), parts) for count in counts]
    return tuple(
        CountedPoint(int(count), held[n][0], float(total[n]) / max(1, parts.calls), int(peak[n]), held[n][1])
        for n, count in enumerate(counts)
    )


def held_slots(
    workload: Workload, classes: Sequence[int], lengths: Sequence[int], parts: Pieces | None = None
) -> tuple[int, int]:
    """Bytes that lines of these lengths hold at the end, when they hold most: one a class and thread, and one a class.

    lengths: of each class, in slots (class_delays(strategy)).  Cost: O(blocks).
    """
    slots, most = np.asarray(tuple(classes), np.int64), np.asarray(tuple(lengths), np.int64)
    parts = pieces(workload, tuple(classes)) if parts is None else parts
    freed = (parts.slot >= 0) & (parts.freer >= 0)
    key = parts.freer[freed] * len(slots) + parts.slot[freed]
    each = np.bincount(key, minlength=max(1, workload.threads) * len(slots)).reshape(-1, len(slots))
    return int((np.minimum(each, most) * slots).sum()), int((np.minimum(each.sum(axis=0), most) * slots).sum())


def _between(
    at: npt.NDArray[np.int64], live: npt.NDArray[np.int64]
) -> tuple[int, npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The most live bytes before the first free; the most from each free until the next one; the calls until then."""
    if not len(at):
        return int(live.max(initial=0)), at, at
    return int(live[: at[0]].max(initial=0)), np.maximum.reduceat(live, at), np.diff(np.append(at, len(live)))


def _freed(parts: Pieces) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The pieces that end, in that order, and the calls."""
    end_at = parts.end_at()
    at = np.flatnonzero(end_at >= 0)
    order = end_at[at]
    held = parts.need[order] > 0
    return order[held], at[held]
