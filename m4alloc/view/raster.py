"""A heap's life as a grid: rows are ranges of addresses, columns are ranges of time.

A cell says what part of its bytes live blocks held, on average over its time, and blocks of which size held most.
Rows that no block ever touched are left out, so a heap scattered over the address space still fits a page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m4alloc.view.palette import SIZE_GROUPS

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Blocks:
    """Where and when blocks lived, one entry a block; columns of equal length.

    base: addresses. length: usable bytes, at least 1. born, died: any one clock, born <= died.
    """

    base: Integers
    length: Integers
    born: Integers
    died: Integers

    def __post_init__(self) -> None:
        if len({len(self.base), len(self.length), len(self.born), len(self.died)}) != 1:
            raise ValueError("the columns of Blocks must have equal lengths")

    def __len__(self) -> int:
        return len(self.base)


@dataclass(frozen=True, slots=True)
class AddressAxis:
    """The touched address ranges, end to end: row i holds the addresses [rows[i] << shift, (rows[i] + 1) << shift)."""

    shift: int
    rows: Integers

    @property
    def row_length(self) -> int:
        """Bytes a row, a power of two."""
        return 1 << self.shift

    def base(self, index: int) -> int:
        """The lowest address of a row."""
        return int(self.rows[index]) << self.shift

    def index(self, addresses: Integers) -> Integers:
        """The row that holds each address; addresses must lie in the axis."""
        return np.searchsorted(self.rows, addresses >> self.shift).astype(np.int64)

    def gaps(self) -> list[tuple[int, int]]:
        """Where rows are not neighbours in memory: (index of the row above the gap, bytes left out)."""
        jumps = np.flatnonzero(np.diff(self.rows) > 1)
        return [(int(i) + 1, int(self.rows[i + 1] - self.rows[i] - 1) << self.shift) for i in jumps]


def _merge(first: Integers, last: Integers) -> tuple[Integers, Integers]:
    """The union of inclusive integer ranges, as disjoint ranges in order."""
    order = np.argsort(first, kind="stable")
    first, reach = first[order], np.maximum.accumulate(last[order])
    starts = np.concatenate(([True], first[1:] > reach[:-1] + 1))
    ends = np.concatenate((np.flatnonzero(starts)[1:] - 1, [len(first) - 1]))
    return first[starts], reach[ends]


def address_axis(blocks: Blocks, max_rows: int = 96, min_shift: int = 4) -> AddressAxis:
    """The finest axis of at most `max_rows` rows, each a power of two and at least 2**min_shift bytes long.

    Cost: O(n log n) in the number of blocks.
    """
    if max_rows < 1:
        raise ValueError(f"a heap map needs at least one row; got max_rows {max_rows}")
    if len(blocks) == 0:
        return AddressAxis(min_shift, np.empty(0, np.int64))
    shift = min_shift
    first, last = _merge(blocks.base >> shift, (blocks.base + blocks.length - 1) >> shift)
    while int((last - first + 1).sum()) > max_rows:
        shift += 1
        first, last = _merge(first >> 1, last >> 1)
    rows = np.concatenate([np.arange(low, high + 1, dtype=np.int64) for low, high in zip(first, last, strict=True)])
    return AddressAxis(shift, rows)


@dataclass(frozen=True, slots=True)
class Raster:
    """The grid: `fill` and `group` have one row for each row of `axis`, lowest address first."""

    axis: AddressAxis
    start: int
    stop: int
    fill: Floats
    """0.0 to 1.0: bytes held by live blocks as a part of the row's bytes, averaged over the column's time."""
    group: Integers
    """Index of the size group that held most of those bytes; -1 where nothing lived."""

    @property
    def columns(self) -> int:
        return int(self.fill.shape[1])


def group_indices(lengths: Integers) -> Integers:
    """The size group of each length, as `palette.group_of`, for many at once."""
    return np.searchsorted(np.asarray(SIZE_GROUPS), lengths, side="left").astype(np.int64)


def rasterise(
    blocks: Blocks, start: int, stop: int, *, columns: int = 160, max_rows: int = 96, min_shift: int = 4
) -> Raster:
    """Draw blocks into a grid over the time [start, stop), start < stop.

    Exact for disjoint blocks: a cell's fill is its share of bytes times clock units, not a sample.
    Cost: O(n log n + rows that each block spans).
    """
    if start >= stop or columns < 1:
        raise ValueError(f"a heap map needs start < stop and a column; got [{start}, {stop}) and {columns}")
    axis = address_axis(blocks, max_rows, min_shift)
    rows, groups = len(axis.rows), len(SIZE_GROUPS) + 1
    if rows == 0:
        return Raster(axis, start, stop, np.zeros((0, columns)), np.zeros((0, columns), np.int64))

    first = axis.index(blocks.base)
    spans = axis.index(blocks.base + blocks.length - 1) - first + 1
    owner = np.repeat(np.arange(len(blocks)), spans)
    row = first[owner] + _counting(spans)
    low = axis.rows[row] << axis.shift
    held = np.minimum(blocks.base[owner] + blocks.length[owner], low + axis.row_length) - np.maximum(
        blocks.base[owner], low
    )
    plane = (row * groups + group_indices(blocks.length)[owner]) * (columns + 2)

    # Coverage of [t, infinity) by column is 0, ..., 0, 1 - f, 1, 1, ... with f the fractional part of t;
    # its first differences are (1 - f) and f. Add them at birth, take them away at death, then sum along time.
    scale = columns / (stop - start)
    grid = np.zeros(rows * groups * (columns + 2))
    for clock, sign in ((blocks.born, 1.0), (blocks.died, -1.0)):
        at = np.clip((clock[owner] - start) * scale, 0, columns)
        column = np.floor(at).astype(np.int64)
        part = at - column
        grid += np.bincount(plane + column, sign * held * (1 - part), len(grid))
        grid += np.bincount(plane + column + 1, sign * held * part, len(grid))
    cells = np.cumsum(grid.reshape(rows, groups, columns + 2), axis=2)[:, :, :columns]
    total = cells.sum(axis=1)
    # Sums of differences leave dust where nothing lived: less than a millionth of a byte is nothing.
    group = np.where(total > 1e-6, cells.argmax(axis=1), -1).astype(np.int64)
    fill = np.where(group >= 0, np.clip(total / axis.row_length, 0.0, 1.0), 0.0)
    return Raster(axis, start, stop, fill, group)


def _counting(spans: Integers) -> Integers:
    """0, 1, ..., span - 1 for each span, one after the other."""
    ends = np.cumsum(spans)
    return np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - spans, spans)
