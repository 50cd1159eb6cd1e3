"""Functions as text with another's signature."""

from __future__ import annotations

from m4alloc.superopt.idioms_text import body, made, resized
from tests.m4alloc.superopt import idioms_cases


def test_the_signature_and_the_attributes_are_kept() -> None:
    like = idioms_cases.function("count_shift")
    function = made(like, "%r = trunc i64 %x to i32\nret i32 %r\n")
    assert (function.name, function.arguments, function.type) == (like.name, like.arguments, like.type)


def test_words_are_replaced_whole() -> None:
    assert body("WIDTH WIDTHS iW", WIDTH=8, iW="i8") == "8 WIDTHS i8\n"


def test_a_result_is_resized_without_a_sign() -> None:
    assert resized("%r", 64, 32).startswith("%resized = trunc i64 %r to i32")
    assert resized("%r", 8, 32).startswith("%resized = zext i8 %r to i32")
    assert resized("%r", 8, 8) == "ret i8 %r\n"
