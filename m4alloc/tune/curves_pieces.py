"""Pieces: stretches of blocks' lives at one size, in which the exact answers count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from m4alloc.strategy import GRANULE, SMALL_MAX, StrategyError
from m4alloc.tune.workload import Workload

PAGE = 4096
LARGE = -1
"""The class of a piece that no class holds."""
EMPTY = -2
"""The class of a piece of no bytes: it has no memory, and the answers leave it out."""


def kernels() -> Any:
    """The compiled passes. Raises: ModuleNotFoundError."""
    try:
        from m4alloc.tune import _curves_kernels
    except ModuleNotFoundError as error:
        if error.name not in ("numba", "llvmlite"):
            raise
        raise ModuleNotFoundError("the exact answers need numba: pip install 'm4alloc[tune]'") from None
    return _curves_kernels


def rounded(sizes: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Sizes rounded up to what a class may be: to 16 bytes up to 32,768, to 4,096 above.

    >>> rounded(np.array([1, 16, 17, 32768, 32769])).tolist()
    [16, 16, 32, 32768, 36864]
    """
    fine = np.maximum((sizes + GRANULE - 1) // GRANULE * GRANULE, GRANULE)
    return np.where(fine <= SMALL_MAX, fine, (sizes + PAGE - 1) // PAGE * PAGE)


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """Stretches of blocks' lives at one size, in the order in which they begin.

    begin: the call. end: the call, or the number of calls. maker, freer: threads; freer is -1 where nothing ends it.
    size: bytes asked for. need: the same, rounded up to the alignment asked for, as a class may be (see rounded).
    slot: the number of its class, LARGE or EMPTY; 0 when there are no classes. calls: of the whole workload.
    """

    begin: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    maker: npt.NDArray[np.int64]
    freer: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    need: npt.NDArray[np.int64]
    slot: npt.NDArray[np.int32]
    calls: int

    def __len__(self) -> int:
        return len(self.begin)

    def begin_at(self) -> npt.NDArray[np.int64]:
        """For each call the piece that begins there, or -1."""
        at = np.full(self.calls, -1, np.int64)
        at[self.begin] = np.arange(len(self))
        return at

    def end_at(self) -> npt.NDArray[np.int64]:
        """For each call the piece that ends there, or -1."""
        at = np.full(self.calls, -1, np.int64)
        ended = np.flatnonzero(self.end < self.calls)
        at[self.end[ended]] = ended
        return at


def pieces(workload: Workload, classes: tuple[int, ...] = ()) -> Pieces:
    """The pieces of a workload: each size of a block is one.

    classes: slot sizes; a resize that the core would leave where it is then begins no piece: one that still fits its
    slot and fills more than half of it. The piece of a thread that resizes a block of another is its own.
    Cost: O(calls log classes).  Raises: ModuleNotFoundError without numba.
    """
    if any(size <= 0 for size in classes) or list(classes) != sorted(set(classes)):
        raise StrategyError(f"classes are {classes}; they must be positive and increase")
    begin, end, slot, size, need = kernels().pieces(
        # One kind of array, whatever they come from: numba compiles for each kind anew.
        np.require(workload.kind, np.uint8, ["C", "W"]),
        np.require(workload.block, np.uint32, ["C", "W"]),
        np.require(workload.size, np.uint64, ["C", "W"]),
        np.require(workload.alignment, np.uint64, ["C", "W"]),
        workload.blocks,
        np.array(classes or (np.iinfo(np.int64).max,), np.int64),
        bool(classes),
    )
    thread = workload.thread.astype(np.int64)
    calls = len(workload)
    ended = end < calls
    freer = np.full(len(begin), -1, np.int64)
    freer[ended] = thread[end[ended]]
    return Pieces(begin, end, thread[begin], freer, size, np.where(size > 0, rounded(need), 0), slot, calls)
