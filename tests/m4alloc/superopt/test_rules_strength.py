"""Strength reduction: divisions become shifts, masks and products."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten

HEAD = "i32 @f(i32 noundef %x, i32 noundef %y)"


def test_a_power_of_two_divides_by_a_shift() -> None:
    assert rewritten("udiv-pow2", HEAD, "%r = udiv i32 %x, 64 ret i32 %r") == ["%r = lshr i32 %x, 6; ret i32 %r"]


def test_a_remainder_by_a_single_bit_is_a_mask() -> None:
    body = "%b = shl i32 1, %y %r = urem i32 %x, %b ret i32 %r"
    assert "urem" not in rewritten("urem-by-bit", HEAD, body)[0]


def test_a_division_by_three_is_the_high_half_of_a_product() -> None:
    head = "i8 @f(i8 noundef %x)"
    (found,) = rewritten("udiv-constant", head, "%r = udiv i8 %x, 3 ret i8 %r")
    assert "mul i16" in found and ", 171" in found


def test_a_remainder_of_what_is_smaller_is_itself() -> None:
    assert rewritten("urem-if-below", HEAD, "%r = urem i32 %x, %y ret i32 %r", "x < y") == ["ret i32 %x"]


def test_a_quotient_rounded_towards_zero_by_a_select_is_a_division() -> None:
    body = "%n = icmp slt i32 %x, 0 %b = add i32 %x, 7 %s = select i1 %n, i32 %b, i32 %x %r = ashr i32 %s, 3 ret i32 %r"
    assert rewritten("sdiv-pow2-by-select", HEAD, body) == ["%r = sdiv i32 %x, 8; ret i32 %r"]
    assert rewritten("sdiv-pow2-by-select", HEAD, body.replace("7", "8")) == []


def test_a_quotient_by_the_smeared_sign_is_a_division() -> None:
    signs = "%s = ashr i32 %x, 31 "
    by_mask = signs + "%m = and i32 %s, 7 %a = add i32 %x, %m %r = ashr i32 %a, 3 ret i32 %r"
    by_shift = signs + "%m = lshr i32 %s, 29 %a = add i32 %x, %m %r = ashr i32 %a, 3 ret i32 %r"
    assert rewritten("sdiv-pow2-by-mask", HEAD, by_mask) == ["%r = sdiv i32 %x, 8; ret i32 %r"]
    assert rewritten("sdiv-pow2-by-signs", HEAD, by_shift) == ["%r = sdiv i32 %x, 8; ret i32 %r"]
