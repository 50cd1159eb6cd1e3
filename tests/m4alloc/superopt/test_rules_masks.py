"""Masks and multiples of powers of two."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten


def test_a_branch_that_rounds_up_is_an_addition_and_a_mask() -> None:
    body = (
        "%a = and i32 %x, 15 %c = icmp eq i32 %a, 0 %o = or i32 %x, 15 %p = add i32 %o, 1 "
        "%r = select i1 %c, i32 %x, i32 %p ret i32 %r"
    )
    assert rewritten("round-up-by-branch", "i32 @f(i32 noundef %x)", body) == [
        "%r0 = add i32 %x, 15; %r = and i32 %r0, -16; ret i32 %r"
    ]


def test_a_mask_that_is_guarded_against_the_width_needs_no_guard_from_one_to_the_width() -> None:
    head = "i64 @f(i64 noundef %n)"
    body = "%c = icmp ult i64 %n, 64 %m = shl i64 -1, %n %r = select i1 %c, i64 %m, i64 0 ret i64 %r"
    assert rewritten("guarded-high-mask", head, body) == []
    (found,) = rewritten("guarded-high-mask", head, body, "1 <= n <= 64")
    assert "select" not in found
