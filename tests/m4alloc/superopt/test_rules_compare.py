"""Comparison folding: ranges, pages, signs."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten

HEAD = "i1 @f(i32 noundef %x, i32 noundef %y)"


def test_the_same_page_is_one_comparison() -> None:
    body = "%a = lshr i32 %x, 12 %b = lshr i32 %y, 12 %r = icmp eq i32 %a, %b ret i1 %r"
    assert (
        rewritten("eq-lshr-common", HEAD, body)
        == [
            "%r0 = xor i32 %x, %y; %r = icmp ult i32 %r0, 4096; ret i1 %r",
            "%r0 = xor i32 %y, %x; %r = icmp ult i32 %r0, 4096; ret i1 %r",
        ][: len(rewritten("eq-lshr-common", HEAD, body))]
    )


def test_two_bounds_are_one_comparison_after_an_offset() -> None:
    body = "%a = icmp uge i32 %x, 16 %b = icmp ult i32 %x, 64 %r = and i1 %a, %b ret i1 %r"
    assert rewritten("in-range", HEAD, body) == ["%r0 = sub i32 %x, 16; %r = icmp ult i32 %r0, 48; ret i1 %r"]


def test_an_overflow_check_of_a_sum_is_a_comparison_with_the_complement() -> None:
    body = "%a = add i32 %x, 15 %r = icmp ult i32 %a, %x ret i1 %r"
    assert rewritten("add-carry-constant-self", HEAD, body) == ["%r = icmp ugt i32 %x, -16; ret i1 %r"]
