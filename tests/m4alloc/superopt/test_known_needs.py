"""Needs are established by ranges, bits, relations and facts, and by nothing less."""

from __future__ import annotations

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Int, Local
from m4alloc.superopt.known import Known
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.terms_expressions import Expression

BODY = """
 %even = shl i8 %x, 1
 %bit = and i8 %y, 1
 %pow = shl i8 1, %z
 %small = and i8 %y, 7
 %half = lshr i8 %x, 1
 %c = icmp ult i8 %x, %y
 br i1 %c, label %below, label %other
below:
 ret i8 %x
other:
 ret i8 %y
"""


def _holds(need: str, values: dict[str, str], block: str = "", facts: tuple[str, ...] = ()) -> bool:
    function = parse_function("define i8 @f(i8 noundef %x, i8 noundef %y, i8 noundef %z) {" + BODY + "}")
    bound = {name: Local(value, Int(8)) for name, value in values.items()}
    known = Known(function, [Fact(text) for text in facts])
    return known.holds(Expression(need), bound, dict.fromkeys(values, 8), block)


@pytest.mark.parametrize(
    ("need", "values", "expected"),
    [
        ("a & b == 0", {"a": "even", "b": "bit"}, True),
        ("a & b == 0", {"a": "even", "b": "small"}, False),
        ("a < 8", {"a": "small"}, True),
        ("a < 7", {"a": "small"}, False),
        ("a <= 2**(width(a) - 1) - 1", {"a": "half"}, True),
        ("signed(a) >= 0", {"a": "half"}, True),
        ("signed(a) >= 0", {"a": "x"}, False),
        ("popcount(a) == 1", {"a": "pow"}, True),
        ("popcount(a) == 1", {"a": "small"}, False),
        ("a + b < 2**width(a)", {"a": "small", "b": "half"}, True),
        ("a + b < 2**width(a)", {"a": "small", "b": "x"}, False),
        ("a | b == a", {"a": "x", "b": "x"}, False),
        ("a < 4 or a >= 0", {"a": "x"}, True),
        ("0 <= a < 8", {"a": "small"}, True),
        ("a < 2 * b", {"a": "x", "b": "y"}, False),
    ],
)
def test_ranges_and_bits_establish_needs(need: str, values: dict[str, str], expected: bool) -> None:
    assert _holds(need, values) is expected


def test_a_dominating_comparison_establishes_a_relation() -> None:
    assert _holds("a < b", {"a": "x", "b": "y"}, "below")
    assert _holds("a != b", {"a": "x", "b": "y"}, "below")
    assert _holds("b > a", {"a": "x", "b": "y"}, "below")
    assert _holds("a >= b", {"a": "x", "b": "y"}, "other")
    assert not _holds("a < b", {"a": "x", "b": "y"}, "other")
    assert not _holds("a < b", {"a": "x", "b": "y"})
    assert not _holds("signed(a) < signed(b)", {"a": "x", "b": "y"}, "below")


def test_a_given_fact_establishes_the_same_need() -> None:
    assert _holds("a < 2 * b", {"a": "x", "b": "y"}, facts=("x < 2 * y",))
    assert not _holds("a < 2 * b", {"a": "y", "b": "x"}, facts=("x < 2 * y",))
    assert _holds("a != 0", {"a": "x"}, facts=("1 <= x <= 64",))
    assert _holds("a & 7 == 0", {"a": "x"}, facts=("x % 16 == 0",))


def test_a_fact_outside_the_language_is_ignored() -> None:
    assert not _holds("a != 0", {"a": "x"}, facts=("frobnicate(x)",))
