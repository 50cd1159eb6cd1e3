from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view import quantity


def _value(text: str) -> float:
    units = {"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "PB": 1e15, "EB": 1e18}
    number, unit = text.split(" ")
    return float(number.replace(",", "")) * units[unit]


@given(st.integers(0, 2**63))
def test_a_size_is_right_to_half_a_unit_of_its_third_digit(value: int) -> None:
    assert abs(_value(quantity.size(value)) - value) <= 0.0051 * value


@given(st.integers(1, 2**59))
def test_a_size_never_shows_a_thousand_of_a_unit(value: int) -> None:
    assert 1 <= float(quantity.size(value).split(" ")[0]) < 1000


def test_a_negative_size_keeps_its_sign() -> None:
    assert quantity.size(-31_000) == "-31.0 kB"


@given(st.floats(1e-9, 1e9), st.integers(1, 6))
def test_significant_digits_bound_the_relative_error(value: float, digits: int) -> None:
    shown = float(quantity.significant(value, digits).replace(",", ""))
    assert abs(shown - value) <= 0.5000001 * 10.0 ** (1 - digits) * value
    assert "e" not in quantity.significant(value, digits)


def test_durations_change_unit_before_they_show_a_thousand() -> None:
    assert quantity.duration(0.99951) == "1.00 s"
    assert quantity.duration(119.4) == "119 s"
    assert quantity.duration(119.6) == "2 min 0 s"
    assert quantity.duration(0) == "0 ns"
