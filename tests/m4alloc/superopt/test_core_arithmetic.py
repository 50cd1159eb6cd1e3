"""Four rewrites of arithmetic that allocators do, found from plain code, each with the condition that it needs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from m4alloc.superopt.cost import cost
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.pipeline import superoptimise
from m4alloc.superopt.problem import Budget, Problem


@dataclass(frozen=True)
class Arithmetic:
    """before: plain code after LLVM's -O2.  after: what the search finds.  x86: instructions of both, base x86-64."""

    name: str
    before: str
    after: str
    facts: tuple[str, ...]
    x86: tuple[int, int]

    @property
    def source(self) -> Function:
        return parse_function(self.before)

    @property
    def target(self) -> Function:
        return parse_function(self.after)

    @property
    def assumed(self) -> list[Fact]:
        return [Fact(text) for text in self.facts]


CLASS = Arithmetic(
    "size to rounded size and class",
    """define { i64, i64 } @size_to_class(i64 noundef %size) {
  %last = add i64 %size, -1
  %zeros = call i64 @llvm.ctlz.i64(i64 %last, i1 true)
  %shift = sub nsw i64 61, %zeros
  %step = shl nuw nsw i64 1, %shift
  %up = add i64 %last, %step
  %mask = sub nsw i64 0, %step
  %rounded = and i64 %up, %mask
  %steps = lshr i64 %rounded, %shift
  %four = shl nuw nsw i64 %zeros, 2
  %less = sub i64 %steps, %four
  %class = add i64 %less, 228
  %one = insertvalue { i64, i64 } poison, i64 %rounded, 0
  %both = insertvalue { i64, i64 } %one, i64 %class, 1
  ret { i64, i64 } %both
}""",
    """define { i64, i64 } @size_to_class(i64 noundef %size) {
  %last = add i64 %size, -1
  %zeros = call i64 @llvm.ctlz.i64(i64 %last, i1 true)
  %shift = sub nsw i64 61, %zeros
  %whole = lshr i64 %last, %shift
  %steps = add i64 %whole, 1
  %rounded = shl i64 %steps, %shift
  %four = shl nuw nsw i64 %zeros, 2
  %base = sub i64 229, %four
  %class = add i64 %whole, %base
  %one = insertvalue { i64, i64 } poison, i64 %rounded, 0
  %both = insertvalue { i64, i64 } %one, i64 %class, 1
  ret { i64, i64 } %both
}""",
    ("128 < size <= 131072",),
    (16, 11),
)
"""Four classes to a doubling.  Without the limit the rounded size wraps to 0 near 2**64, and its quotient with it."""

SLOT = Arithmetic(
    "is a slot free",
    """define i32 @has_clear_slot(i64 noundef %word, i64 noundef %slots) {
  %some = icmp ult i64 %slots, 64
  %above = shl nsw i64 -1, %slots
  %past = select i1 %some, i64 %above, i64 0
  %taken = or i64 %past, %word
  %free = icmp ne i64 %taken, -1
  %result = zext i1 %free to i32
  ret i32 %result
}""",
    """define i32 @has_clear_slot(i64 noundef %word, i64 noundef %slots) {
  %past = sub i64 64, %slots
  %free = xor i64 %word, -1
  %left = shl i64 %free, %past
  %any = icmp ne i64 %left, 0
  %result = zext i1 %any to i32
  ret i32 %result
}""",
    ("1 <= slots <= 64",),
    (10, 7),
)
"""A word of slots, of which the first `slots` exist."""

RANGE = Arithmetic(
    "mask of a range of bits",
    """define i64 @range_mask(i64 noundef %count, i64 noundef %bit) {
entry:
  %all = icmp ugt i64 %count, 63
  br i1 %all, label %return, label %fewer
fewer:
  %none = icmp eq i64 %count, 0
  br i1 %none, label %return, label %some
some:
  %above = shl nsw i64 -1, %count
  %below = xor i64 %above, -1
  %mask = shl i64 %below, %bit
  br label %return
return:
  %result = phi i64 [ -1, %entry ], [ %mask, %some ], [ 0, %fewer ]
  ret i64 %result
}""",
    """define i64 @range_mask(i64 noundef %count, i64 noundef %bit) {
entry:
  %all = icmp ugt i64 %count, 63
  br i1 %all, label %return, label %some
some:
  %above = shl nsw i64 -1, %count
  %below = xor i64 %above, -1
  %mask = shl i64 %below, %bit
  br label %return
return:
  %result = phi i64 [ -1, %entry ], [ %mask, %some ]
  ret i64 %result
}""",
    ("bit < 64",),
    (11, 8),
)
"""`count` bits from `bit` on.  Without the condition nothing is computed for 0 bits, but a shift by 64 or more is."""

BIN = Arithmetic(
    "size to bin",
    """define i64 @size_to_bin(i64 noundef %size) {
  %padded = add i64 %size, 7
  %words = lshr i64 %padded, 3
  %last = sub i64 %words, 1
  %zeros = call i64 @llvm.ctlz.i64(i64 %last, i1 true)
  %top = sub i64 63, %zeros
  %four = shl i64 %top, 2
  %down = sub i64 %top, 2
  %lead = lshr i64 %last, %down
  %step = and i64 %lead, 3
  %sum = add i64 %four, %step
  %bin = sub i64 %sum, 3
  ret i64 %bin
}""",
    """define i64 @size_to_bin(i64 noundef %size) {
  %padded = add i64 %size, 7
  %words = lshr i64 %padded, 3
  %last = sub i64 %words, 1
  %zeros = call i64 @llvm.ctlz.i64(i64 %last, i1 true)
  %top = sub i64 63, %zeros
  %four = shl i64 %top, 2
  %down = sub i64 %top, 2
  %lead = lshr i64 %last, %down
  %sum = add i64 %four, %lead
  %bin = sub i64 %sum, 7
  ret i64 %bin
}""",
    (),
    (9, 8),
)
"""Four bins to a doubling, by the leading three bits; as it is written, for -O2's form is longer (12 instructions)."""

ALL = (CLASS, SLOT, RANGE, BIN)


def _name(one: Arithmetic) -> str:
    return one.name


@pytest.mark.parametrize("one", ALL, ids=_name)
def test_each_is_proved_under_its_condition(one: Arithmetic) -> None:
    verdict = refines(one.source, one.target, one.assumed, seconds=20.0)
    assert verdict.accepted and not verdict.vacuous, verdict


@pytest.mark.parametrize("one", [one for one in ALL if one.facts], ids=_name)
def test_each_is_refuted_without_its_condition(one: Arithmetic) -> None:
    assert refines(one.source, one.target, [], seconds=20.0).counterexample is not None


@pytest.mark.parametrize("one", ALL, ids=_name)
def test_each_is_fewer_instructions(one: Arithmetic) -> None:
    prices = [cost(each, "x86-64", "instructions") for each in (one.source, one.target)]
    assert tuple(price.instructions for price in prices) == one.x86
    assert prices[1].ir < prices[0].ir


@pytest.mark.campaign
@pytest.mark.parametrize("one", ALL, ids=_name)
def test_each_is_found_without_being_told(one: Arithmetic) -> None:
    wanted = cost(one.target, "x86-64", "ir")
    result = superoptimise(Problem(one.source, tuple(one.assumed)), Budget(120.0))
    assert result.best.cost.ir <= wanted.ir and result.best.verdict.accepted, result.why_nothing
