"""What counts as a difference between two results."""

from __future__ import annotations

import time

import pytest
import z3

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.smt_refinement import value_differs
from m4alloc.superopt.smt_values import FALSE, TRUE, Scalar
from m4alloc.superopt.verdict import Outcome


def differs(source: Scalar | tuple[Scalar, ...], target: Scalar | tuple[Scalar, ...]) -> bool:
    """The decision on values without variables."""
    return bool(z3.is_true(z3.simplify(value_differs(source, target))))


def word(value: int, poison: bool = False) -> Scalar:
    """A constant."""
    return Scalar(z3.BitVecVal(value, 8), TRUE if poison else FALSE)


def pointer(address: int, block: int) -> Scalar:
    """A pointer into a block."""
    return Scalar(z3.BitVecVal(address, 64), provenance=z3.BitVecVal(block, 3))


def test_poison_allows_everything_and_nothing_else_allows_poison() -> None:
    assert not differs(word(1, poison=True), word(2))
    assert not differs(word(1, poison=True), word(2, poison=True))
    assert differs(word(1), word(1, poison=True))
    assert differs(word(1), word(2))
    assert not differs(word(1), word(1))


def test_each_lane_is_compared_for_itself() -> None:
    assert not differs((word(1, poison=True), word(2)), (word(9), word(2)))
    assert differs((word(1, poison=True), word(2)), (word(9), word(3)))


def test_a_pointer_of_another_block_differs_but_null_allows_any_of_its_address() -> None:
    assert differs(pointer(16, 1), pointer(16, 2))
    assert not differs(pointer(0, 0), pointer(0, 2))
    assert differs(pointer(0, 2), pointer(0, 0))


def stores(count: int) -> Function:
    """So many stores of the same byte."""
    return parse_function("\n".join(["define void @f(ptr %p) {", *["store i8 1, ptr %p"] * count, "ret void }"]))


def test_one_store_less_of_shared_memory_is_seen_and_more_of_them_than_are_told_apart_is_undecided() -> None:
    """The number of an access has ten bits: the 1,025th is no repetition of the first."""
    assert refines(stores(40), stores(39), shared=True).outcome is Outcome.COUNTEREXAMPLE
    many = refines(stores(1025), stores(1024), seconds=30.0, shared=True)
    assert many.outcome is Outcome.UNKNOWN and "more than 1023 accesses" in many.reason


@pytest.mark.parametrize("shared", [False, True])
def test_writing_the_functions_as_terms_is_under_the_clock(shared: bool) -> None:
    began = time.monotonic()
    verdict = refines(stores(600), stores(599), seconds=0.3, shared=shared)
    assert verdict.outcome is Outcome.UNKNOWN and verdict.timed_out
    assert time.monotonic() - began < 3.0
