"""What of a program's behaviour the settings of other allocators can answer to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from m4alloc.tune.workload import Kind, Workload

GRANULE = 16
SMALL = 32 << 10
"""Above it no allocator keeps blocks in the caches of its threads unless it is told to."""
LARGE = 128 << 10
"""From here on glibc maps a block of its own at first."""
HOT = 0.01
"""The part of all calls that makes a size hot."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """A few numbers about a recording.

    threads: that called the allocator. live: bytes, at the peak. hot: the sizes, in steps of 16 bytes up to 32 KiB,
    that make up at least 1 % of the calls, the hottest first. depth: free blocks of one hot size that a thread's cache
    has to hold so that every block that is freed and needed again comes from it. cached: bytes in all such caches
    together. middle, large: allocations and resizes above 32 KiB, and those of at least 128 KiB. large_live: bytes in
    the latter at the peak. largest: bytes of the largest request. reused: bytes freed in blocks of at least 128 KiB and
    asked for again later, over large_live: how many times over this memory is used. idle_ms: the longest time without
    a call.
    """

    threads: int
    live: int
    hot: tuple[int, ...] = ()
    depth: int = 0
    cached: int = 0
    middle: int = 0
    large: int = 0
    large_live: int = 0
    largest: int = 0
    reused: float = 0.0
    idle_ms: int = 0

    @classmethod
    def of(cls, workload: Workload) -> Self:
        """The features of a recording. Cost: O(n log n), in numpy; 1 s for four million calls."""
        if not len(workload):
            return cls(threads=0, live=0)
        now, before = held(workload)
        asked = workload.kind != Kind.FREE
        sizes = workload.size[asked].astype(np.int64)
        rounded = np.maximum(GRANULE, -(-sizes // GRANULE) * GRANULE)
        hot = hottest(rounded[rounded <= SMALL], len(sizes))
        depths = [(size, depth_of(workload.thread, now, before, size)) for size in hot]
        in_large = np.where(now >= LARGE, now, 0) - np.where(before >= LARGE, before, 0)
        large_live = int(max(0, np.cumsum(in_large).max()))
        churned = int(np.maximum(in_large, 0).sum()) - large_live
        return cls(
            threads=workload.threads,
            live=int(max(0, np.cumsum(now - before).max())),
            hot=hot,
            depth=max((depth for _, depth in depths), default=0),
            cached=sum(size * depth for size, depth in depths),
            middle=int((sizes > SMALL).sum()),
            large=int((sizes >= LARGE).sum()),
            large_live=large_live,
            largest=int(sizes.max(initial=0)),
            reused=churned / large_live if large_live else 0.0,
            idle_ms=int(np.diff(workload.time_ms.astype(np.int64)).max(initial=0)),
        )


def held(workload: Workload) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each call the bytes that its block has after it, and those that it had before.

    Cost: O(n log n), in numpy.
    """
    now = np.where(workload.kind == Kind.FREE, 0, workload.size).astype(np.int64)
    order = np.argsort(workload.block, kind="stable")  # of each block its calls one after the other
    before = np.zeros(len(workload), np.int64)
    block, kind, ordered = workload.block[order], workload.kind[order], now[order]
    same = (block[1:] == block[:-1]) & (kind[1:] != Kind.ALLOCATE)
    before[order[1:]] = np.where(same, ordered[:-1], 0)
    return now, before


def hottest(rounded: npt.NDArray[np.int64], calls: int) -> tuple[int, ...]:
    """The sizes that are at least 1 % of so many calls, the hottest first, sixteen at most."""
    values, counts = np.unique(rounded, return_counts=True)
    order = np.argsort(-counts, kind="stable")[:16]
    return tuple(int(values[at]) for at in order if counts[at] >= HOT * calls)


def depth_of(
    thread: npt.NDArray[np.uint16], now: npt.NDArray[np.int64], before: npt.NDArray[np.int64], size: int
) -> int:
    """The most free blocks of a size that any thread has and later needs, when it keeps all that it frees.

    Of the number of live blocks over time it is the depth of its deepest valley, up to the lower of the hills around.
    """
    low = size - GRANULE
    steps = ((now > low) & (now <= size)).astype(np.int64) - ((before > low) & (before <= size))
    deepest = 0
    for one in np.unique(thread[steps != 0]):
        live = np.cumsum(steps[(thread == one) & (steps != 0)], dtype=np.int64)
        live = np.concatenate(([0], live))  # a thread may free first what others made
        left, right = np.maximum.accumulate(live), np.maximum.accumulate(live[::-1])[::-1]
        deepest = max(deepest, int((np.minimum(left, right) - live).max(initial=0)))
    return deepest
