"""Versions in pointers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.adi.version import USEFUL, check_version, matches, normalise, version_of, with_version
from capability.word import WidthError

words = st.integers(0, 2**64 - 1)
versions = st.integers(0, 15)


@given(words, versions)
def test_a_version_is_read_back_and_changes_no_other_bit(pointer: int, version: int) -> None:
    versioned = with_version(pointer, version)
    assert version_of(versioned) == version
    assert (versioned ^ pointer) & ((1 << 60) - 1) == 0


@given(words, versions)
def test_normalisation_forgets_the_version_and_nothing_else(pointer: int, version: int) -> None:
    address = normalise(pointer)
    assert normalise(with_version(pointer, version)) == address == normalise(address)
    assert address & ((1 << 60) - 1) == pointer & ((1 << 60) - 1)
    assert address >> 59 in (0, 0b11111)


def test_clearing_the_version_of_an_upper_address_would_name_another_one() -> None:
    stack = 0xFFFF_F800_0000_1000
    assert normalise(with_version(stack, 5)) == stack
    assert with_version(stack, 0) != stack


def test_only_the_version_of_the_line_is_universal() -> None:
    reached = {(pointer, line) for pointer in range(16) for line in range(16) if matches(pointer, line)}
    assert reached == {(p, line) for p in range(16) for line in (0, 15)} | {(v, v) for v in range(16)}
    assert tuple(range(1, 15)) == USEFUL


@pytest.mark.parametrize("version", [-1, 16, 1 << 70])
def test_a_version_has_four_bits(version: int) -> None:
    for use in (check_version, lambda v: with_version(0, v), lambda v: matches(v, 0), lambda v: matches(0, v)):
        with pytest.raises(WidthError, match="0 <= version <= 15"):
            use(version)


@pytest.mark.parametrize("pointer", [-1, 1 << 64])
def test_a_pointer_has_64_bits(pointer: int) -> None:
    for use in (version_of, normalise):
        with pytest.raises(WidthError, match="64 bits"):
            use(pointer)
