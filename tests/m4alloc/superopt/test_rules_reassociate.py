"""Reassociation: constants meet, masks move to where they cost nothing."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten

HEAD = "i32 @f(i32 noundef %x)"


def test_two_shifts_are_one_with_a_mask() -> None:
    body = "%a = lshr i32 %x, 7 %r = shl i32 %a, 4 ret i32 %r"
    assert rewritten("lshr-shl-less", HEAD, body) == ["%r0 = lshr i32 %x, 3; %r = and i32 %r0, -16; ret i32 %r"]


def test_shifts_past_the_width_leave_nothing() -> None:
    body = "%a = shl i32 %x, 20 %r = shl i32 %a, 12 ret i32 %r"
    assert rewritten("shl-shl-out", HEAD, body) == ["ret i32 0"]


def test_a_mask_before_a_shift_that_drops_it_goes() -> None:
    body = "%a = and i32 %x, -16 %r = lshr i32 %a, 4 ret i32 %r"
    assert rewritten("lshr-drops-mask", HEAD, body) == ["%r = lshr i32 %x, 4; ret i32 %r"]
