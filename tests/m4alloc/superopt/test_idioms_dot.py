"""Dot products of small integers: recognised, rebuilt, proved."""

from __future__ import annotations

import numpy as np
import pytest

from m4alloc.superopt.equivalence import refines as refines_by_smt
from m4alloc.superopt.idioms_dot import Field, Run, candidates, field_of, products, runs
from m4alloc.superopt.idioms_lanes import evaluate
from m4alloc.superopt.idioms_prove import plain
from m4alloc.superopt.idioms_sums import refines
from m4alloc.superopt.idioms_tables import Arithmetic, Leaf
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function

LOOP = """define i32 @sum(ptr noundef readonly captures(none) %x, ptr noundef readonly captures(none) %y) {{
entry:
  %xs = getelementptr inbounds nuw i8, ptr %x, i64 4
  %ys = getelementptr inbounds nuw i8, ptr %y, i64 4
  br label %body
end:
  ret i32 %sum1
body:
  %i = phi i64 [ 0, %entry ], [ %i1, %body ]
  %sum = phi i32 [ 0, %entry ], [ %sum1, %body ]
  %xp = getelementptr inbounds nuw i8, ptr %xs, i64 %i
  %xv = load i8, ptr %xp, align 1
  %yp = getelementptr inbounds nuw i8, ptr %ys, i64 %i
  %yv = load i8, ptr %yp, align 1
  %yw = sext i8 %yv to i32
{turn}
  %i1 = add nuw nsw i64 %i, 1
  %done = icmp eq i64 %i1, {count}
  br i1 %done, label %end, label %body
}}"""
EIGHT = """  %xw = sext i8 %xv to i32
  %m = mul nsw i32 %yw, %xw
  %sum1 = add nsw i32 %m, %sum"""
FOUR = """  %xw = zext i8 %xv to i32
  %low = and i32 %xw, 15
  %a = add nsw i32 %low, -8
  %high = lshr i32 %xw, 4
  %b = add nsw i32 %high, -8
  %m = mul nsw i32 %a, %yw
  %zp = getelementptr inbounds nuw i8, ptr %yp, i64 16
  %zv = load i8, ptr %zp, align 1
  %zw = sext i8 %zv to i32
  %n = mul nsw i32 %b, %zw
  %s = add i32 %n, %sum
  %sum1 = add i32 %s, %m"""
NEVER = {"y": tuple(byte for byte in range(256) if byte != 128)}


def loop(turn: str, count: int) -> Function:
    return parse_function(LOOP.format(turn=turn, count=count))


@pytest.mark.parametrize(
    ("turn", "count", "target"),
    [
        pytest.param(EIGHT, 32, "x86-64-v3", id="bytes, AVX2"),
        pytest.param(EIGHT, 32, "x86-64", marks=pytest.mark.campaign, id="bytes, SSE"),
        pytest.param(FOUR, 16, "x86-64-v3", marks=pytest.mark.campaign, id="nibbles, AVX2"),
        pytest.param(FOUR, 16, "x86-64", marks=pytest.mark.campaign, id="nibbles, SSE"),
    ],
)
def test_a_loop_is_rebuilt_for_vectors_and_proved(turn: str, count: int, target: str) -> None:
    found = candidates(loop(turn, count), target)
    assert found and found[0].verdict.accepted
    assert found[0].instructions < 45
    proved = [each for each in found if each.verdict.accepted]
    assert [each.instructions for each in proved] == sorted(each.instructions for each in proved)


@pytest.mark.campaign
def test_nibbles_are_multiplied_as_unsigned_bytes_where_that_exists() -> None:
    assert candidates(loop(FOUR, 16), "x86-64-v3")[0].way == "unsigned by signed bytes"
    assert "unsigned by signed bytes" not in {each.way for each in candidates(loop(FOUR, 16), "x86-64")}


@pytest.mark.campaign
def test_magnitudes_by_signs_need_that_no_byte_is_minus_128() -> None:
    without = {each.way: each.verdict for each in candidates(loop(EIGHT, 32))}["magnitudes by signs"]
    assert without.exit_status == 1 and without.counterexample is not None
    assert {value for _, value in without.counterexample.memory[:2]} == {"128"}
    best = candidates(loop(EIGHT, 32), domains=NEVER)[0]
    assert best.way == "magnitudes by signs" and best.verdict.accepted
    assert "each byte of y: -127 <= signed(byte) <= 127" in best.verdict.assumptions[1].text


