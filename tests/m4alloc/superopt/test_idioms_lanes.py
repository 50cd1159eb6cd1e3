"""Evaluation lane by lane, held against the interpreter."""

from __future__ import annotations

import random

import pytest

from m4alloc.superopt.idioms_lanes import evaluate
from m4alloc.superopt.idioms_tables import Arithmetic, NotASumError, Sum
from m4alloc.superopt.interpret_run import outcomes
from m4alloc.superopt.parse import parse_function

BODIES = {
    "widths and signs": """
  %a = sext <4 x i8> %x to <4 x i16>
  %b = zext <4 x i8> %y to <4 x i16>
  %p = mul <4 x i16> %a, %b
  %q = sext <4 x i16> %p to <4 x i32>
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %q)
  ret i32 %r""",
    "bytes of words": """
  %a = bitcast <4 x i8> %x to <2 x i16>
  %b = lshr <2 x i16> %a, splat (i16 4)
  %c = and <2 x i16> %b, splat (i16 15)
  %d = bitcast <4 x i8> %y to <2 x i16>
  %e = ashr <2 x i16> %d, splat (i16 8)
  %m = mul <2 x i16> %c, %e
  %n = sext <2 x i16> %m to <2 x i32>
  %o = extractelement <2 x i32> %n, i64 0
  %p = extractelement <2 x i32> %n, i64 1
  %r = sub i32 %o, %p
  ret i32 %r""",
    "moves": """
  %a = shufflevector <4 x i8> %x, <4 x i8> %y, <4 x i32> <i32 6, i32 1, i32 4, i32 3>
  %b = insertelement <4 x i8> %a, i8 7, i64 3
  %c = sext <4 x i8> %b to <4 x i32>
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %c)
  ret i32 %r""",
    "choices": """
  %n = icmp slt <4 x i8> %x, zeroinitializer
  %m = sub <4 x i8> zeroinitializer, %y
  %s = select <4 x i1> %n, <4 x i8> %m, <4 x i8> %y
  %a = call <4 x i8> @llvm.abs.v4i8(<4 x i8> %x, i1 false)
  %u = call <4 x i8> @llvm.umax.v4i8(<4 x i8> %a, <4 x i8> %s)
  %t = call <4 x i8> @llvm.smin.v4i8(<4 x i8> %u, <4 x i8> %y)
  %w = zext <4 x i8> %t to <4 x i32>
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %w)
  ret i32 %r""",
    "saturation": """
  %a = call <4 x i8> @llvm.sadd.sat.v4i8(<4 x i8> %x, <4 x i8> %y)
  %b = call <4 x i8> @llvm.ssub.sat.v4i8(<4 x i8> %a, <4 x i8> splat (i8 3))
  %w = sext <4 x i8> %b to <4 x i32>
  %r = call i32 @llvm.vector.reduce.add.v4i32(<4 x i32> %w)
  ret i32 %r""",
    "counts": """
  %a = bitcast <4 x i8> %x to i32
  %b = bitcast <4 x i8> %y to i32
  %c = xor i32 %a, %b
  %d = shl i32 %c, 3
  %n = call i32 @llvm.ctpop.i32(i32 %d)
  %r = add i32 %n, -5
  ret i32 %r""",
}


def at(value: Sum, given: dict[str, list[int]]) -> int:
    total = sum(
        int(table[tuple(given[leaf.base][leaf.offset] for leaf in leaves)]) for leaves, table in value.tables.items()
    )
    return total % (1 << value.width)


@pytest.mark.parametrize("name", BODIES)
def test_a_function_gives_what_the_interpreter_gives(name: str) -> None:
    function = parse_function(f"define i32 @f(<4 x i8> noundef %x, <4 x i8> noundef %y) {{{BODIES[name]}\n}}")
    arithmetic = Arithmetic()
    (lane,) = evaluate(function, arithmetic).lanes
    assert lane is not None
    value = arithmetic.joined(lane)
    choice = random.Random(name)
    for _ in range(40):
        given = {k: [choice.choice((0, 1, 127, 128, 255, choice.randrange(256))) for _ in range(4)] for k in "xy"}
        vectors = [frozenset({tuple(given[k])}) for k in "xy"]
        found = outcomes(function, vectors)
        assert isinstance(found, frozenset)
        (outcome,) = found
        assert outcome.value == frozenset({at(value, given)})


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("%a = udiv <4 x i8> %x, %y\n %r = bitcast <4 x i8> %a to i32\n ret i32 %r", "udiv"),
        ("%a = bitcast <4 x i8> %x to i32\n %r = mul i32 %a, %a\n ret i32 %r", "depend on"),
        ("%a = shufflevector <4 x i8> %x, <4 x i8> poison, <4 x i32> <i32 0, i32 1, i32 2, i32 poison>\n"
         " %r = bitcast <4 x i8> %a to i32\n ret i32 %r", "poison or undef"),
        ("%a = extractelement <4 x i8> %x, i64 0\n %b = zext i8 %a to i64\n"
         " %c = extractelement <4 x i8> %y, i64 %b\n %r = zext i8 %c to i32\n ret i32 %r", "chosen by a value"),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_named(body: str, reason: str) -> None:
    function = parse_function(f"define i32 @f(<4 x i8> noundef %x, <4 x i8> noundef %y) {{\n{body}\n}}")
    with pytest.raises(NotASumError, match=reason):
        evaluate(function, Arithmetic())


def test_an_offset_that_wraps_is_not_taken_for_another_place() -> None:
    """It would widen what the original is known to read, and with it what a flag of the rewrite may promise."""
    function = parse_function(
        "define i32 @f(ptr %p) { %q = getelementptr i64, ptr %p, i64 2305843009213693952 %a = load i8, ptr %q "
        "%r = zext i8 %a to i32 ret i32 %r }"
    )
    with pytest.raises(NotASumError, match="wraps at 64 bits"):
        evaluate(function, Arithmetic())
