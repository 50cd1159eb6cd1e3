"""Inputs and constants of a window."""

import pytest

from m4alloc.superopt.enumerate_kernels import LANES
from m4alloc.superopt.enumerate_window import NoWindowError, amounts, constants, samples, widths
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.parse import parse_function

CLAMP = parse_function("""define i32 @f(i32 noundef %x) {
  %c = icmp ult i32 %x, 16
  %r = select i1 %c, i32 16, i32 %x
  ret i32 %r
}""")


def test_lanes_hold_rare_and_common_results() -> None:
    found = samples(CLAMP, (), 0)
    assert len(found.lanes) == LANES and 1 < (found.wanted == 16).sum() < LANES


def test_inputs_where_the_source_is_poison_are_left_out() -> None:
    source = parse_function("define i8 @f(i8 noundef %x) { %a = add nuw i8 %x, 100 ret i8 %a }")
    assert (samples(source, (), 0).inputs[0] <= 155).all()


def test_facts_leave_inputs_out() -> None:
    assert (samples(CLAMP, (Fact("x < 20"),), 0).inputs[0] < 20).all()


def test_further_inputs_become_lanes() -> None:
    found = samples(CLAMP, (), 0, [(123456789,)])
    assert 123456789 in found.column(0)


def test_a_source_that_is_always_poison_has_no_window() -> None:
    with pytest.raises(NoWindowError, match="undefined or poison on every input"):
        samples(parse_function("define i8 @f(i8 noundef %x) { %a = shl i8 %x, 9 ret i8 %a }"), (), 0)


def test_wide_integers_have_no_window() -> None:
    with pytest.raises(NoWindowError, match="i128"):
        samples(parse_function("define i8 @f(i128 %x) { %a = trunc i128 %x to i8 ret i8 %a }"), (), 0)


def test_constants_are_the_sources_first() -> None:
    assert constants(CLAMP, 32)[:4] == [0, 1, 2**32 - 1, 16]


def test_widths_include_what_shifts_stand_for() -> None:
    source = parse_function("define i32 @f(i32 %x) { %a = shl i32 %x, 24 %b = ashr i32 %a, 24 ret i32 %b }")
    assert widths(source) == [8, 32]
    assert amounts(source) == [24, 8]
