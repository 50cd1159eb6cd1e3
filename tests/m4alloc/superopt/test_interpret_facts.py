"""Facts are decided in mathematical integers, and what is not in their language is refused with its place."""

from __future__ import annotations

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.interpret_facts import FactError, holds, names

WIDTHS = {"x": 8, "y": 8, "p": 64}


@pytest.mark.parametrize(
    ("text", "values", "expected"),
    [
        ("x + y > 255", {"x": 200, "y": 100}, True),
        ("x - y < 0", {"x": 1, "y": 2}, True),
        ("1 <= x <= 64", {"x": 64}, True),
        ("signed(x) < 0", {"x": 128}, True),
        ("signed(x + 1) == -128", {"x": 127}, True),
        ("~x == 0", {"x": 255}, True),
        ("x & ~(x - 1) == x", {"x": 16}, True),
        ("popcount(x) == 2", {"x": 5}, True),
        ("align(p) >= 16", {"p": 48}, True),
        ("align(p) >= 16", {"p": 40}, False),
        ("align(p) >= 4096", {"p": 0}, True),
        ("x // y == 3", {"x": 7, "y": 2}, True),
        ("x // y == 0 or x == 0", {"x": 0, "y": 0}, False),
        ("x << y < 5", {"x": 1, "y": 2}, True),
        ("not x == y and x != 3", {"x": 3, "y": 4}, False),
        ("not (5 < 3 < x // y)", {"x": 1, "y": 0}, True),
        ("not (3 < 5 < x // y)", {"x": 1, "y": 0}, False),
        ("x // y < 3 < 2", {"x": 1, "y": 0}, False),
        ("x < 5", {}, False),
        ("x < 5 or y < 5", {"x": 1}, False),
        ("not (5 < x < y)", {"x": 1}, False),
    ],
)
def test_facts_mean_what_python_means(text: str, values: dict[str, int], expected: bool) -> None:
    assert holds([Fact(text)], values, WIDTHS) is expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x <", "not an expression"),
        ("z < 3", "the arguments are: x, y, p"),
        ("x.bit_length() < 3", "not in the language"),
        ("x in (1, 2)", "compare with"),
        ("~3 == x", "needs an argument"),
        ("len(x) == 1", "not in the language"),
    ],
)
def test_what_is_not_in_the_language_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(FactError, match=message):
        holds([Fact(text)], {"x": 1, "y": 1, "p": 0}, WIDTHS)


def test_a_fact_names_its_arguments_and_not_its_functions() -> None:
    assert names(Fact("signed(x) < popcount(y)")) == {"x", "y"}
