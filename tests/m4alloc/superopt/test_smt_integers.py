"""Every integer instruction with every flag means to the solver what it means to the interpreter, at small widths."""

from __future__ import annotations

from itertools import combinations, product

import pytest
import z3

from m4alloc.superopt.interpret_ops import POISON, UndefinedBehaviour, meaning
from m4alloc.superopt.ir import BINARY, FLAGS, PREDICATES
from m4alloc.superopt.smt_integers import binary, compare, resize
from m4alloc.superopt.smt_values import Scalar, Term
from m4alloc.superopt.verdict import UnsupportedError


def number(term: Term) -> int:
    """The value of a term without variables."""
    return int(z3.simplify(term).as_long())


def is_true(term: Term) -> bool:
    """The truth of a term without variables."""
    return bool(z3.is_true(z3.simplify(term)))


def word(value: object, width: int) -> Scalar:
    """A constant, or poison."""
    if value is POISON:
        return Scalar(z3.BitVecVal(1, width), z3.BoolVal(True))
    return Scalar(z3.BitVecVal(value, width))


def flag_sets(opcode: str) -> list[frozenset[str]]:
    """Every combination of an opcode's flags."""
    flags = sorted(FLAGS.get(opcode, frozenset()))
    return [frozenset(chosen) for size in range(len(flags) + 1) for chosen in combinations(flags, size)]


@pytest.mark.parametrize("opcode", sorted(BINARY))
def test_a_binary_instruction_agrees_with_the_interpreter(opcode: str) -> None:
    for width, flags in product((1, 2, 3), flag_sets(opcode)):
        expected = meaning(opcode, width, flags=flags)
        values = [*range(1 << width), POISON]
        for a, b in product(values, repeat=2):
            found = binary(opcode, flags, word(a, width), word(b, width))
            where = (opcode, width, sorted(flags), a, b)
            try:
                result = expected(a, b)
            except UndefinedBehaviour:
                assert is_true(found.undefined), where
                continue
            assert not is_true(found.undefined), where
            assert is_true(found.value.poison) == (result is POISON), where
            if result is not POISON:
                assert number(found.value.bits) == result, where


@pytest.mark.parametrize("predicate", PREDICATES)
def test_a_comparison_agrees_with_the_interpreter(predicate: str) -> None:
    for flags in flag_sets("icmp"):
        expected = meaning("icmp", 2, flags=flags, predicate=predicate)
        for a, b in product([*range(4), POISON], repeat=2):
            found = compare(predicate, flags, word(a, 2), word(b, 2))
            result = expected(a, b)
            assert is_true(found.poison) == (result is POISON)
            if result is not POISON:
                assert number(found.bits) == result


@pytest.mark.parametrize(("opcode", "old", "new"), [("trunc", 3, 2), ("trunc", 3, 1), ("zext", 2, 4), ("sext", 1, 3)])
def test_a_cast_agrees_with_the_interpreter(opcode: str, old: int, new: int) -> None:
    for flags in flag_sets(opcode):
        expected = meaning(opcode, new, old, flags)
        for a in [*range(1 << old), POISON]:
            found = resize(opcode, flags, word(a, old), new)
            result = expected(a)
            assert is_true(found.poison) == (result is POISON)
            if result is not POISON:
                assert number(found.bits) == result


def test_a_flag_that_is_not_known_is_not_dropped() -> None:
    with pytest.raises(UnsupportedError, match="add exact"):
        binary("add", frozenset({"exact"}), word(1, 8), word(1, 8))
    with pytest.raises(UnsupportedError, match="icmp nsw"):
        compare("eq", frozenset({"nsw"}), word(1, 8), word(1, 8))
    with pytest.raises(UnsupportedError, match="sext nneg"):
        resize("sext", frozenset({"nneg"}), word(1, 8), 16)
