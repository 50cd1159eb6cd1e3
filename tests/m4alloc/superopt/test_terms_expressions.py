"""Expressions over constants are checked when they are made, and mean integers."""

from __future__ import annotations

import random

import pytest

from m4alloc.superopt.terms_expressions import (
    Expression,
    ExpressionError,
    fact_text,
    reciprocal,
    reciprocal_shift,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("C + 1", 241),
        ("~C", 15),
        ("~C & 3", 3),
        ("signed(C)", -16),
        ("width(C)", 8),
        ("ispow2(C)", 0),
        ("log2(C & 16)", 4),
        ("align(C)", 16),
        ("popcount(C) == 4", 1),
        ("2**(width(C) - 1)", 128),
    ],
)
def test_an_expression_has_its_value(text: str, expected: int) -> None:
    assert Expression(text).value({"C": 240}, {"C": 8}) == expected


@pytest.mark.parametrize("text", ["log2(C)", "align(C - 12)", "C // (C - 12)", "1 << (C - 13)", "D"])
def test_what_has_no_value_is_an_error(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text).value({"C": 12}, {"C": 8})


@pytest.mark.parametrize("text", ["[C]", "C.real", "lambda: C", "__import__('os')", "C if C else 0", "width(C + 1)"])
def test_python_outside_the_language_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text)


def test_names_of_widths_are_no_values() -> None:
    expression = Expression("width(x) - C")
    assert (expression.values, expression.names) == ({"C"}, {"x", "C"})


def test_facts_decide_what_is_about_widths_alone() -> None:
    assert fact_text(Expression("C < width(x) and width(x) > 1"), {"x": 8}, {}, {}) == "C < 8"
    with pytest.raises(ExpressionError, match="false at these widths"):
        fact_text(Expression("width(x) > 1"), {"x": 1}, {}, {})


def test_reciprocals_divide_exactly() -> None:
    for width in (4, 8):
        for divisor in range(1, 1 << width):
            multiplier, shift = reciprocal(divisor, width), width + reciprocal_shift(divisor, width)
            assert all(x * multiplier >> shift == x // divisor for x in range(1 << width))


def test_reciprocals_divide_exactly_at_64_bits_where_they_could_go_wrong() -> None:
    rng = random.Random(3)
    for _ in range(300):
        divisor = (
            rng.choice((rng.getrandbits(64), rng.getrandbits(20), (1 << rng.randrange(1, 64)) + rng.randrange(3))) or 1
        )
        multiplier, shift = reciprocal(divisor, 64), 64 + reciprocal_shift(divisor, 64)
        last = (1 << 64) // divisor * divisor - 1
        for x in (0, divisor - 1, divisor, last, last - divisor, (1 << 64) - 1, rng.getrandbits(64)):
            if 0 <= x < 1 << 64:
                assert x * multiplier >> shift == x // divisor
