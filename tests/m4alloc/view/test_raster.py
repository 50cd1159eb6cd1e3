from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view import raster
from m4alloc.view.palette import group_of

LENGTHS = (1, 8, 16, 40, 300, 5000)


@st.composite
def lives(draw: st.DrawFn) -> raster.Blocks:
    """Disjoint blocks: each at a place of its own, or at another's after its death."""
    rows = []
    for place in range(draw(st.integers(0, 6))):
        clock = 0
        base = 0x10000 + place * draw(st.sampled_from([8192, 1 << 20]))
        for _ in range(draw(st.integers(0, 3))):
            born = clock + draw(st.integers(0, 5))
            clock = born + draw(st.integers(0, 9))
            rows.append((base, draw(st.sampled_from(LENGTHS)), born, clock))
    columns = np.array(rows, np.int64).reshape(len(rows), 4).T
    return raster.Blocks(*columns)


def _brute(blocks: raster.Blocks, grid: raster.Raster, row: int, column: int) -> float:
    """Bytes times time of one cell, from the definition, as a part of the whole cell."""
    width = (grid.stop - grid.start) / grid.columns
    low, early = grid.axis.base(row), grid.start + column * width
    held = 0.0
    for base, length, born, died in zip(blocks.base, blocks.length, blocks.born, blocks.died, strict=True):
        bytes_here = max(0, min(base + length, low + grid.axis.row_length) - max(base, low))
        held += bytes_here * max(0.0, min(died, early + width) - max(born, early))
    return held / (width * grid.axis.row_length)


@given(lives(), st.integers(1, 7), st.integers(1, 20), st.sampled_from([4, 6, 12]))
def test_each_cell_is_its_share_of_bytes_times_time(blocks: raster.Blocks, columns: int, rows: int, shift: int) -> None:
    grid = raster.rasterise(blocks, 0, 40, columns=columns, max_rows=rows, min_shift=shift)
    for row in range(len(grid.axis.rows)):
        for column in range(columns):
            assert grid.fill[row, column] == pytest.approx(min(1.0, _brute(blocks, grid, row, column)), abs=1e-6)


@given(lives(), st.integers(1, 20))
def test_the_axis_holds_every_block_in_few_enough_rows_and_no_row_that_nothing_touched(
    blocks: raster.Blocks, limit: int
) -> None:
    axis = raster.address_axis(blocks, limit)
    touched = {
        row
        for base, length in zip(blocks.base.tolist(), blocks.length.tolist(), strict=True)
        for row in range(base >> axis.shift, (base + length - 1 >> axis.shift) + 1)
    }
    assert axis.rows.tolist() == sorted(touched)
    assert len(touched) <= limit


def test_the_colour_of_a_cell_is_the_group_that_held_most_of_it() -> None:
    blocks = raster.Blocks(np.array([0x1000, 0x1800]), np.array([16, 2000]), np.array([0, 4]), np.array([8, 8]))
    grid = raster.rasterise(blocks, 0, 8, columns=2, min_shift=12)
    assert grid.group.tolist() == [[group_of(16), group_of(2000)]]


def test_groups_of_many_lengths_agree_with_the_group_of_one() -> None:
    lengths = np.array([0, 1, 15, 16, 17, 64, 65, 4096, 4097, 262144, 262145, 2**40])
    assert raster.group_indices(lengths).tolist() == [group_of(int(length)) for length in lengths]


def test_columns_of_unequal_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        raster.Blocks(np.zeros(1, np.int64), np.zeros(2, np.int64), np.zeros(1, np.int64), np.zeros(1, np.int64))


def test_an_empty_stretch_of_time_is_refused() -> None:
    none = np.empty(0, np.int64)
    with pytest.raises(ValueError, match="start < stop"):
        raster.rasterise(raster.Blocks(none, none, none, none), 3, 3)
