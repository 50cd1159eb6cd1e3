"""Small random workloads for the tests of the exact answers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import strategies as st

from m4alloc.tune.workload import Kind, Workload

Call = tuple[Kind, int, int, int]
"""Kind, block, size, thread."""


def workload(calls: Sequence[Call], times: Sequence[int] | None = None) -> Workload:
    """The workload of these calls; times in ms, by default one call each."""
    kind, block, size, thread = (list(column) for column in zip(*calls, strict=True)) if calls else ([], [], [], [])
    count = len(calls)
    return Workload(
        name="case",
        kind=np.array(kind, np.uint8),
        block=np.array(block, np.uint32),
        size=np.array(size, np.uint64),
        alignment=np.zeros(count, np.uint64),
        zeroed=np.zeros(count, np.bool_),
        thread=np.array(thread, np.uint16),
        time_ms=np.array(range(count) if times is None else times, np.uint32),
        blocks=max(block, default=0),
        threads=max(thread, default=0) + 1,
    )


@st.composite
def workloads(draw: st.DrawFn, most: int = 40, threads: int = 2, resizes: bool = True) -> Workload:
    """Allocations, frees and resizes of a few sizes, on a few threads, with some milliseconds between them."""
    sizes = st.sampled_from((0, 1, 16, 17, 40, 100, 1000, 5000, 40000, 70000, 200000))
    calls: list[Call] = []
    times: list[int] = []
    live: list[int] = []
    free: list[int] = []
    made = now = 0
    for _ in range(draw(st.integers(0, most))):
        thread = draw(st.integers(0, threads - 1))
        now += draw(st.sampled_from((0, 1, 50)))
        what = draw(st.sampled_from((Kind.ALLOCATE, Kind.FREE, Kind.RESIZE) if resizes else (Kind.ALLOCATE, Kind.FREE)))
        if what is Kind.ALLOCATE or not live:
            if not free:
                made += 1
                free.append(made)
            block = free.pop()
            live.append(block)
            calls.append((Kind.ALLOCATE, block, draw(sizes), thread))
        else:
            block = draw(st.sampled_from(live))
            if what is Kind.FREE:
                live.remove(block)
                free.append(block)
            calls.append((what, block, draw(sizes) if what is Kind.RESIZE else 0, thread))
        times.append(now)
    return workload(calls, times)