@pytest.mark.parametrize(("old", "new"), [("mul nsw", "xor"), ("add nsw i32 %m", "sub i32 %m")])
def test_a_loop_that_is_no_sum_of_products_is_left_alone(old: str, new: str) -> None:
    assert old in EIGHT and candidates(loop(EIGHT.replace(old, new), 32)) == []


def test_unsigned_bytes_are_rebuilt_as_unsigned_ones() -> None:
    unsigned = loop(EIGHT.replace("sext i8 %xv", "zext i8 %xv") + "\n  %unused = add i32 %sum1, 1", 32)
    found = {each.way: each for each in candidates(unsigned)}
    assert {way: each.verdict.exit_status for way, each in found.items()} == {
        "words": 0,
        "even and odd bytes": 0,
        "unsigned by signed bytes": 3,
    }
    signed = plain(loop(EIGHT, 32), 64)[0]
    assert all(refines(signed, each.function).exit_status == 1 for each in found.values() if each.verdict.accepted)


def test_fields_are_recognised_by_their_values() -> None:
    for field in (Field(0, 4, 8), Field(4, 4, 8), Field(0, 0, 0), Field(2, 3, 0), Field(6, 2, 1)):
        assert field_of(field.values) == field
    assert field_of(np.arange(256, dtype=np.int64) ** 2) is None


def test_runs_are_as_long_as_the_bytes_are_neighbours() -> None:
    low = Field(0, 4, 8)
    parts = [(low, Leaf("x", k), Leaf("y", k)) for k in (0, 1, 2, 5)]
    assert runs(parts) == [
        Run(low, Leaf("x", 0), Leaf("y", 0), 3),
        Run(low, Leaf("x", 5), Leaf("y", 5), 1),
    ]


def test_products_are_read_off_the_tables() -> None:
    function = parse_function("""define i32 @f(<2 x i8> noundef %x, <2 x i8> noundef %y) {
      %a = lshr <2 x i8> %x, splat (i8 4)
      %b = zext <2 x i8> %a to <2 x i32>
      %c = sext <2 x i8> %y to <2 x i32>
      %m = mul <2 x i32> %b, %c
      %r = call i32 @llvm.vector.reduce.add.v2i32(<2 x i32> %m)
      ret i32 %r
    }""")
    arithmetic = Arithmetic()
    (lane,) = evaluate(function, arithmetic).lanes
    assert lane is not None
    high = Field(4, 4, 0)
    assert products(arithmetic.joined(lane), {}) == [
        (high, Leaf("x", 0), Leaf("y", 0)),
        (high, Leaf("x", 1), Leaf("y", 1)),
    ]


LEMMAS = {
    "an offset is distributed in 16 bits": ("""
  %a = and i8 %x, 15
  %b = zext i8 %a to i32
  %c = add nsw i32 %b, -8
  %d = sext i8 %y to i32
  %r = mul nsw i32 %c, %d
  ret i32 %r""", """
  %a = and i8 %x, 15
  %b = zext i8 %a to i16
  %d = sext i8 %y to i16
  %m = mul nsw i16 %b, %d
  %e = mul nsw i16 %d, 8
  %s = sub nsw i16 %m, %e
  %r = sext i16 %s to i32
  ret i32 %r"""),
    "the other nibble": ("""
  %b = zext i8 %x to i32
  %h = lshr i32 %b, 4
  %c = add nsw i32 %h, -8
  %d = sext i8 %y to i32
  %r = mul nsw i32 %c, %d
  ret i32 %r""", """
  %a = lshr i8 %x, 4
  %b = zext i8 %a to i16
  %d = sext i8 %y to i16
  %m = mul nsw i16 %b, %d
  %e = mul nsw i16 %d, 8
  %s = sub nsw i16 %m, %e
  %r = sext i16 %s to i32
  ret i32 %r"""),
}  # fmt: skip


@pytest.mark.parametrize("name", LEMMAS)
def test_one_product_is_proved_by_smt_too(name: str) -> None:
    """The tables say so for 65,536 pairs of bytes; z3 says so independently."""
    source, target = (
        parse_function(f"define i32 @f(i8 noundef %x, i8 noundef %y) {{{body}\n}}") for body in LEMMAS[name]
    )
    assert refines_by_smt(source, target, seconds=30.0).accepted
    wrong = parse_function(
        f"define i32 @f(i8 noundef %x, i8 noundef %y) {{{LEMMAS[name][1].replace('%d, 8', '%d, 7')}\n}}"
    )
    assert refines_by_smt(source, wrong, seconds=30.0).exit_status == 1
