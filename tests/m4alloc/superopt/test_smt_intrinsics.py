"""Every intrinsic means to the solver what it means to the interpreter, at small widths."""

from __future__ import annotations

from itertools import product

import pytest

from m4alloc.superopt.interpret_ops import POISON, intrinsic, overflowing, reduction
from m4alloc.superopt.smt_intrinsics import FOLDS, KNOWN, call, short_name
from m4alloc.superopt.smt_values import Scalar
from m4alloc.superopt.verdict import UnsupportedError
from tests.m4alloc.superopt.test_smt_integers import is_true, number, word

UNARY = ("ctpop", "bitreverse")
SWITCHED = ("ctlz", "cttz", "abs")
PAIRS = ("umin", "umax", "smin", "smax", *(f"{s}{o}.sat" for s in "us" for o in ("add", "sub", "shl")))


def check(found: object, expected: object, where: object) -> None:
    """A scalar against the interpreter's."""
    assert isinstance(found, Scalar)
    assert is_true(found.poison) == (expected is POISON), where
    if expected is not POISON:
        assert number(found.bits) == expected, where


@pytest.mark.parametrize("name", [*UNARY, *SWITCHED, *PAIRS])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_an_intrinsic_agrees_with_the_interpreter(name: str, width: int) -> None:
    expected = intrinsic(f"llvm.{name}", width)
    values = [*range(1 << width), POISON]
    if name in UNARY:
        rows = [(a,) for a in values]
    elif name in SWITCHED:
        rows = [(a, switch) for a in values for switch in (0, 1)]
    else:
        rows = list(product(values[-9:], repeat=2))
    for row in rows:
        operands = [word(value, 1 if name in SWITCHED and place else width) for place, value in enumerate(row)]
        check(call(name, width, operands), expected(*row), (name, width, row))


@pytest.mark.parametrize("name", ["fshl", "fshr"])
@pytest.mark.parametrize("width", [1, 3, 4])
def test_a_funnel_shift_counts_modulo_its_width(name: str, width: int) -> None:
    expected = intrinsic(f"llvm.{name}", width)
    top = (1 << width) - 1
    for row in product((0, 1, top, top >> 1), (0, 1, top), range(1 << width)):
        check(call(name, width, [word(value, width) for value in row]), expected(*row), row)


@pytest.mark.parametrize("name", [f"{s}{o}.with.overflow" for s in "us" for o in ("add", "sub", "mul")])
@pytest.mark.parametrize("width", [1, 2, 3])
def test_an_overflow_intrinsic_agrees_with_the_interpreter(name: str, width: int) -> None:
    expected = overflowing(f"llvm.{name}", width)
    for row in product([*range(1 << width), POISON], repeat=2):
        found = call(name, width, [word(value, width) for value in row])
        assert isinstance(found, tuple)
        for part, result in zip(found, expected(*row), strict=True):
            check(part, result, (name, width, row))


@pytest.mark.parametrize("name", ["ucmp", "scmp"])
def test_a_three_way_comparison_has_the_width_of_its_result(name: str) -> None:
    expected = intrinsic(f"llvm.{name}", 3, 2)
    for row in product(range(8), repeat=2):
        check(call(name, 2, [word(value, 3) for value in row]), expected(*row), row)


@pytest.mark.parametrize("name", sorted(FOLDS))
def test_a_reduction_agrees_with_the_interpreter(name: str) -> None:
    expected = reduction(f"llvm.vector.reduce.{name}", 3)
    for row in product((0, 1, 5, 7, POISON), repeat=3):
        check(call(f"vector.reduce.{name}", 3, [tuple(word(value, 3) for value in row)]), expected(*row), row)


def test_bytes_are_swapped_end_to_end() -> None:
    check(call("bswap", 32, [word(0x01020304, 32)]), 0x04030201, "bswap")


def test_vectors_are_computed_lane_by_lane() -> None:
    pair = word(200, 8), word(100, 8)
    found = call("uadd.with.overflow", 8, [pair, pair])
    assert isinstance(found, tuple)
    sums, flags = found
    assert isinstance(sums, tuple)
    assert isinstance(flags, tuple)
    assert [number(lane.bits) for lane in sums if isinstance(lane, Scalar)] == [144, 200]
    assert [number(lane.bits) for lane in flags if isinstance(lane, Scalar)] == [1, 0]


def test_names_are_told_from_their_suffixes() -> None:
    assert short_name("llvm.vector.reduce.umax.v4i32") == "vector.reduce.umax"
    assert short_name("llvm.ctlz.i64") == "ctlz"
    assert short_name("llvm.memcpy.p0.p0.i64") == ""
    assert short_name("abs.i32") == ""
    assert "fshl" in KNOWN


def test_an_intrinsic_that_is_not_known_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="pdep"):
        call("pdep", 8, [word(1, 8)])
