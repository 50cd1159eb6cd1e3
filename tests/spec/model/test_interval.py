from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from spec.model.interval import interval, may_fail, quotient, remainder
from spec.model.program import Binary, Constant, Element, Expression, Read

sys.path.insert(0, str(Path(__file__).parent))
from interpreter import Fault, value
from test_execution import CELLS, EXPRESSIONS, VALUES


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS, VALUES)
def test_a_value_is_in_its_interval_and_what_is_defined_never_fails(
    expression: Expression, values: tuple[int, ...]
) -> None:
    try:
        found = value(expression, list(values))
    except Fault:
        assert may_fail(expression, CELLS)
    else:
        low, high = interval(expression, CELLS)
        assert low <= found <= high


@given(st.integers(-50, 50), st.integers(-50, 50).filter(bool))
def test_division_truncates_and_the_rest_has_the_sign_of_what_is_divided(left: int, right: int) -> None:
    assert quotient(left, right) == int(left / right)
    assert quotient(left, right) * right + remainder(left, right) == left
    assert abs(remainder(left, right)) < abs(right) and remainder(left, right) * left >= 0


def test_intervals_of_what_is_often_written_are_tight() -> None:
    x, y = Read(0), Read(1)
    assert interval(Binary("%", Binary("+", x, Constant(10)), Constant(4)), CELLS) == (0, 3)
    assert interval(Binary("/", y, Constant(2)), CELLS) == (0, 1)
    assert interval(Binary("-", Constant(1), y), CELLS) == (-1, 1)
    assert interval(Element(2, 2, y), CELLS) == (-1, 4)


def test_what_may_fail_is_told() -> None:
    assert may_fail(Binary("/", Read(0), Read(1)), CELLS) == "the divisor may be 0"
    assert may_fail(Element(2, 2, Read(0)), CELLS) == "the index of a may be -3, and there are a[0] to a[1]"
    assert not may_fail(Element(2, 2, Binary("%", Read(1), Constant(2))), CELLS)
