"""Facts as solver terms mean what the interpreter's reading of them means, at every value."""

from __future__ import annotations

import random

import pytest
import z3

from m4alloc.superopt.fact_terms import FactError, conditions, holds
from m4alloc.superopt.facts import Fact

X, Y = z3.BitVec("x", 4), z3.BitVec("y", 3)
WIDTHS = {"x": 4, "y": 3}


def agree(text: str) -> None:
    """Both readings of a fact give the same for all 128 inputs."""
    condition = z3.And(*conditions([Fact(text)], {"x": X, "y": Y}), True)
    for x in range(16):
        for y in range(8):
            pairs = (X, z3.BitVecVal(x, 4)), (Y, z3.BitVecVal(y, 3))
            got = z3.is_true(z3.simplify(z3.substitute(condition, *pairs)))
            assert got == holds([Fact(text)], {"x": x, "y": y}, WIDTHS), (text, x, y)


@pytest.mark.parametrize(
    "text",
    [
        "1 <= x <= 5",
        "x + 1 > x",
        "x - 9 < 0",
        "signed(x) < -3",
        "align(x) >= 4",
        "popcount(x ^ y) == 2",
        "~x & 15 == 15 - x",
        "x // y == 2",
        "y != 0 and x % y == 0",
        "y == 0 or x // y > 1",
        "not (x < 3 or y > 4)",
        "(x << y) >> y == x",
        "1 << y == x",
        "x >> (y - 2) == 1",
        "(0 - x) // 3 < -2",
        "(0 - x) % 3 == 1",
        "not (5 < 3 < x // y)",
        "not (x < 3 < x // y < x % y)",
        "x // y < x < 3",
        "x",
        "(x < 4) + (y < 4) == 1",
        "x < 4 and x | 8 == x + 8",
    ],
)
def test_a_fact_is_about_mathematical_integers(text: str) -> None:
    agree(text)


@pytest.mark.parametrize("count", [6, pytest.param(200, marks=pytest.mark.campaign)])
def test_random_facts_mean_the_same_to_the_solver_and_to_the_interpreter(count: int) -> None:
    rng = random.Random(1)
    leaves = ["x", "y", "signed(x)", "align(y)", "popcount(x)", "~y", "3", "-2", "9"]
    for _ in range(count):
        operators = [rng.choice(["+", "-", "*", "//", "%", "&", "|", "^", "<<", ">>"]) for _ in range(2)]
        a, b, c, d = (rng.choice(leaves) for _ in range(4))
        agree(f"({a} {operators[0]} {b}) {operators[1]} {c} {rng.choice(['<', '<=', '==', '!='])} {d}")


def test_a_bound_on_a_name_is_itself_demanded() -> None:
    condition = z3.And(conditions([Fact("x <= 2 and 1 << x < 100")], {"x": X}))
    assert z3.is_false(z3.simplify(z3.substitute(condition, (X, z3.BitVecVal(9, 4)))))


def test_a_shift_by_a_wide_name_stays_within_bounds() -> None:
    wide = z3.BitVec("wide", 64)
    (_, condition) = conditions([Fact("wide <= 63 and 1 << wide > 4")], {"wide": wide})
    assert z3.is_true(z3.simplify(z3.substitute(condition, (wide, z3.BitVecVal(3, 64)))))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x <", "not an expression"),
        ("z < 4", "column 1: 'z' is no argument; the arguments are: x"),
        ("x is 4", "compare with"),
        ("x / 2 == 1", "'x / 2' is not in the language of facts"),
        ("f(x) == 1", "is not in the language of facts"),
        ("~3 == x", "need an argument under them"),
        ("x ** x == 4", "a power of anything but constants"),
        ("x == 'a'", "is not in the language of facts"),
    ],
)
def test_what_is_not_in_the_language_is_an_error_that_says_where(text: str, message: str) -> None:
    with pytest.raises(FactError, match=message.replace("(", r"\(").replace("*", r"\*")):
        conditions([Fact(text)], {"x": X})
