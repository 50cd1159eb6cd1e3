"""Within or outside: against sets of addresses."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from capability.sgx.boundary import Position, is_outside, is_within, position
from capability.word import WidthError

TOP = 1 << 64
edges = st.one_of(st.integers(0, 40), st.integers(TOP - 40, TOP - 1), st.integers(TOP // 2 - 20, TOP // 2 + 20))
sizes = st.one_of(st.integers(0, 40), st.integers(TOP - 40, TOP - 1))


@given(address=edges, size=sizes, base=edges, length=st.integers(1, 40))
@example(address=TOP - 1, size=1, base=0, length=1)
@example(address=TOP - 1, size=1, base=TOP - 1, length=1)
@example(address=8, size=TOP - 1, base=0, length=16)
@example(address=16, size=0, base=0, length=16)
def test_each_buffer_is_where_its_bytes_are(address: int, size: int, base: int, length: int) -> None:
    length = min(length, TOP - base)
    size_or_one = max(size, 1)
    wraps = address + size_or_one > TOP
    all_in = base <= address and address + size_or_one <= base + length
    none_in = address + size_or_one <= base or address >= base + length
    expected = Position.NEITHER
    if not wraps and (all_in or none_in):
        expected = Position.WITHIN if all_in else Position.OUTSIDE
    assert position(address, size, base, length) is expected
    assert not (is_within(address, size, base, length) and is_outside(address, size, base, length))


def test_not_within_is_not_outside() -> None:
    straddles, wraps = (0xFFF8, 16), (TOP - 8, 16)
    for address, size in (straddles, wraps):
        assert not is_within(address, size, 0x10000, 0x1000)
        assert not is_outside(address, size, 0x10000, 0x1000)


@pytest.mark.parametrize(
    ("address", "size", "base", "length"),
    [(-1, 1, 0, 1), (TOP, 1, 0, 1), (0, TOP, 0, 1), (0, -1, 0, 1), (0, 1, 0, 0), (0, 1, TOP - 1, 2), (0, 1, -1, 1)],
)
def test_what_is_no_word_is_refused(address: int, size: int, base: int, length: int) -> None:
    with pytest.raises(WidthError, match="64 bits"):
        position(address, size, base, length)
