"""Instructions on pointers, vectors, aggregates and floats."""

from __future__ import annotations

import pytest

from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.smt_instructions import unknown_constants
from m4alloc.superopt.verdict import Outcome
from tests.m4alloc.superopt.test_equivalence import body, check


@pytest.mark.parametrize(
    ("signature", "a", "b", "accepted"),
    [
        ("ptr @f(ptr %p)", "%r = getelementptr i8, ptr %p, i64 0", "ptr %p", True),
        ("ptr @f(ptr %p)", "%r = getelementptr inbounds i8, ptr %p, i64 0", "ptr %p", True),
        ("ptr @f(ptr noundef %p, i32 noundef %i)", "%r = getelementptr i8, ptr %p, i32 %i",
         "%j = zext i32 %i to i64; %r = getelementptr i8, ptr %p, i64 %j", False),
        ("ptr @f(ptr noundef %p, i32 noundef %i)", "%r = getelementptr i8, ptr %p, i32 %i",
         "%j = sext i32 %i to i64; %r = getelementptr i8, ptr %p, i64 %j", True),
        ("ptr @f(ptr noundef %p, i64 noundef %i)", "%r = getelementptr i32, ptr %p, i64 %i",
         "%j = shl i64 %i, 2; %r = getelementptr i8, ptr %p, i64 %j", True),
        ("ptr @f(ptr noundef %p, i64 noundef %i)", "%r = getelementptr nusw i32, ptr %p, i64 %i",
         "%j = shl nsw i64 %i, 2; %r = getelementptr nusw i8, ptr %p, i64 %j", True),
        ("ptr @f(ptr noundef %p, i64 noundef %i)", "%r = getelementptr nusw i32, ptr %p, i64 %i",
         "%j = shl nuw i64 %i, 2; %r = getelementptr nuw i8, ptr %p, i64 %j", False),
        ("ptr @f(ptr noundef %p)", "%r = call ptr @llvm.ptrmask.p0.i64(ptr %p, i64 -1)", "ptr %p", True),
        ("i32 @f(ptr noundef %p)", "%r = ptrtoint ptr %p to i32",
         "%i = ptrtoint ptr %p to i64; %r = trunc i64 %i to i32", True),
        ("i16 @f(<2 x i8> noundef %x)", "%r = bitcast <2 x i8> %x to i16",
         "%a = extractelement <2 x i8> %x, i32 0; %b = extractelement <2 x i8> %x, i32 1; %c = zext i8 %a to i16;"
         "%d = zext i8 %b to i16; %e = shl i16 %d, 8; %r = or i16 %c, %e", True),
        ("<2 x i8> @f(i8 noundef %x)", "%a = insertelement <2 x i8> poison, i8 %x, i32 0;"
         "%r = shufflevector <2 x i8> %a, <2 x i8> poison, <2 x i32> zeroinitializer",
         "%a = insertelement <2 x i8> poison, i8 %x, i32 1; %r = insertelement <2 x i8> %a, i8 %x, i32 0", True),
        ("<2 x i8> @f(<2 x i8> noundef %x)", "%r = insertelement <2 x i8> %x, i8 0, i32 2", "<2 x i8> %x", True),
        ("i8 @f(i8 noundef %x)", "%s = insertvalue { i8, i1 } poison, i8 %x, 0; %r = extractvalue { i8, i1 } %s, 0",
         "i8 %x", True),
        ("i8 @f(i8 noundef %x)", "%r = call i8 @llvm.expect.i8(i8 %x, i8 1)", "i8 %x", True),
        ("<2 x i8> @f(<2 x i1> noundef %c, <2 x i8> %x)", "%r = select <2 x i1> %c, <2 x i8> %x, <2 x i8> poison",
         "<2 x i8> %x", True),
        ("float @f(float %x)", "%i = bitcast float %x to i32; %r = bitcast i32 %i to float", "float %x", True),
        ("i32 @f()", "%r = bitcast float 1.0 to i32", "i32 1065353216", True),
        ("i64 @f()", "%r = bitcast double -2.0 to i64", "i64 -4611686018427387904", True),
    ],
)  # fmt: skip
def test_two_ways_to_compute_a_value(signature: str, a: str, b: str, accepted: bool) -> None:
    type_ = signature.partition(" @")[0]
    texts = []
    for lines in (a, b):
        steps = [line.strip() for line in lines.split(";")]
        texts.append(body(signature, *steps, f"ret {type_} %r") if "=" in lines else body(signature, f"ret {lines}"))
    assert check(texts[0], texts[1]).accepted is accepted


def test_a_float_constant_that_is_not_understood_is_no_counterexample() -> None:
    a = body("half @f()", "ret half 0xH3C00")
    assert unknown_constants(parse_function(a)) == ["0xH3C00"]
    assert check(a, body("half @f()", "ret half 0xH3C01")).outcome is Outcome.UNKNOWN
    assert check(a, a).accepted


def test_arithmetic_on_floats_is_not_compared() -> None:
    a = body("float @f(float %x)", "%r = fadd float %x, 1.0", "ret float %r")
    verdict = check(a, body("float @f(float %x)", "ret float %x"))
    assert verdict.outcome is Outcome.UNKNOWN
    assert verdict.reason.startswith("fadd float %x")


def test_capabilities_are_not_compared_as_pointers() -> None:
    signature = "ptr addrspace(200) @f(ptr addrspace(200) %p)"
    a = body(signature, "%r = getelementptr i8, ptr addrspace(200) %p, i64 1", "ret ptr addrspace(200) %r")
    assert check(a, body(signature, "ret ptr addrspace(200) %p")).outcome is Outcome.UNKNOWN
