"""What a learner is told of a workload: a few numbers that are alike where programs are."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import SMALL_MAX
from m4alloc.tune.workload import Kind, Workload

Whole = npt.NDArray[np.int64]

SUMMARY: Final = (
    "calls",
    "resizes",
    "zeroed",
    "large",
    "threads",
    "remote frees",
    "freed",
    "median size",
    "largest size",
    "sizes",
    "median lifetime",
    "long lifetimes",
)
"""Names of the numbers of `summary`, in their order."""


def lifetimes(workload: Workload) -> tuple[Whole, Whole]:
    """For each ALLOCATE in order: the index of its call, and of the call that frees its block.

    The second is the number of calls where the block is never freed. Cost: a sort of the calls.
    """
    order = np.argsort(workload.block, kind="stable")
    kinds = workload.kind[order]
    births = order[kinds == Kind.ALLOCATE]
    # Beside each other in this order are the calls on one block number; each FREE belongs to the ALLOCATE before it.
    owner = np.cumsum(kinds == Kind.ALLOCATE) - 1
    freed = (kinds == Kind.FREE) & (owner >= 0)
    deaths = np.full(len(births), len(workload), np.int64)
    deaths[owner[freed]] = order[freed]
    back = np.argsort(births, kind="stable")
    return births[back].astype(np.int64), deaths[back]


def summary(workload: Workload) -> npt.NDArray[np.float32]:
    """Twelve numbers between 0 and about 1, see SUMMARY: shares, and logarithms of sizes, counts and lifetimes.

    Cost: two sorts of the calls.
    """
    found = np.zeros(len(SUMMARY), np.float32)
    births, deaths = lifetimes(workload)
    if not len(births):
        return found
    calls = len(workload)
    sizes = workload.size[births]
    freed = deaths < calls
    lives = (deaths - births)[freed]
    last = np.where(freed, deaths, births)
    remote = (workload.thread[last] != workload.thread[births])[freed]
    found[:] = (
        np.log10(calls) / 8,
        (workload.kind == Kind.RESIZE).mean(),
        workload.zeroed[births].mean(),
        (sizes > SMALL_MAX).mean(),
        np.log2(workload.threads) / 8 if workload.threads else 0,
        remote.mean() if len(remote) else 0,
        freed.mean(),
        np.log2(1 + float(np.median(sizes))) / 20,
        np.log2(1 + float(sizes.max())) / 40,
        np.log2(len(np.unique(sizes))) / 16,
        np.log2(1 + float(np.median(lives))) / 24 if len(lives) else 1,
        (lives > 1000).mean() if len(lives) else 1,
    )
    return found
