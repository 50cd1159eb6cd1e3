"""Integers as bytes and back."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view.explorer.encode_integers import packed, unpacked, unvarints, unzigzag, varints, zigzag

INTEGERS = st.integers(-(1 << 62), (1 << 62) - 1) | st.integers(-300, 300)


@given(st.lists(INTEGERS))
def test_zigzag_and_varints_lose_nothing(values: list[int]) -> None:
    column = np.array(values, np.int64)
    assert unzigzag(unvarints(varints(zigzag(column)), len(values))).tolist() == values


@given(st.lists(INTEGERS | st.just(7), max_size=40))
def test_a_packed_column_comes_back_whatever_form_it_was_given(values: list[int]) -> None:
    values = [value >> 1 for value in values]  # so that differences fit
    entry, data = packed(values)
    assert unpacked(entry, data).tolist() == values
    assert entry["count"] == len(values)


def test_a_column_that_is_all_one_value_takes_no_bytes() -> None:
    assert packed([5] * 1000) == ({"count": 1000, "same": 5}, b"")
    assert packed([]) == ({"count": 0, "same": 0}, b"")


def test_a_column_that_rises_is_packed_as_differences() -> None:
    entry, data = packed(list(range(0, 1_000_000, 1000)))
    assert entry["delta"] == 1
    assert len(data) < 2100


def test_a_column_of_few_integers_takes_few_bits_of_each() -> None:
    column = np.random.default_rng(1).choice([1, 5, 32, 33], 100_000)
    entry, data = packed(column)
    assert (entry["table"], len(data)) == ([1, 5, 32, 33], 25_000)
    assert len(zlib.compress(data)) < 25_100, "nothing is lost to codes of whole bits a byte, which are a tenth longer"
    assert unpacked(entry, data).tolist() == column.tolist()


@given(st.lists(st.sampled_from([-7, 0, 3, 1 << 40, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]), min_size=20))
def test_any_number_of_few_integers_comes_back(values: list[int]) -> None:
    entry, data = packed(values)
    assert unpacked(entry, data).tolist() == values


def test_another_number_of_integers_than_promised_is_refused() -> None:
    with pytest.raises(ValueError, match="1 bytes hold 1 integers; 2 were promised"):
        unvarints(b"\x01", 2)
    with pytest.raises(ValueError, match="hold 0 integers"):
        unvarints(b"\x81", 0)
