"""Constants are evaluated as LLVM's language reference says."""

from __future__ import annotations

from itertools import product

import pytest

from m4alloc.superopt.ir import Constant, ConstantVector, Int, Poison, Value
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.simplify_fold import UndefinedBehaviourError, binary, folded, intrinsic


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("add i8 250, 10", 4),
        ("add nuw i8 250, 10", None),
        ("add nsw i8 100, 100", None),
        ("sub nuw i8 1, 2", None),
        ("mul nsw i8 16, 8", None),
        ("shl i8 1, 8", None),
        ("shl nuw i8 -1, 1", None),
        ("shl nsw i8 -1, 1", 254),
        ("lshr exact i8 3, 1", None),
        ("ashr i8 -2, 1", 255),
        ("sdiv i8 -7, 2", 253),
        ("srem i8 -7, 2", 255),
        ("udiv exact i8 7, 2", None),
        ("or disjoint i8 1, 3", None),
        ("xor i8 5, 3", 6),
        ("zext nneg i4 -1 to i8", None),
        ("sext i4 -1 to i8", 255),
        ("trunc nuw i16 256 to i8", None),
        ("trunc nsw i16 -1 to i8", 255),
        ("select i1 true, i8 1, i8 2", 1),
        ("freeze i8 9", 9),
        ("call i8 @llvm.cttz.i8(i8 0, i1 false)", 8),
        ("call i8 @llvm.cttz.i8(i8 0, i1 true)", None),
        ("call i8 @llvm.abs.i8(i8 -128, i1 true)", None),
        ("call i8 @llvm.fshl.i8(i8 18, i8 52, i8 12)", 0x23),
        ("call i8 @llvm.fshr.i8(i8 18, i8 52, i8 4)", 0x23),
        ("call i8 @llvm.ssub.sat.i8(i8 -100, i8 100)", 128),
        ("call i8 @llvm.ushl.sat.i8(i8 64, i8 2)", 255),
        ("call i8 @llvm.sshl.sat.i8(i8 -64, i8 2)", 128),
        ("call i8 @llvm.bitreverse.i8(i8 1)", 128),
    ],
)
def test_an_instruction_on_constants_has_its_value(body: str, expected: int | None) -> None:
    function = parse_function(f"define i8 @f() {{ %a = {body} ret i8 %a }}")
    found = folded(function.blocks[0].instructions[0])
    assert found == (Poison(Int(8)) if expected is None else Constant(Int(8), expected))


@pytest.mark.parametrize("body", ["udiv i8 1, 0", "sdiv i8 -128, -1", "srem i8 -128, -1", "add i8 undef, 1"])
def test_what_is_undefined_is_left_alone(body: str) -> None:
    function = parse_function(f"define i8 @f() {{ %a = {body} ret i8 %a }}")
    assert folded(function.blocks[0].instructions[0]) is None


def test_lanes_are_folded_apart() -> None:
    function = parse_function("define <2 x i8> @f() { %a = shl <2 x i8> <i8 1, i8 1>, <i8 3, i8 9> ret <2 x i8> %a }")
    found = folded(function.blocks[0].instructions[0])
    expected: tuple[Value, ...] = (Constant(Int(8), 8), Poison(Int(8)))
    assert isinstance(found, ConstantVector) and found.elements == expected


def test_overflow_pairs_are_folded_by_index() -> None:
    text = (
        "define i1 @f() {{ %m = call {{i8, i1}} @llvm.{}.with.overflow.i8(i8 {}, i8 {}) "
        "%a = extractvalue {{i8, i1}} %m, 1 ret i1 %a }}"
    )
    for name, a, b, overflows in (("uadd", 255, 1, 1), ("sadd", 127, 1, 1), ("usub", 0, 1, 1), ("smul", 8, 8, 0)):
        function = cleaned(parse_function(text.format(name, a, b)))
        assert function.size == 0 and function.blocks[0].terminator.operands == (Constant(Int(1), overflows),)


def test_division_and_remainder_fit_together() -> None:
    for opcodes in (("udiv", "urem"), ("sdiv", "srem")):
        for a, b in product(range(16), repeat=2):
            try:
                quotient, rest = (binary(opcode, a, b, 4) for opcode in opcodes)
            except UndefinedBehaviourError:
                continue
            assert quotient is not None and rest is not None and (quotient * b + rest) % 16 == a


def test_an_unknown_intrinsic_is_refused() -> None:
    with pytest.raises(ValueError, match="'sin' is no integer intrinsic"):
        intrinsic("sin", (1,), 8)
