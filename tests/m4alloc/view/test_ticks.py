from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.view import ticks

ENDS = st.floats(-1e12, 1e12, allow_nan=False).map(lambda value: round(value, 3))


@st.composite
def ranges(draw: st.DrawFn) -> tuple[float, float]:
    low, high = sorted((draw(ENDS), draw(ENDS)))
    return (low, high) if low < high else (low, low + 1)


@given(ranges(), st.integers(5, 12))
def test_ticks_are_two_to_limit_in_range_and_evenly_spaced_by_a_round_step(
    ends: tuple[float, float], limit: int
) -> None:
    low, high = ends
    width = ticks.step(low, high, limit)
    marks = ticks.linear(low, high, limit)
    assert 2 <= len(marks) <= limit
    assert low <= marks[0] and marks[-1] <= high
    while width >= 10:
        width /= 10
    while width < 1:
        width *= 10
    assert width in (1, 2, 5)


@given(ranges(), st.integers(5, 12))
def test_no_smaller_round_step_would_fit(ends: tuple[float, float], limit: int) -> None:
    low, high = (Fraction(end) for end in ends)
    width = ticks.step(*ends, limit)
    smaller = max(
        mantissa * Fraction(10) ** exponent
        for exponent in range(-20, 20)
        for mantissa in (1, 2, 5)
        if mantissa * Fraction(10) ** exponent < width
    )
    assert high // smaller - -(-low // smaller) + 1 > limit


@given(st.floats(0.001, 1e15))
def test_an_axis_ends_at_or_just_above_what_it_shows(high: float) -> None:
    assert high <= ticks.ceiling(high) <= 1.5 * high


@pytest.mark.parametrize(("low", "high", "limit"), [(1, 1, 6), (2, 1, 6), (0, float("inf"), 6), (0, 1, 4)])
def test_an_impossible_axis_is_refused(low: float, high: float, limit: int) -> None:
    with pytest.raises(ValueError, match="an axis needs"):
        ticks.linear(low, high, limit)
