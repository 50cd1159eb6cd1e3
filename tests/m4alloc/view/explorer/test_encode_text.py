"""Bytes as characters of a page, and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view.explorer.encode_text import DIGITS, armoured, bare


@given(st.binary(max_size=60))
def test_bytes_come_back_from_their_characters(data: bytes) -> None:
    text = armoured(data)
    assert bare(text) == data
    assert set(text) <= set(DIGITS)


def test_the_characters_mean_nothing_to_html_and_take_three_thirteenths_more() -> None:
    assert len(DIGITS) == 91 and not set(DIGITS) & set(' "&<')
    assert len(armoured(bytes(range(256)) * 13)) == 256 * 16


def test_other_characters_are_refused() -> None:
    with pytest.raises(ValueError, match="'<' is no character of a packed heap"):
        bare("ab<c")
