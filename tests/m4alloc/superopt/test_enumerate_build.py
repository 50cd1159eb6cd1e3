"""Terms written out are what LLVM accepts, with shared parts once and constants on the right."""

import numpy as np
import pytest

from m4alloc.superopt.enumerate_bank import CONSTANT, Space, Term
from m4alloc.superopt.enumerate_build import function_of
from m4alloc.superopt.enumerate_operations import ADD, FUNNEL, MUL, OPERATIONS, SELECT, SUB, UCMP, ULT
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked

LIKE = parse_function("define i16 @f(i16 noundef %x, i16 noundef %y) { ret i16 %x }")
BIT = parse_function("define i1 @f(i16 noundef %x, i16 noundef %y) { ret i1 false }")
X, Y = Term(16, 0), Term(16, 1)


def _built(term: Term, like: Function = LIKE) -> Function:
    space = Space([16], 4, tuple(OPERATIONS), (), 100)
    for row in ([1, 2, 3, 4], [5, 6, 7, 8]):
        space.banks[16].add_leaf(np.array(row, np.uint64))
    space.seal_leaves()
    values = [argument.value for argument in like.arguments]
    return function_of(term, space, {16: values, 1: []}, like)


@pytest.mark.parametrize("code", [code for code, one in OPERATIONS.items() if one.result != "cast"])
def test_every_operation_is_written_as_llvm_accepts_it(code: int) -> None:
    operation = OPERATIONS[code]
    bit = operation.result == "bit"
    parts = (X,) if operation.arity == 1 else (X, Y)
    function = _built(Term(1 if bit else 16, 0, code, parts), BIT if bit else LIKE)
    assert checked(function) and function.size == operation.size


def test_a_part_that_is_used_twice_is_written_once() -> None:
    shared = Term(16, 0, ADD, (X, Y))
    assert _built(Term(16, 0, MUL, (shared, shared))).size == 2


def test_a_constant_stands_on_the_right_and_is_added_rather_than_subtracted() -> None:
    one = Term(16, 1, CONSTANT)
    text = checked(_built(Term(16, 0, SUB, (Term(16, 0, ADD, (one, X)), one))))
    assert "add i16 %x, 1" in text and ", -1" in text


def test_a_comparison_is_turned_so_that_its_constant_is_on_the_right() -> None:
    text = checked(_built(Term(1, 0, ULT, (Term(16, 9, CONSTANT), X)), BIT))
    assert "icmp ugt i16 %x, 9" in text


def test_selects_funnels_and_three_way_comparisons_are_written() -> None:
    condition = Term(1, 0, ULT, (X, Y))
    term = Term(16, 0, SELECT, (condition, Term(16, 0, FUNNEL + 3, (X, Y)), Term(16, 0, UCMP, (X, Y))))
    text = checked(_built(term))
    assert "@llvm.fshl.i16(i16 %x, i16 %y, i16 3)" in text and "@llvm.ucmp.i16.i16(" in text and "select" in text


@pytest.mark.parametrize(
    ("yes", "no", "word"), [(1, 0, "zext"), (0xFFFF, 0, "sext"), (0, 1, "select"), (2, 0, "select")]
)
def test_a_select_of_one_or_all_ones_and_zero_is_written_as_the_cast_that_it_is(yes: int, no: int, word: str) -> None:
    term = Term(16, 0, SELECT, (Term(1, 0, ULT, (X, Y)), Term(16, yes, CONSTANT), Term(16, no, CONSTANT)))
    assert [one.opcode for one in _built(term)] == ["icmp", word, "ret"]
