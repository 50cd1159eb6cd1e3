"""Counterexamples as test inputs, arguments by other names."""

import numpy as np

from m4alloc.superopt.ir import Argument, Int, Pointer
from m4alloc.superopt.judge_inputs import joined, read, with_argument_names
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.vectors import Vectors
from m4alloc.superopt.vectors_ops import Lanes

F = parse_function("define i8 @f(i8 %x, i8 %y) { %a = add i8 %x, %y ret i8 %a }")
TESTS = Vectors((Lanes(np.array([1], np.uint64)), Lanes(np.array([2], np.uint64))), 1)


def test_a_counterexample_is_one_more_run() -> None:
    longer = joined(F, TESTS, [("x", "255"), ("y", "poison")])
    assert longer is not None and longer.count == 2 and longer.input(1) == (255, None)


def test_undef_is_no_test_input() -> None:
    assert joined(F, TESTS, [("x", "undef"), ("y", "0")]) is None


def test_a_pointer_is_read_as_its_address() -> None:
    assert read("0x10 (block 0, offset 16)", Argument("p", Pointer())) == (16, False)


def test_wide_integers_are_not_read() -> None:
    assert read("1", Argument("x", Int(128))) is None


def test_a_local_that_clashes_with_a_new_argument_name_is_renamed() -> None:
    renamed = with_argument_names(F, (Argument("a", Int(8)), Argument("b", Int(8))))
    assert [argument.name for argument in renamed.arguments] == ["a", "b"]
    assert renamed.blocks[0].instructions[0].name not in ("a", "b")
