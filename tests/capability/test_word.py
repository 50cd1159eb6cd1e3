"""The identities that make fixed-width arithmetic trustworthy, over words of every width up to 130 bits."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability import word

widths = st.integers(1, 130)
naturals = st.integers(0, 1 << 130)
alignments = st.integers(0, 70).map(lambda power: 1 << power)


@given(st.integers(), widths)
def test_wrap_is_the_remainder_modulo_two_to_the_width(value: int, width: int) -> None:
    assert word.wrap(value, width) == value % 2**width


@given(st.integers(), widths)
def test_wrapping_what_a_word_means_gives_the_word_back(value: int, width: int) -> None:
    wrapped = word.wrap(value, width)
    meant = word.signed(wrapped, width)
    assert -(2 ** (width - 1)) <= meant < 2 ** (width - 1)
    assert word.wrap(meant, width) == wrapped


@given(st.integers(), widths, st.integers(0, 40))
def test_sign_extension_keeps_the_meaning(value: int, width: int, more: int) -> None:
    wrapped = word.wrap(value, width)
    assert word.signed(word.sign_extend(wrapped, width, width + more), width + more) == word.signed(wrapped, width)


@given(naturals, st.integers(0, 100), st.integers(0, 40), st.data())
def test_a_field_reads_what_was_put_in_it_and_leaves_the_rest(
    value: int, low: int, span: int, data: st.DataObject
) -> None:
    high = low + span
    part = data.draw(st.integers(0, word.mask(span + 1)))
    changed = word.with_field(value, high, low, part)
    assert word.field(changed, high, low) == part
    assert word.with_field(changed, high, low, word.field(value, high, low)) == value


@given(naturals, st.integers(0, 131))
def test_a_bit_is_the_bit_of_the_binary_numeral(value: int, position: int) -> None:
    digits = f"{value:0140b}"[::-1]
    assert word.bit(value, position) == int(digits[position])


@given(naturals, alignments)
def test_aligning_finds_the_nearest_multiples(value: int, alignment: int) -> None:
    down, up = word.align_down(value, alignment), word.align_up(value, alignment)
    assert down % alignment == up % alignment == 0
    assert value - alignment < down <= value <= up < value + alignment
    assert word.is_aligned(value, alignment) == (down == up)


@given(st.integers(-10, 1 << 70))
def test_powers_of_two_have_one_bit_set(value: int) -> None:
    assert word.is_power_of_two(value) == (value > 0 and bin(value).count("1") == 1)


@pytest.mark.parametrize(
    ("call", "range_named"),
    [
        (lambda: word.unsigned(256, 8), "0 <= value <= 0xff"),
        (lambda: word.unsigned(-1, 8), "0 <= value <= 0xff"),
        (lambda: word.signed(256, 8), "0 <= value <= 0xff"),
        (lambda: word.signed(0, 0), "1 bit or more"),
        (lambda: word.sign_extend(1, 16, 8), "to >= 16"),
        (lambda: word.mask(-1), "0 bits or more"),
        (lambda: word.field(5, 1, 2), "high >= low >= 0"),
        (lambda: word.field(-5, 2, 1), "value >= 0"),
        (lambda: word.with_field(0, 3, 0, 16), "0 <= part <= 0xf"),
        (lambda: word.align_up(5, 3), "1, 2, 4, 8"),
        (lambda: word.align_down(5, 0), "1, 2, 4, 8"),
        (lambda: word.is_aligned(-16, 16), "value >= 0"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_range(call: Callable[[], object], range_named: str) -> None:
    with pytest.raises(word.WidthError) as refusal:
        call()
    assert range_named in str(refusal.value)
