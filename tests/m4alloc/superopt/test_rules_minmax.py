"""Minimum and maximum from comparisons, and between each other."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten

HEAD = "i32 @f(i32 noundef %x, i32 noundef %y)"


def test_a_compared_choice_is_a_minimum() -> None:
    body = "%c = icmp ult i32 %x, %y %r = select i1 %c, i32 %x, i32 %y ret i32 %r"
    assert "umin" in rewritten("umin-by-select", HEAD, body)[0]


def test_bounds_that_cross_give_the_outer_one() -> None:
    body = "%a = call i32 @llvm.umax.i32(i32 %x, i32 9) %r = call i32 @llvm.umin.i32(i32 %a, i32 4) ret i32 %r"
    assert rewritten("umin-of-umax-constants", HEAD, body) == ["ret i32 4"]


def test_a_minimum_that_is_known_goes() -> None:
    body = "%r = call i32 @llvm.umin.i32(i32 %x, i32 %y) ret i32 %r"
    assert rewritten("umin-known", HEAD, body, "x <= y") == ["ret i32 %x"]
