"""Selects: logic hides poison, arithmetic does not."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten


def test_a_logical_and_freezes_what_it_did_not_look_at() -> None:
    body = "%r = select i1 %c, i1 %x, i1 false ret i1 %r"
    assert rewritten("logical-and", "i1 @f(i1 %c, i1 %x)", body) == [
        "%r0 = freeze i1 %x; %r = and i1 %c, %r0; ret i1 %r"
    ]
    assert rewritten("logical-and-defined", "i1 @f(i1 %c, i1 %x)", body) == []
    assert rewritten("logical-and-defined", "i1 @f(i1 %c, i1 noundef %x)", body) == ["%r = and i1 %c, %x; ret i1 %r"]


def test_one_operation_serves_both_arms() -> None:
    body = "%a = add i8 %x, 3 %b = add i8 %x, 9 %r = select i1 %c, i8 %a, i8 %b ret i8 %r"
    assert rewritten("select-common-add", "i8 @f(i1 %c, i8 %x)", body) == [
        "%r0 = select i1 %c, i8 3, i8 9; %r = add i8 %x, %r0; ret i8 %r"
    ]
