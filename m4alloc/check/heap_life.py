"""The heap's life in numbers: what was live, what it occupied, how it was fragmented, over time and at the peak.

Three sizes nest: live bytes (as requested), usable bytes (as handed out; the difference is internal
fragmentation), and footprint (whole pages that hold a live block; the difference is external fragmentation).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from m4alloc.check.lives import Integers, Lives

PAGE = 4096
"""Bytes of the pages that the footprint counts."""


@dataclass(frozen=True, slots=True)
class Moment:
    """The heap after some number of requests; sizes in bytes."""

    request: int
    live: int
    usable: int
    footprint: int
    blocks: int

    @property
    def internal(self) -> float:
        """Internal fragmentation: the part of the usable bytes that nobody asked for, 0.0 to 1.0."""
        return (self.usable - self.live) / self.usable if self.usable else 0.0

    @property
    def external(self) -> float:
        """External fragmentation: the part of the footprint that no live block holds, 0.0 to 1.0."""
        return max(0.0, (self.footprint - self.usable) / self.footprint) if self.footprint else 0.0


@dataclass(frozen=True, slots=True)
class SizeCount:
    """How many blocks were handed out in one size class: its usable size, or a bound of sizes requested."""

    size: int
    blocks: int
    requested: int
    """Bytes requested by them all together."""


@dataclass(frozen=True, slots=True)
class HeapLife:
    """One process image's heap from its first request to its last.

    peak: the first moment of most live bytes. last: the end of the record. footprint_peak: the largest footprint
    at any time. curve: moments in order, each the one of most live bytes among its neighbours, so peaks show.
    classes: blocks by usable size, most blocks first. sizes: blocks by size requested, in powers of two (each
    bound inclusive). lifetimes: (bound, blocks): blocks that lived at most `bound` requests and more than half
    that, powers of two.
    """

    requests: int
    allocated: int
    """Blocks handed out, not counting inherited ones."""
    inherited: int
    peak: Moment
    last: Moment
    footprint_peak: int
    curve: tuple[Moment, ...]
    classes: tuple[SizeCount, ...]
    sizes: tuple[SizeCount, ...]
    lifetimes: tuple[tuple[int, int], ...]


def heap_life(lives: Lives, samples: int = 500) -> HeapLife:
    """Measure the heap over its whole life, exactly, and sample it at no more than `samples` + 1 moments.

    The footprint is exact for disjoint blocks. Cost: O(n log n): some seconds for a million blocks.
    """
    born_here = lives.born >= 0
    moments, footprint_peak = _moments(lives)
    request, live, usable, footprint, blocks = moments
    peak = int(np.argmax(live)) if len(live) else 0

    def at(index: int) -> Moment:
        return Moment(*(int(column[index]) for column in (request, live, usable, footprint, blocks)))

    empty = Moment(0, 0, 0, 0, 0)
    curve = tuple(at(index) for index in _sampled(request, live, samples))
    gone = lives.died < lives.horizon
    ages = lives.request_number(lives.died[gone]) - lives.request_number(lives.born[gone])
    return HeapLife(
        requests=lives.requests,
        allocated=int(born_here.sum()),
        inherited=int((~born_here).sum()),
        peak=at(peak) if len(live) else empty,
        last=at(len(live) - 1) if len(live) else empty,
        footprint_peak=footprint_peak,
        curve=curve,
        classes=_counted(lives.usable[born_here], lives.size[born_here]),
        sizes=_by_power(lives.size[born_here]),
        lifetimes=tuple((one.size, one.blocks) for one in _by_power(ages)),
    )


def _moments(lives: Lives) -> tuple[tuple[Integers, Integers, Integers, Integers, Integers], int]:
    """After each birth and death: (requests so far, live, usable, footprint, blocks), and the peak footprint."""
    count = len(lives)
    dying = np.flatnonzero(lives.died < lives.horizon)
    when = np.concatenate((lives.born, lives.died[dying]))
    who = np.concatenate((np.arange(count), dying))
    sign = np.concatenate((np.ones(count, np.int64), np.full(len(dying), -1, np.int64)))
    order = np.argsort(when, kind="stable")
    when, who, sign = when[order], who[order], sign[order]
    pages = np.cumsum(_page_changes(lives, who, sign))
    moments = (
        lives.request_number(when),
        np.cumsum(sign * lives.size[who]),
        np.cumsum(sign * lives.usable[who]),
        pages * PAGE,
        np.cumsum(sign),
    )
    if not len(when):
        return moments, 0
    # What one request changes is one moment: a realloc in place must not show as a dip, nor inheritance as a slope.
    settled = np.concatenate((np.flatnonzero(moments[0][1:] != moments[0][:-1]), [len(when) - 1]))
    return (
        moments[0][settled],
        moments[1][settled],
        moments[2][settled],
        moments[3][settled],
        moments[4][settled],
    ), int(pages.max()) * PAGE


def _page_changes(lives: Lives, who: Integers, sign: Integers) -> Integers:
    """How many more pages hold a live block after each birth (sign 1) or death (-1) of block `who`, in order.

    Pages wholly inside a block change with it. Its first and last page may be shared: there, count the blocks of
    each page through time, and find where the count leaves or reaches zero.
    """
    first = lives.base // PAGE
    last = (lives.base + lives.usable - 1) // PAGE
    changes: Integers = sign * np.maximum(0, last - first - 1)[who]

    step = np.arange(len(who))
    apart = (last > first)[who]
    page = np.concatenate((first[who], last[who][apart]))
    at = np.concatenate((step, step[apart]))
    change = np.concatenate((sign, sign[apart]))
    order = np.lexsort((at, page))
    page, at, change = page[order], at[order], change[order]
    if not len(page):
        return changes
    total = np.cumsum(change)
    starts = np.flatnonzero(np.concatenate(([True], page[1:] != page[:-1])))
    before = np.concatenate(([0], total[:-1]))[starts]
    total -= np.repeat(before, np.diff(np.concatenate((starts, [len(page)]))))
    taken = (change > 0) & (total == 1)
    left = (change < 0) & (total == 0)
    np.add.at(changes, at[taken], 1)
    np.add.at(changes, at[left], -1)
    return changes


def _sampled(request: Integers, live: Integers, samples: int) -> list[int]:
    """Indices in order: of each of `samples` stretches of requests the moment of most live bytes, and the last."""
    if not len(request):
        return []
    edges = np.searchsorted(request, np.linspace(request[0], request[-1] + 1, samples + 1))
    chosen = {int(low + np.argmax(live[low:high])) for low, high in pairwise(edges) if low < high}
    return sorted(chosen | {len(request) - 1})


def _counted(classes: Integers, requested: Integers) -> tuple[SizeCount, ...]:
    """Blocks of each distinct class, most blocks first, then smallest size first."""
    sizes, index, counts = np.unique(classes, return_inverse=True, return_counts=True)
    totals = np.zeros(len(sizes), np.int64)
    np.add.at(totals, index, requested)
    rows = [SizeCount(*row) for row in zip(sizes.tolist(), counts.tolist(), totals.tolist(), strict=True)]
    return tuple(sorted(rows, key=lambda row: (-row.blocks, row.size)))


def _by_power(values: Integers) -> tuple[SizeCount, ...]:
    """Values counted by the smallest power of two that is not below them, from the least in use to the greatest."""
    if not len(values):
        return ()
    bounds = np.asarray([1 << power for power in range(63)], np.int64)
    powers = np.searchsorted(bounds, np.clip(values, 0, bounds[-1]), side="left")
    counts = np.bincount(powers, minlength=len(bounds))
    totals = np.zeros(len(bounds), np.int64)
    np.add.at(totals, powers, values)
    used = range(int(powers.min()), int(powers.max()) + 1)
    return tuple(SizeCount(1 << power, int(counts[power]), int(totals[power])) for power in used)
