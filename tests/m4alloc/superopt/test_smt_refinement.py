"""What counts as a difference between two results."""

from __future__ import annotations

import z3

from m4alloc.superopt.smt_refinement import value_differs
from m4alloc.superopt.smt_values import FALSE, TRUE, Scalar


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
