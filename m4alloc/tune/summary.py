"""What a workload is like, in numbers and as text: sizes, lifetimes, threads, the peak of what is live."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.tune.workload import Kind, Workload
from m4alloc.view import text
from m4alloc.view.quantity import duration, number, percent, plural, size

TOP = 5
"""Rows of the table of sizes, by count and again by bytes."""


@dataclass(frozen=True, slots=True)
class SizeRow:
    """One requested size: of how many requests (ALLOCATE and RESIZE, prelude and all), and their bytes together."""

    size: int
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Summary:
    """A workload in numbers.

    calls: with the prelude. peak_live: most requested bytes live at once; live_at_end: when the workload ends.
    sizes: how many different sizes are requested; top: those with the most requests or bytes, by count.
    median_life, long_life: calls between an ALLOCATE and its FREE, at 50 and 90 % of the blocks that are freed; 0 when
    none is. kept: blocks that are never freed. remote_frees: made by another thread than the block's last size was.
    aligned: requests with an alignment; zeroed: by calloc.
    """

    name: str
    calls: int
    prelude: int
    skipped: int
    complete: bool
    threads: int
    seconds: float
    allocates: int
    frees: int
    resizes: int
    aligned: int
    zeroed: int
    remote_frees: int
    requested: int
    peak_live: int
    live_at_end: int
    sizes: int
    top: tuple[SizeRow, ...]
    median_life: int
    long_life: int
    kept: int

    def lines(self) -> list[str]:
        """The numbers as the report prints them.

        >>> from m4alloc.tune.workload import example
        >>> for line in summary(example([(1, 1, 24), (1, 2, 24), (2, 1, 0), (3, 2, 100)])).lines(): print(line)
        example: 4 calls in 0 ns on 1 thread; 148 B requested
        live: 100 B at most, 100 B at the end
        2 allocations (0 zeroed, 0 aligned), 1 resize (25.0 % of the calls), 1 free (0.0 % by another thread)
        lives: 2 calls at the median, 2 at 90 %; 1 block never freed
        2 sizes; the most frequent, and the largest in bytes:
         size  requests   share  of bytes
        -----  --------  ------  --------
         24 B         2  66.7 %    32.4 %
        100 B         1  33.3 %    67.6 %
        """
        calls = plural(self.calls, "call")
        requests = max(1, self.allocates + self.resizes)
        rows = [
            [
                size(row.size),
                number(row.count),
                percent(row.count / requests),
                percent(row.bytes / max(1, self.requested)),
            ]
            for row in self.top
        ]
        zeroed = f"{number(self.zeroed)} zeroed, {number(self.aligned)} aligned"
        return [
            f"{self.name}: {calls} in {duration(self.seconds)} on {plural(self.threads, 'thread')}; "
            f"{size(self.requested)} requested",
            *([f"begins with {plural(self.prelude, 'block')} that it did not make itself"] if self.prelude else []),
            *([f"{plural(self.skipped, 'call')} left out"] if self.skipped else []),
            *([] if self.complete else ["ends before the program does"]),
            f"live: {size(self.peak_live)} at most, {size(self.live_at_end)} at the end",
            f"{plural(self.allocates, 'allocation')} ({zeroed}), "
            f"{plural(self.resizes, 'resize')} ({percent(self.resizes / max(1, self.calls))} of the calls), "
            f"{plural(self.frees, 'free')} ({percent(self.remote_frees / max(1, self.frees))} by another thread)",
            f"lives: {plural(self.median_life, 'call')} at the median, {number(self.long_life)} at 90 %; "
            f"{plural(self.kept, 'block')} never freed",
            f"{plural(self.sizes, 'size')}; the most frequent, and the largest in bytes:",
            *text.table(rows, ["size", "requests", "share", "of bytes"], right=range(4)),
        ]


def live_bytes(workload: Workload) -> npt.NDArray[np.int64]:
    """The requested bytes that are live after each call.  Cost: O(n log n).

    >>> from m4alloc.tune.workload import example
    >>> live_bytes(example([(1, 1, 24), (1, 2, 10), (3, 1, 30), (2, 2, 0)])).tolist()
    [24, 34, 40, 30]
    """
    size = workload.size.astype(np.int64)
    before = np.zeros(len(workload), np.int64)
    earlier = _earlier(workload.lives())
    before[earlier >= 0] = size[earlier[earlier >= 0]]
    live: npt.NDArray[np.int64] = np.cumsum(size - before)
    return live


def remote(workload: Workload) -> npt.NDArray[np.bool_]:
    """Of each call, whether it is a FREE by another thread than the one that gave the block its last size.

    Cost: O(n log n).
    """
    maker = workload.thread[_earlier(workload.lives())]
    mask: npt.NDArray[np.bool_] = (workload.kind == Kind.FREE) & (maker != workload.thread)
    return mask


def summary(workload: Workload) -> Summary:
    """The workload in numbers.  Cost: O(n log n), 0.5 us a call."""
    kind, lives = workload.kind, workload.lives()
    live = live_bytes(workload)
    asks = kind != Kind.FREE
    sizes, which = np.unique(workload.size[asks], return_inverse=True)
    counts = np.bincount(which, minlength=len(sizes))
    totals = counts * sizes.astype(np.int64)
    most = {int(place) for ranking in (counts, totals) for place in np.argsort(-ranking, kind="stable")[:TOP]}
    begins = np.flatnonzero(kind == Kind.ALLOCATE)
    frees = np.flatnonzero(kind == Kind.FREE)
    life = np.sort(frees - begins[lives[frees]])
    return Summary(
        name=workload.name,
        calls=len(workload),
        prelude=workload.prelude,
        skipped=workload.skipped,
        complete=workload.complete,
        threads=workload.threads,
        seconds=int(workload.time_ms.max(initial=0)) / 1000,
        allocates=len(begins),
        frees=len(frees),
        resizes=int((kind == Kind.RESIZE).sum()),
        aligned=int(((workload.alignment > 0) & (kind == Kind.ALLOCATE)).sum()),
        zeroed=int((workload.zeroed & (kind == Kind.ALLOCATE)).sum()),
        remote_frees=int(remote(workload).sum()),
        requested=int(totals.sum()),
        peak_live=int(live.max(initial=0)),
        live_at_end=int(live[-1]) if len(live) else 0,
        sizes=len(sizes),
        top=tuple(
            SizeRow(int(sizes[place]), int(counts[place]), int(totals[place]))
            for place in sorted(most, key=lambda place: -int(counts[place]))
        ),
        median_life=int(life[len(life) // 2]) if len(life) else 0,
        long_life=int(life[len(life) * 9 // 10]) if len(life) else 0,
        kept=len(begins) - len(frees),
    )


def _earlier(lives: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The call before each that is about the same life; -1 for the first."""
    order = np.argsort(lives, kind="stable")
    earlier = np.full(len(lives), -1, np.int64)
    same = lives[order][1:] == lives[order][:-1]
    earlier[order[1:][same]] = order[:-1][same]
    return earlier
