"""m4alloc.superopt.parse_lines: each opcode of the subset, with every flag it may carry, survives LLVM's printer."""

from __future__ import annotations

from itertools import chain, combinations

import pytest

from m4alloc.superopt import parse, printer
from m4alloc.superopt.ir import (
    BINARY,
    FLAGS,
    PREDICATES,
    PTR,
    VOID,
    Argument,
    Block,
    Constant,
    ConstantVector,
    Function,
    Instruction,
    Int,
    Null,
    Poison,
    Type,
    Undef,
    Value,
    Vector,
    constant,
)

I8, I32, I64 = Int(8), Int(32), Int(64)
V4 = Vector(4, I8)
A, B, P, W = (Argument(name, type_) for name, type_ in (("a", I8), ("b", I8), ("p", PTR), ("w", I64)))
V, U = Argument("v", V4), Argument("u", V4)


def around(instruction: Instruction) -> Function:
    """A function that holds the instruction and gives its result."""
    result = () if instruction.type == VOID else (instruction.result,)
    return Function(
        "f", instruction.type, (A, B, P, W, V, U), (Block("start", (instruction, Instruction("ret", VOID, result))),)
    )


def survives(instruction: Instruction) -> None:
    function = around(instruction)
    assert parse.parse_function(printer.checked(function)) == function


def flag_sets() -> list[tuple[str, frozenset[str]]]:
    return [
        (opcode, frozenset(flags))
        for opcode, all_flags in FLAGS.items()
        for flags in chain.from_iterable(combinations(sorted(all_flags), n) for n in range(len(all_flags) + 1))
    ]


def flagged(opcode: str, flags: frozenset[str]) -> Instruction:
    match opcode:
        case "trunc":
            return Instruction(opcode, I8, (W.value,), "r", flags)
        case "zext":
            return Instruction(opcode, I64, (A.value,), "r", flags)
        case "icmp":
            return Instruction(opcode, Int(1), (A.value, B.value), "r", flags, "ult")
        case "getelementptr":
            return Instruction(opcode, PTR, (P.value, W.value), "r", flags, element=I32)
        case "load":
            return Instruction(opcode, I8, (P.value,), "r", flags, align=1)
        case "store":
            return Instruction(opcode, VOID, (A.value, P.value), "", flags, align=1)
        case _:
            return Instruction(opcode, I8, (A.value, B.value), "r", flags)


@pytest.mark.parametrize(("opcode", "flags"), flag_sets(), ids=lambda each: "+".join(sorted(each)) if each else "none")
def test_every_flag_survives(opcode: str, flags: frozenset[str]) -> None:
    if {"inbounds", "nusw"} <= flags:
        # inbounds implies nusw, and LLVM prints the stronger word only.
        function = around(flagged(opcode, flags))
        read = parse.parse_function(printer.checked(function))
        assert read == around(flagged(opcode, flags - {"nusw"}))
    else:
        survives(flagged(opcode, flags))


@pytest.mark.parametrize("opcode", sorted(BINARY))
@pytest.mark.parametrize(("left", "right"), [(A.value, B.value), (V.value, U.value)], ids=["scalar", "vector"])
def test_every_binary_survives(opcode: str, left: Value, right: Value) -> None:
    survives(Instruction(opcode, left.type, (left, right), "r"))


@pytest.mark.parametrize("predicate", PREDICATES)
def test_every_predicate_survives(predicate: str) -> None:
    survives(Instruction("icmp", Int(1), (A.value, B.value), "r", predicate=predicate))
    survives(Instruction("icmp", Vector(4, Int(1)), (V.value, U.value), "r", predicate=predicate))
    survives(Instruction("icmp", Int(1), (P.value, Null(PTR)), "r", predicate=predicate))


CONSTANTS: list[Value] = [
    constant(I8, -1),
    constant(Int(1), 1),
    constant(Int(128), 1 << 127),
    Undef(I8),
    Poison(V4),
    Null(PTR),
    ConstantVector(V4, (Constant(I8, 0),) * 4),
    ConstantVector(V4, (Constant(I8, 7),) * 4),
    ConstantVector(V4, (Constant(I8, 1), Undef(I8), Poison(I8), Constant(I8, 255))),
    ConstantVector(Vector(2, PTR), (Null(PTR), Null(PTR))),
]


@pytest.mark.parametrize("value", CONSTANTS, ids=str)
def test_every_constant_survives(value: Value) -> None:
    survives(Instruction("freeze", value.type, (value,), "r"))


CALLS: list[tuple[str, Type, tuple[Value, ...]]] = [
    *((f"llvm.{name}.i8", I8, (A.value, B.value)) for name in ("umin", "umax", "smin", "smax")),
    *((f"llvm.{name}.i8", I8, (A.value, B.value)) for name in ("uadd.sat", "usub.sat", "sadd.sat", "ssub.sat")),
    *((f"llvm.{name}.i8", I8, (A.value, B.value)) for name in ("ushl.sat", "sshl.sat")),
    *((f"llvm.{name}.i8", I8, (A.value, Constant(Int(1), 1))) for name in ("ctlz", "cttz", "abs")),
    *((f"llvm.{name}.i8", I8, (A.value,)) for name in ("ctpop", "bitreverse")),
    ("llvm.bswap.i64", I64, (W.value,)),
    *((f"llvm.{name}.i8", I8, (A.value, B.value, A.value)) for name in ("fshl", "fshr")),
    *((f"llvm.{name}.i32.i8", I32, (A.value, B.value)) for name in ("ucmp", "scmp")),
    *(
        (f"llvm.vector.reduce.{name}.v4i8", I8, (V.value,))
        for name in ("add", "mul", "and", "or", "xor", "umin", "umax", "smin", "smax")
    ),
    ("llvm.umin.v4i8", V4, (V.value, U.value)),
    ("llvm.ptrmask.p0.i64", PTR, (P.value, W.value)),
    ("llvm.assume", VOID, (Constant(Int(1), 1),)),
]


