"""Casts: there and back, and arithmetic in the width that is needed."""

from __future__ import annotations

from tests.m4alloc.superopt.rewriting import rewritten


def test_there_and_back_is_nothing() -> None:
    body = "%a = zext i8 %x to i32 %r = trunc i32 %a to i8 ret i8 %r"
    assert rewritten("trunc-zext", "i8 @f(i8 %x)", body) == ["ret i8 %x"]


def test_a_truncated_sum_is_a_narrow_sum() -> None:
    body = "%a = add i32 %x, %y %r = trunc i32 %a to i8 ret i8 %r"
    assert "add i8" in rewritten("trunc-of-add", "i8 @f(i32 %x, i32 %y)", body)[0]


def test_offsets_of_a_pointer_add() -> None:
    body = "%a = getelementptr inbounds i8, ptr %p, i64 8 %r = getelementptr i8, ptr %a, i64 16 ret ptr %r"
    assert rewritten("gep-gep", "ptr @f(ptr %p)", body) == ["%r = getelementptr i8, ptr %p, i64 24; ret ptr %r"]
