from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view import text
from m4alloc.view.raster import Blocks, rasterise


@given(st.lists(st.tuples(st.text(max_size=8), st.text(max_size=8)), min_size=1, max_size=6))
def test_the_second_column_of_a_table_starts_at_one_place(rows: list[tuple[str, str]]) -> None:
    width = max(len(text.printable(row[0])) for row in rows)
    for line, row in zip(text.table(rows), rows, strict=True):
        assert line == (text.printable(row[0]).ljust(width) + "  " + text.printable(row[1])).rstrip()


def test_a_ragged_table_is_refused() -> None:
    with pytest.raises(ValueError, match="equal lengths"):
        text.table([["a"], ["b", "c"]])


def test_control_characters_cannot_reach_the_terminal() -> None:
    assert text.printable("a\x1b[2J\u202eb\n") == "a\ufffd[2J\ufffdb "


@given(st.floats(-1, 2), st.integers(1, 40))
def test_a_bar_has_its_width_and_shows_anything_above_zero(fraction: float, width: int) -> None:
    drawn = text.bar(fraction, width)
    assert len(drawn) == width
    assert (drawn.strip() != "") == (fraction > 0)


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=300), st.integers(1, 60))
def test_a_sparkline_keeps_the_peak_when_it_groups(values: list[float], width: int) -> None:
    drawn = text.sparkline(values, width)
    assert len(drawn) == min(len(values), width)
    assert ("█" in drawn) == (max(values) > 0)


def test_the_text_map_draws_the_highest_address_first_and_says_where_addresses_are_left_out() -> None:
    low, high = 0x10000, 0x90000
    lives = Blocks(np.array([low, high]), np.array([16, 8]), np.array([0, 5]), np.array([10, 10]))
    lines = text.heap_map(rasterise(lives, 0, 10, columns=4, min_shift=4))
    assert lines == ["0x90000  ··▒▒", "    ...", "0x10000  ████"]


def test_an_empty_heap_has_a_map_that_says_so() -> None:
    none = np.empty(0, np.int64)
    assert text.heap_map(rasterise(Blocks(none, none, none, none), 0, 1)) == ["(no block ever lived)"]
