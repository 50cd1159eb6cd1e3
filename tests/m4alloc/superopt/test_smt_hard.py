"""Products and divisions: proved by rewriting, by cases, or refuted by samples, where bits alone are hopeless."""

from __future__ import annotations

import itertools

import pytest
import z3

from m4alloc.superopt.smt_clock import Clock
from m4alloc.superopt.smt_hard import aligned_products, plain

X, Y = z3.BitVec("x", 64), z3.BitVec("y", 64)


def proved(bad: z3.BoolRef, seconds: float = 20.0) -> bool:
    """`bad` cannot hold."""
    answer = plain(bad, z3.simplify(bad), Clock(seconds))
    assert answer.proved or answer.model is not None, answer.reason
    return answer.proved


def test_the_rest_is_what_quotient_and_divisor_leave() -> None:
    assert proved(z3.And(Y != 0, z3.URem(X, Y) != X - z3.UDiv(X, Y) * Y), 4.0)


@pytest.mark.campaign
def test_the_signed_rest_is_what_quotient_and_divisor_leave() -> None:
    assert proved(z3.And(Y != 0, z3.SRem(X, Y) != X - (X / Y) * Y), 4.0)


@pytest.mark.campaign
def test_a_division_by_a_shifted_one_is_proved_case_by_case() -> None:
    assert proved(z3.And(z3.ULT(Y, 64), z3.UDiv(X, z3.BitVecVal(1, 64) << Y) != z3.LShR(X, Y)), 6.0)


def test_a_wrong_law_is_refuted_by_samples() -> None:
    assert not proved(z3.And(Y != 0, z3.UDiv(X, Y) * X != z3.UDiv(X * X, Y)), 2.0)


def test_sixteen_bits_are_decided_by_trying_them_all() -> None:
    x, y = z3.BitVec("a", 8), z3.BitVec("b", 8)
    left, right = (z3.ZeroExt(8, x) + 1) * z3.ZeroExt(8, y), z3.ZeroExt(8, y) * z3.ZeroExt(8, x) + z3.ZeroExt(8, y)
    bad = z3.simplify(z3.Extract(15, 8, left) != z3.Extract(15, 8, right))
    answer = plain(bad, bad, Clock(2.0))
    assert answer.proved
    assert answer.method == "SMT terms on all 65536 inputs"


@pytest.mark.parametrize("width", [16, 32, 64])
def test_an_overflow_test_takes_the_form_of_its_surroundings(width: int) -> None:
    x, y = z3.BitVec("a", width), z3.BitVec("b", width)
    fits = z3.BVMulNoOverflow(x, y, False)
    by_division = z3.Or(x == 0, z3.ULE(y, z3.UDiv(z3.BitVecVal(-1, width), x)))
    wide = z3.ZeroExt(width, x) * z3.ZeroExt(width, y)
    by_widening = z3.Extract(2 * width - 1, width, wide) == 0
    for form in (by_division, by_widening):
        bad = aligned_products(fits != form)
        assert proved(bad, 2.0)


@pytest.mark.parametrize("width", [8, 32, 64])
def test_a_product_that_does_not_divide_back_overflows(width: int) -> None:
    x, y = z3.BitVec("a", width), z3.BitVec("b", width)
    fits = z3.BVMulNoOverflow(x, y, False)
    for quotient in (z3.UDiv(x * y, x), z3.UDiv(y * x, x)):
        for differs in (z3.And(x != 0, fits != (quotient == y)), z3.And(x != 0, fits == (quotient != y))):
            assert proved(aligned_products(differs), 2.0)


@pytest.mark.parametrize("width", [3, pytest.param(5, marks=pytest.mark.campaign)])
def test_the_law_of_products_that_divide_back_holds_for_all_pairs(width: int) -> None:
    x, y = z3.BitVec("a", width), z3.BitVec("b", width)
    fits, back = z3.BVMulNoOverflow(x, y, False), z3.UDiv(x * y, x) == y
    for a, b in itertools.product(range(2**width), repeat=2):
        values = (x, z3.BitVecVal(a, width)), (y, z3.BitVecVal(b, width))
        wanted = b == 2**width - 1 if a == 0 else a * b < 2**width
        law = z3.substitute(aligned_products(z3.And(back, z3.Or(fits, True))), *values)
        assert bool(z3.simplify(law)) == bool(z3.simplify(z3.substitute(back, *values))) == wanted
