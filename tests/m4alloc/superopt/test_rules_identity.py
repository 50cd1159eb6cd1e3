"""Identities: complements and common bits cancel."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten

HEAD = "i32 @f(i32 noundef %x, i32 noundef %y)"


def test_the_negation_of_a_complement_is_a_successor() -> None:
    body = "%a = xor i32 %x, -1 %r = add i32 %a, 1 ret i32 %r"
    assert rewritten("not-plus-one", HEAD, body) == ["%r = sub i32 0, %x; ret i32 %r"]


def test_union_less_intersection_is_the_difference() -> None:
    body = "%a = or i32 %x, %y %b = and i32 %y, %x %r = sub i32 %a, %b ret i32 %r"
    assert rewritten("or-minus-and", HEAD, body) == ["%r = xor i32 %x, %y; ret i32 %r"]


def test_a_masked_merge_becomes_three_instructions() -> None:
    body = "%a = and i32 %x, 255 %b = and i32 %y, -256 %r = or i32 %a, %b ret i32 %r"
    assert any(found.count(";") == 3 for found in rewritten("merge-constant", HEAD, body))
