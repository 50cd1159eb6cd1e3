"""Values: undef is chosen at each use, freeze fixes one choice, and plain truths leave no terms behind."""

from __future__ import annotations

import pytest
import z3

from m4alloc.superopt.smt_values import (
    FALSE,
    TRUE,
    Choices,
    Scalar,
    both,
    chosen,
    either,
    joined,
    merged,
    negation,
    selected,
)
from m4alloc.superopt.verdict import UnsupportedError

FLAG, OTHER = z3.Bool("flag"), z3.Bool("other")


def word(value: int) -> Scalar:
    """A constant."""
    return Scalar(z3.BitVecVal(value, 8))


def test_plain_truths_are_folded() -> None:
    assert either(FALSE, FLAG).eq(FLAG)
    assert either(FLAG, TRUE) is TRUE
    assert either() is FALSE
    assert both(TRUE, FLAG).eq(FLAG)
    assert both(FLAG, FALSE) is FALSE
    assert both() is TRUE
    assert negation(TRUE) is FALSE
    assert chosen(TRUE, FLAG, OTHER) is FLAG
    assert chosen(FLAG, TRUE, FALSE) is FLAG


def test_each_use_of_undef_is_another_choice() -> None:
    choices = Choices("s!")
    undef = choices.undef(8, "undef")
    first, second = choices.renewed(undef), choices.renewed(undef)
    assert not first.bits.eq(second.bits)
    assert first.choices.isdisjoint(second.choices)
    plain = word(3)
    assert choices.renewed(plain) is plain


def test_a_value_is_undef_where_two_choices_differ() -> None:
    choices = Choices("s!")
    undef = choices.undef(8, "undef")
    for bits, may_differ in ((undef.bits & 0, False), (undef.bits | 254, True)):
        _, differ = choices.settled(Scalar(bits, choices=undef.choices))
        solver = z3.Solver()
        solver.add(differ)
        assert (solver.check() == z3.sat) is may_differ


def test_freeze_of_poison_is_any_one_value() -> None:
    choices = Choices("s!")
    frozen = choices.frozen(Scalar(z3.BitVecVal(3, 8), FLAG))
    assert isinstance(frozen, Scalar)
    assert frozen.poison is FALSE
    assert frozen.choices == frozenset()
    assert z3.is_true(z3.simplify(z3.substitute(frozen.bits, (FLAG, z3.BoolVal(False))) == 3))


def test_values_are_merged_by_the_condition_that_holds() -> None:
    value = merged([(FLAG, word(1)), (OTHER, word(2)), (TRUE, word(3))])
    assert isinstance(value, Scalar)
    for flag, other, expected in ((True, True, 1), (False, True, 2), (False, False, 3)):
        found = z3.substitute(value.bits, (FLAG, z3.BoolVal(flag)), (OTHER, z3.BoolVal(other)))
        assert z3.simplify(found).as_long() == expected


def test_what_a_pointer_is_based_on_is_forgotten_where_it_may_be_either() -> None:
    address, provenance = z3.BitVec("p", 64), z3.BitVecVal(1, 3)
    first = Scalar(address, provenance=provenance, based=frozenset(("0",)))
    second = Scalar(address, provenance=provenance)
    found = selected(FLAG, first, second)
    assert isinstance(found, Scalar)
    assert found.based is None


def test_a_pointer_into_an_alloca_is_not_mixed_with_others() -> None:
    inside = Scalar(z3.BitVec("p", 64), provenance=z3.BitVecVal(0, 3), local="a")
    with pytest.raises(UnsupportedError, match="alloca %a is mixed with another pointer"):
        selected(FLAG, inside, Scalar(z3.BitVec("q", 64), provenance=z3.BitVecVal(1, 3)))


def test_the_lowest_part_is_the_first() -> None:
    assert z3.simplify(joined([z3.BitVecVal(1, 8), z3.BitVecVal(2, 8)])).as_long() == 0x0201
