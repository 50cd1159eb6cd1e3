"""Live bytes over time: what no allocator that does not move blocks can do without."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.tune.curves_pieces import Pieces, pieces
from m4alloc.tune.workload import Workload


@dataclass(frozen=True, slots=True, eq=False)
class LiveCurve:
    """Bytes of all live requests together.

    peak: the most, a lower bound of any footprint. peak_call: the first call after which there are so many. mean: over
    the calls. blocks: live ones at the peak. calls, bytes: the curve, as the most of each stretch of calls, with the
    call that begins it.
    """

    peak: int
    peak_call: int
    mean: float
    blocks: int
    calls: npt.NDArray[np.int64]
    bytes: npt.NDArray[np.int64]


def after_each_call(parts: Pieces, amounts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The sum of the amounts of the pieces that are live after each call. Cost: O(calls)."""
    step = np.zeros(parts.calls, np.int64)
    step[parts.begin] = amounts
    ended = parts.end < parts.calls
    step[parts.end[ended]] -= amounts[ended]
    return np.cumsum(step)


def live_curve(workload: Workload, points: int = 1000, parts: Pieces | None = None) -> LiveCurve:
    """Live bytes over time and their peak. points: of the curve, at most. parts: pieces(workload), where at hand.

    Cost: O(calls).
    """
    parts = pieces(workload) if parts is None else parts
    live = after_each_call(parts, parts.size)
    if not len(live):
        nothing = np.zeros(0, np.int64)
        return LiveCurve(0, 0, 0.0, 0, nothing, nothing)
    peak = int(live.argmax())
    starts = np.unique(np.linspace(0, len(live), min(points, len(live)), endpoint=False).astype(np.int64))
    at_peak = (parts.begin <= peak) & (parts.end > peak)
    return LiveCurve(
        int(live[peak]), peak, float(live.mean()), int(at_peak.sum()), starts, np.maximum.reduceat(live, starts)
    )