@pytest.mark.parametrize(("callee", "type_", "operands"), CALLS, ids=lambda each: each if isinstance(each, str) else "")
def test_every_intrinsic_survives(callee: str, type_: Type, operands: tuple[Value, ...]) -> None:
    survives(Instruction("call", type_, operands, "" if type_ == VOID else "r", callee=callee))


BODIES = [
    "%s = call { i8, i1 } @llvm.uadd.with.overflow.i8(i8 %a, i8 %b) %r = extractvalue { i8, i1 } %s, 0",
    "%s = insertvalue { i8, i8 } poison, i8 %a, 0 %r = extractvalue { i8, i8 } %s, 1",
    (
        "%s = shufflevector <4 x i8> %v, <4 x i8> %u, <3 x i32> <i32 0, i32 poison, i32 7>"
        " %r = extractelement <3 x i8> %s, i64 2"
    ),
    (
        "%s = shufflevector <4 x i8> %v, <4 x i8> poison, <4 x i32> zeroinitializer"
        " %r = extractelement <4 x i8> %s, i8 %a"
    ),
    "%s = insertelement <4 x i8> %v, i8 %a, i32 3 %r = call i8 @llvm.vector.reduce.add.v4i8(<4 x i8> %s)",
    "%s = alloca [4 x i8], i64 %w, align 16 %r = load i8, ptr %s, align 4",
    "%s = ptrtoint ptr %p to i64 %t = inttoptr i64 %s to ptr %r = load i8, ptr %t",
    "%s = bitcast <4 x i8> %v to i32 %r = trunc nuw nsw i32 %s to i8",
    "%s = getelementptr { i32, [3 x i8] }, ptr %p, i64 1, i32 1, i64 2 %r = load i8, ptr %s",
    (
        "%s = getelementptr i8, ptr %p, <2 x i64> <i64 1, i64 2> %t = extractelement <2 x ptr> %s, i32 0"
        " %r = load i8, ptr %t"
    ),
    "%s = icmp eq ptr %p, null %r = select i1 %s, i8 %a, i8 undef",
    (
        "%s = select <4 x i1> <i1 true, i1 false, i1 poison, i1 true>, <4 x i8> %v, <4 x i8> %u"
        " %r = extractelement <4 x i8> %s, i32 0"
    ),
    "%r = call noundef range(i8 0, 9) i8 @llvm.ctpop.i8(i8 %a)",
]


@pytest.mark.parametrize("body", BODIES)
def test_each_shape_of_instruction_is_in_the_subset(body: str) -> None:
    text = f"define i8 @f(i8 %a, i8 %b, ptr %p, i64 %w, <4 x i8> %v, <4 x i8> %u) {{ {body} ret i8 %r }}"
    function = parse.parse_function(text)
    assert not function.is_opaque
    assert parse.parse_function(printer.checked(function)) == function


def test_a_switch_keeps_its_cases_in_order() -> None:
    function = parse.parse_function(
        "define i8 @f(i8 %a) { switch i8 %a, label %d [ i8 -1, label %e\n i8 2, label %d ]\nd: ret i8 1\ne: ret i8 2 }"
    )
    switch = function.blocks[0].terminator
    assert switch.operands[1:] == (constant(I8, -1), constant(I8, 2))
    assert switch.labels == ("d", "e", "d")
    assert parse.parse_function(printer.checked(function)) == function


OPAQUE = [
    "%r = load atomic i8, ptr %p monotonic, align 1",
    "store atomic i8 %a, ptr %p release, align 1 %r = add i8 %a, 1",
    "%r = atomicrmw add ptr %p, i8 %a seq_cst",
    "call void @llvm.memset.p0.i64(ptr %p, i8 0, i64 %w, i1 false) %r = add i8 %a, 1",
    "call void @llvm.lifetime.end.p0(ptr poison) %r = add i8 %a, 1",
    'call void @llvm.assume(i1 true) [ "align"(ptr %p, i64 16) ] %r = add i8 %a, 1',
    "%r = call i8 @llvm.umin.i8(i8 noundef %a, i8 %b)",
    "%f = uitofp i8 %a to float %r = fptoui float %f to i8",
    "%f = call i8 @llvm.fptosi.sat.i8.f32(float 1.0) %r = add i8 %f, 1",
]


@pytest.mark.parametrize("body", OPAQUE)
def test_what_is_not_plain_is_opaque(body: str) -> None:
    """Atomics, unknown calls, floats, and assumptions that the form cannot hold."""
    function = parse.parse_function(f"define i8 @f(i8 %a, i8 %b, ptr %p, i64 %w) {{ {body} ret i8 %r }}")
    assert function.is_opaque
    assert parse.parse_function(printer.checked(function)) == function
