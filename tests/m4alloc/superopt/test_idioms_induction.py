"""Closed forms of loops by induction."""

from __future__ import annotations

import pytest

from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_induction import METHOD, refines_by_induction
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt import idioms_cases

COUNT = """define i32 @f(i64 noundef %x) {
  %c = call i64 @llvm.ctpop.i64(i64 %x)
  %r = trunc i64 %c to i32
  ret i32 %r
}"""


def narrow(text: str) -> Function:
    """The same on 16 bits."""
    return parse_function(text.replace("i64", "i16").replace("trunc i16", "zext i16"))


def test_counting_by_shifts_is_proved_at_full_width() -> None:
    verdict = refines_by_induction(idioms_cases.function("count_shift"), parse_function(COUNT))
    assert verdict.accepted and verdict.method == METHOD
    assert "the loop ends within 64 repetitions" in verdict.obligations


def test_counting_by_clearing_bits_needs_an_invariant() -> None:
    verdict = refines_by_induction(idioms_cases.function("count_clear"), narrow(COUNT), seconds=30.0)
    assert verdict.accepted and "invariant of the loop: state != 0" in verdict.obligations


@pytest.mark.campaign
def test_counting_by_clearing_bits_is_proved_at_full_width() -> None:
    source = parse_function(idioms_cases.IR["count_clear"].replace("i16", "i64"))
    assert refines_by_induction(source, parse_function(COUNT), seconds=120.0).accepted


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("lshr i64 %s, 1", "lshr i64 %s, 2"),
        ("and i32 %t, 1", "and i32 %t, 3"),
        ("[ 0, %entry ]\n  %s", "[ 1, %entry ]\n  %s"),
        ("add i32 %b, %n", "sub i32 %n, %b"),
        ("[ 0, %entry ], [ %n1", "[ 5, %entry ], [ %n1"),
    ],
)
def test_a_wrong_loop_is_not_accepted(old: str, new: str) -> None:
    text = idioms_cases.IR["count_shift"]
    assert old in text
    verdict = refines_by_induction(narrow(text.replace(old, new)), narrow(COUNT), seconds=8.0)
    assert not verdict.accepted and verdict.reason


def test_a_loop_that_may_never_end_is_not_accepted() -> None:
    """n += s & 1 for ever, where s is not shifted but the claim would still hold turn by turn."""
    source = parse_function("""
define i32 @f(i16 noundef %x) {
entry:
  br label %body
body:
  %n = phi i32 [ 0, %entry ], [ %n, %body ]
  %s = phi i16 [ %x, %entry ], [ %s, %body ]
  %done = icmp eq i16 %s, 0
  br i1 %done, label %end, label %body
end:
  ret i32 %n
}""")
    target = parse_function("define i32 @f(i16 noundef %x) {\n  ret i32 0\n}")
    verdict = refines_by_induction(source, target)
    assert not verdict.accepted and "the loop's end" in verdict.reason
    assert refines_by_induction(source, target, [Fact("x == 0")]).accepted


def test_another_shape_is_not_judged() -> None:
    assert "no loop with one state" in refines_by_induction(parse_function(COUNT), parse_function(COUNT)).reason
