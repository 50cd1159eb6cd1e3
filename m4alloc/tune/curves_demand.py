"""Demand: how much of each size a program asks for; by requests, by byte-seconds, or at its peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import SMALL_MAX
from m4alloc.tune.curves_live import after_each_call
from m4alloc.tune.curves_pieces import PAGE, Pieces, pieces
from m4alloc.tune.workload import Workload

COUNTED = 1 << 20
"""Sizes below are counted in an array."""


class Weight(StrEnum):
    """What a size counts."""

    REQUESTS = "requests"
    """Each request once: waste of all that was ever asked for."""
    TIME = "time"
    """Each block for as many calls as it lives: waste of the mean footprint."""
    PEAK = "peak"
    """Each block that is live when most bytes are: waste of the peak."""


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """Distinct sizes, the weight of the requests of each, and their bytes.

    sizes: positive, increasing; those of a workload are rounded up to what a class may be. weights: of each. bytes:
    weight times bytes asked for, before rounding.
    Sums are floating-point: exact below 2**53.
    """

    sizes: npt.NDArray[np.int64]
    weights: npt.NDArray[np.float64]
    bytes: npt.NDArray[np.float64]

    @classmethod
    def counted(cls, sizes: Sequence[int], weights: Sequence[float] | None = None) -> Demand:
        """The demand of a histogram. sizes: positive, in any order. weights: one each; none given: 1 each.

        Raises: ValueError.

        >>> Demand.counted([24, 32, 40], [10, 1, 5]).sizes.tolist(), Demand.counted([24, 32]).bytes.tolist()
        ([24, 32, 40], [24.0, 32.0])
        """
        asked = np.asarray(sizes, np.int64)
        each = np.ones(len(asked)) if weights is None else np.asarray(weights, np.float64)
        if asked.shape != each.shape or asked.ndim != 1:
            raise ValueError(f"there are {len(asked)} sizes and {len(each)} weights; there must be one of each")
        if len(asked) and (asked.min() <= 0 or each.min() < 0):
            raise ValueError("sizes must be positive, and weights not negative")
        return cls._of(asked, asked, each)

    @classmethod
    def of(cls, workload: Workload, weight: Weight = Weight.TIME, parts: Pieces | None = None) -> Demand:
        """The demand of a workload. parts: pieces(workload), where at hand.

        Requests of no bytes are left out: they have no memory. Alignments above 16 count as the size rounded up to
        them; a class in between that is no multiple of one could still not serve it.
        Cost: O(calls + requests log sizes).
        """
        parts = pieces(workload) if parts is None else parts
        used = parts.need > 0
        if weight is Weight.PEAK:
            live = after_each_call(parts, parts.size)
            peak = int(live.argmax()) if len(live) else 0
            used &= (parts.begin <= peak) & (parts.end > peak)
        begin, end = parts.begin[used], parts.end[used]
        each = (end - begin).astype(np.float64) if weight is Weight.TIME else np.ones(len(begin))
        return cls._of(parts.size[used], parts.need[used], each)

    @classmethod
    def _of(cls, asked: npt.NDArray[np.int64], need: npt.NDArray[np.int64], each: npt.NDArray[np.float64]) -> Demand:
        if not len(need):
            return cls(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
        # Counting, not sorting, what is small: nearly all.
        small = need < COUNTED
        larger, place = np.unique(need[~small], return_inverse=True)
        number = np.empty(len(need), np.int64)
        number[small] = need[small]
        number[~small] = COUNTED + place
        count = np.bincount(number)
        used = np.flatnonzero(count)
        sizes = np.where(used < COUNTED, used, 0)
        sizes[used >= COUNTED] = larger
        weights: npt.NDArray[np.float64] = np.bincount(number, each)[used].astype(np.float64)
        bytes_: npt.NDArray[np.float64] = np.bincount(number, each * asked)[used].astype(np.float64)
        return cls(sizes, weights, bytes_)

    @property
    def total(self) -> float:
        """Bytes asked for, weighted."""
        return float(self.bytes.sum())

    def waste(self, classes: Sequence[int]) -> float:
        """What serving this with these classes wastes: weighted bytes beyond those asked for.

        classes: increasing slot sizes. What is larger than the last is rounded up to pages, as a large block is.
        Cost: O(sizes log classes).

        >>> Demand.counted([24, 100], [1, 2]).waste([32, 128])
        64.0
        """
        slots = np.asarray(classes, np.int64)
        place = np.searchsorted(slots, self.sizes)
        pages = (self.sizes + PAGE - 1) // PAGE * PAGE
        served = np.where(place < len(slots), slots[np.minimum(place, len(slots) - 1)], pages)
        return float((served * self.weights).sum() - self.bytes.sum())

    def share(self, classes: Sequence[int], largest: int = SMALL_MAX) -> float:
        """waste of requests up to `largest`, as a share of the bytes of their slots."""
        small = self.sizes <= largest
        part = Demand(self.sizes[small], self.weights[small], self.bytes[small])
        wasted = part.waste(classes)
        return wasted / (wasted + part.total) if wasted + part.total else 0.0
