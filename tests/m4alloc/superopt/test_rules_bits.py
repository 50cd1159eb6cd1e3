"""Bit tricks: powers of two, rotations, signs."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten


def test_exactly_one_bit_is_counted() -> None:
    body = (
        "%m = add i32 %x, -1 %a = and i32 %x, %m %c = icmp eq i32 %a, 0 %d = icmp ne i32 %x, 0 "
        "%r = and i1 %c, %d ret i1 %r"
    )
    (found,) = rewritten("pow2", "i1 @f(i32 noundef %x)", body)
    assert "ctpop" in found and found.count(";") == 2


def test_two_shifts_are_a_rotation() -> None:
    body = "%a = shl i32 %x, 5 %b = lshr i32 %x, 27 %r = or i32 %a, %b ret i32 %r"
    assert "fshl" in rewritten("rotate", "i32 @f(i32 noundef %x)", body)[0]


def test_the_sign_is_a_clamp() -> None:
    body = (
        "%p = icmp sgt i32 %x, 0 %n = icmp slt i32 %x, 0 %a = zext i1 %p to i32 %b = zext i1 %n to i32 "
        "%r = sub i32 %a, %b ret i32 %r"
    )
    assert rewritten("sign-by-compares", "i32 @f(i32 noundef %x)", body)[0].count(";") == 2


def test_four_moved_bytes_are_a_swap() -> None:
    body = (
        "%a = shl i32 %x, 24 %b = shl i32 %x, 8 %c = and i32 %b, 16711680 %d = lshr i32 %x, 8 %e = and i32 %d, 65280 "
        "%g = lshr i32 %x, 24 %h = or i32 %a, %c %i = or i32 %e, %g %r = or i32 %h, %i ret i32 %r"
    )
    assert "bswap" in rewritten("bswap-32", "i32 @f(i32 noundef %x)", body)[0]


def test_halves_and_a_carry_are_an_average() -> None:
    head = "i32 @f(i32 noundef %x, i32 noundef %y)"
    body = (
        "%a = lshr i32 %x, 1 %b = lshr i32 %y, 1 %s = add i32 %a, %b %c = and i32 %x, %y %d = and i32 %c, 1 "
        "%r = add i32 %s, %d ret i32 %r"
    )
    assert "lshr i32 %r0, 1" in rewritten("average-by-halves", head, body)[0]
    up = body.replace("%c = and", "%c = or")
    assert "sub i32" in rewritten("average-up-by-halves", head, up)[0]
