"""Sums of functions of two bytes: exact, compared completely, and refused where they would not be."""

from __future__ import annotations

import random

import numpy as np
import pytest

from m4alloc.superopt.idioms_tables import Arithmetic, Leaf, NotASumError, Sum, difference

X, Y, Z = Leaf("x", 0), Leaf("y", 0), Leaf("z", 0)


def at(value: Sum, where: dict[Leaf, int]) -> int:
    """The value modulo 2**width for these bytes."""
    total = sum(int(table[tuple(where[leaf] for leaf in leaves)]) for leaves, table in value.tables.items())
    return total % (1 << value.width)


def product(arithmetic: Arithmetic, a: Leaf, b: Leaf, width: int = 32) -> Sum:
    wide = [arithmetic.cast("sext", arithmetic.byte(leaf), width) for leaf in (a, b)]
    return arithmetic.binary("mul", *wide)


def test_products_of_all_bytes_are_what_python_says() -> None:
    value = product(Arithmetic(), X, Y)
    for _ in range(200):
        x, y = random.randrange(256), random.randrange(256)
        signed = (x - 256 * (x > 127)) * (y - 256 * (y > 127))
        assert at(value, {X: x, Y: y}) == signed % (1 << 32)


def test_a_sum_of_three_bytes_is_kept_and_can_be_taken_apart_again() -> None:
    arithmetic = Arithmetic()
    total = arithmetic.binary("add", product(arithmetic, X, Y), product(arithmetic, X, Z))
    rest = arithmetic.binary("sub", total, product(arithmetic, X, Z))
    assert difference(rest, product(arithmetic, X, Y)) is None


def test_the_order_of_a_sum_does_not_matter() -> None:
    arithmetic = Arithmetic()
    parts = [product(arithmetic, a, b) for a, b in ((X, Y), (Y, Z), (X, Z))]
    sums = []
    for first, second, third in (parts, parts[::-1]):
        sums.append(arithmetic.binary("add", arithmetic.binary("add", first, second), third))
    assert difference(*sums) is None


def test_a_difference_for_one_pair_of_bytes_is_found() -> None:
    arithmetic = Arithmetic()
    value = product(arithmetic, X, Y)
    changed = value.tables[(X, Y)].copy()
    changed[77, 200] += 1
    found = difference(value, Sum(32, {(X, Y): changed}))
    assert found == {X: 77, Y: 200}


def test_differences_that_cancel_are_none() -> None:
    """x + y is a table of one function of x and one of y, or of both."""
    arithmetic = Arithmetic()
    x, y = (arithmetic.cast("zext", arithmetic.byte(leaf), 32) for leaf in (X, Y))
    apart = Sum(32, {(X,): x.tables[(X,)] + 5, (Y,): y.tables[(Y,)] - 5})
    assert difference(apart, arithmetic.binary("add", x, y)) is None


def test_a_sum_that_may_wrap_is_not_widened() -> None:
    arithmetic = Arithmetic()
    three = [arithmetic.byte(leaf) for leaf in (X, Y, Z)]
    total = arithmetic.binary("add", arithmetic.binary("add", three[0], three[1]), three[2])
    with pytest.raises(NotASumError, match="may wrap"):
        arithmetic.cast("sext", total, 32)


def test_a_saturating_sum_is_kept_only_where_it_cannot_saturate() -> None:
    arithmetic = Arithmetic()
    pairs = [product(arithmetic, X, Y, 16), product(arithmetic, Y, Z, 16)]
    with pytest.raises(NotASumError, match="may saturate"):
        arithmetic.saturating("add", *pairs)
    small = Arithmetic({"x": tuple(range(16)), "z": tuple(range(16))})
    arithmetic_sum = small.saturating("add", product(small, X, Y, 16), product(small, Y, Z, 16))
    assert arithmetic_sum.interval == (-2 * 15 * 128, 2 * 15 * 127)


def test_a_flag_of_a_rewrite_has_to_hold_and_one_of_the_original_is_not_used() -> None:
    nsw = frozenset({"nsw"})
    for strict in (True, False):
        arithmetic = Arithmetic(strict=strict)
        x, y = arithmetic.byte(X), arithmetic.byte(Y)
        if strict:
            with pytest.raises(NotASumError, match="nsw"):
                arithmetic.binary("add", x, y, nsw)
        else:
            assert at(arithmetic.binary("add", x, y, nsw), {X: 127, Y: 1}) == 128
    arithmetic = Arithmetic()
    wide = [arithmetic.cast("sext", arithmetic.byte(leaf), 16) for leaf in (X, Y)]
    assert arithmetic.binary("mul", *wide, nsw).interval == (-128 * 127, 128 * 128)


def test_a_field_of_a_word_depends_on_its_own_byte_only() -> None:
    arithmetic = Arithmetic()
    word = arithmetic.joined((arithmetic.byte(X), arithmetic.byte(Y)))
    field = arithmetic.binary("lshr", word, arithmetic.constant(16, 12))
    assert field.leaves == (Y,)
    assert np.array_equal(field.tables[(Y,)], np.arange(256) >> 4)


def test_a_function_of_three_bytes_that_is_no_sum_is_refused() -> None:
    arithmetic = Arithmetic()
    pair = arithmetic.binary("xor", arithmetic.byte(X), arithmetic.byte(Y))
    with pytest.raises(NotASumError, match="3 bytes"):
        arithmetic.binary("and", pair, arithmetic.byte(Z))
