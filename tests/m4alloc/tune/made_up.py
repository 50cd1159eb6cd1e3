"""Recordings that are written down call by call."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m4alloc.tune.workload import Kind, Workload

Call = tuple[Kind, int, int]
"""Kind, block and size."""


def workload(calls: Sequence[Call], threads: Sequence[int] = (), times: Sequence[int] = ()) -> Workload:
    """(kind, block, size) of each call."""
    kinds, blocks, sizes = ([call[at] for call in calls] for at in range(3))
    count = len(calls)
    return Workload(
        "made up",
        np.array(kinds, np.uint8),
        np.array(blocks, np.uint32),
        np.array(sizes, np.uint64),
        np.zeros(count, np.uint64),
        np.zeros(count, np.bool_),
        np.array(threads or [0] * count, np.uint16),
        np.array(times or [0] * count, np.uint32),
        blocks=max(blocks, default=0),
        threads=len(set(threads)) or min(1, count),
    )
