"""Slabs of each class: how few could do, at the peak and over time, and how near to that knowing the future comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import UNIT
from m4alloc.tune.curves_live import after_each_call
from m4alloc.tune.curves_pieces import LARGE, PAGE, Pieces, kernels, pieces
from m4alloc.tune.workload import Workload


@dataclass(frozen=True, slots=True)
class SlabBound:
    """The slabs of one class.

    peak: slots live at once, at most. least: slabs that these fill. least_mean: slabs, over the calls, that the live
    slots of the time fill: no packing holds fewer. clairvoyant, clairvoyant_mean: what a packing that knows when each
    block ends comes to, at its peak and over the calls; it is a schedule, not a bound.
    """

    slot_size: int
    slab_bytes: int
    slots: int
    peak: int
    least: int
    least_mean: float
    clairvoyant: int
    clairvoyant_mean: float


@dataclass(frozen=True, slots=True, eq=False)
class SlabBounds:
    """The slabs of every class, and the units of 64 KiB that they and the large blocks need together.

    classes: one row a class. large_peak: bytes of large blocks at their own peak. used_peak: bytes of live slots and
    large blocks when they are most: with these classes no placement has a smaller footprint. peak: bytes of slabs and
    large blocks when they are most, each class in the fewest slabs, pages never touched included. time_ms, units: that
    level whenever it changes, in units.
    """

    classes: tuple[SlabBound, ...]
    large_peak: int
    used_peak: int
    peak: int
    time_ms: npt.NDArray[np.int64]
    units: npt.NDArray[np.int64]

    @property
    def least_bytes(self) -> int:
        """Of all classes' slabs at the peak of each, and of the large blocks at theirs."""
        return sum(row.least * row.slab_bytes for row in self.classes) + self.large_peak

    @property
    def least_mean(self) -> float:
        """Bytes of slabs over the calls that no packing can do without."""
        return sum(row.least_mean * row.slab_bytes for row in self.classes)

    @property
    def clairvoyant_mean(self) -> float:
        """Bytes of slabs over the calls when the ends of blocks are known."""
        return sum(row.clairvoyant_mean * row.slab_bytes for row in self.classes)


def default_slab_bytes(slot_size: int) -> int:
    """The least power of two of 64 KiB that holds eight slots.

    >>> default_slab_bytes(8192), default_slab_bytes(8208)
    (65536, 131072)
    """
    size = UNIT
    while size < 8 * slot_size:
        size *= 2
    return size


def best_slab_bytes(bounds: SlabBounds, most: int = 1 << 20) -> tuple[int, ...]:
    """For each class the slab whose fewest copies at the peak take least; the smallest of those.

    most: bytes of a slab.  Cost: O(classes most / 64 KiB).
    """
    found = []
    for row in bounds.classes:
        least = -(-row.slot_size // UNIT) * UNIT
        sizes = range(least, max(most, least) + 1, UNIT)
        found.append(min(sizes, key=lambda size: (-(-row.peak // (size // row.slot_size)) * size, size)))
    return tuple(found)


def slab_bounds(
    workload: Workload,
    classes: Sequence[int],
    slab_bytes: Sequence[int] = (),
    parts: Pieces | None = None,
    *,
    future: bool = True,
) -> SlabBounds:
    """Lower bounds of each class's slabs, and a packing that knows the future.

    classes: slot sizes, increasing. slab_bytes: of each, or none for the core's default. parts: pieces(workload,
    classes), where at hand. future: whether to work out the clairvoyant packing; without it its numbers are the bounds.
    All threads share the slabs of a class here; in the core each has its own.
    Slots are equal and lifetimes are intervals, so as many slots as are live at the peak always suffice; what packing
    can choose is which slabs fall empty. The clairvoyant packing puts a block where it prolongs the life of a slab
    least: into the slab that is done first of those done after it, else last of all, else into a new one.
    Cost: O(calls), and O(calls log calls) for the clairvoyant packing, with a small constant.
    """
    slots = tuple(classes)
    sizes = tuple(slab_bytes) or tuple(default_slab_bytes(slot) for slot in slots)
    if len(sizes) != len(slots):
        raise ValueError(f"there are {len(slots)} classes and {len(sizes)} slab_bytes; there must be one of each")
    for slot, size in zip(slots, sizes, strict=True):
        if size % UNIT or size < slot:
            raise ValueError(f"slab_bytes of class {slot} is {size}; it must be a multiple of {UNIT} that holds a slot")
    parts = pieces(workload, slots) if parts is None else parts
    per_slab = np.array([size // slot for slot, size in zip(slots, sizes, strict=True)], np.int64)
    large = parts.slot == LARGE
    pages = np.where(large, (parts.size + PAGE - 1) // PAGE * PAGE, 0)
    used = np.where(parts.slot >= 0, np.array(slots, np.int64)[np.maximum(parts.slot, 0)], pages)
    begin_at, end_at = parts.begin_at(), parts.end_at()
    peak, held, when, level = kernels().slab_levels(
        begin_at,
        end_at,
        parts.slot,
        per_slab,
        np.array([size // UNIT for size in sizes], np.int64),
        np.where(large, (parts.size + UNIT - 1) // UNIT, 0),
        workload.time_ms.astype(np.int64),
    )
    known = _clairvoyant(parts, per_slab) if future else None
    calls = max(1, parts.calls)
    rows = []
    for c, (slot, size) in enumerate(zip(slots, sizes, strict=True)):
        least, mean = -(-int(peak[c]) // int(per_slab[c])), float(held[c]) / calls
        most, known_mean = known[c] if known else (least, mean)
        rows.append(SlabBound(slot, size, int(per_slab[c]), int(peak[c]), least, mean, most, known_mean))
    return SlabBounds(
        tuple(rows),
        int(after_each_call(parts, pages).max(initial=0)),
        int(after_each_call(parts, used).max(initial=0)),
        int(level.max(initial=0)) * UNIT,
        when,
        level,
    )


def _clairvoyant(parts: Pieces, per_slab: npt.NDArray[np.int64]) -> list[tuple[int, float]]:
    """For each class the most slabs, and slabs over the calls."""
    events, when, ends, begins = kernels().class_events(parts.begin_at(), parts.end_at(), parts.slot, len(per_slab))
    found = []
    first = 0
    for c, slots in enumerate(per_slab):
        mine = slice(begins[c], begins[c + 1])
        blocks = int((events[mine] > 0).sum())
        most, held = kernels().clairvoyant(
            events[mine], ends[first : first + blocks], int(slots), when[mine], parts.calls
        )
        first += blocks
        found.append((int(most), float(held) / max(1, parts.calls)))
    return found
