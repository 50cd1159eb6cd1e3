"""Functions as text with another's signature."""

from __future__ import annotations

from m4alloc.superopt.idioms_text import body, made, placed, resized
from m4alloc.superopt.ir import canonical
from m4alloc.superopt.parse import parse_function
from tests.m4alloc.superopt import idioms_cases


def test_the_signature_and_the_attributes_are_kept() -> None:
    like = idioms_cases.function("count_shift")
    function = made(like, f"%r = trunc i64 {placed(like, 'x')} to i32\nret i32 %r\n")
    assert (function.name, function.arguments, function.type) == (like.name, like.arguments, like.type)


def test_words_are_replaced_whole() -> None:
    assert body("WIDTH WIDTHS iW", WIDTH=8, iW="i8") == "8 WIDTHS i8\n"


def test_a_result_is_resized_without_a_sign() -> None:
    assert resized("%r", 64, 32).startswith("%resized = trunc i64 %r to i32")
    assert resized("%r", 8, 32).startswith("%resized = zext i8 %r to i32")
    assert resized("%r", 8, 8) == "ret i8 %r\n"


def test_an_argument_may_have_any_name_that_the_lines_use_too() -> None:
    like = parse_function('define i8 @f(i8 noundef %c, i8 noundef %"iW X") { ret i8 %c }')
    one, other = (placed(like, argument.name) for argument in like.arguments)
    function = made(
        like, body("%c = sub iW ONE, OTHER\n%r = mul iW %c, ONE", ONE=one, OTHER=other, iW="i8") + "ret i8 %r\n"
    )
    assert function.arguments == like.arguments
    wanted = "define i8 @f(i8 %a, i8 %b) { %s = sub i8 %a, %b %r = mul i8 %s, %a ret i8 %r }"
    assert canonical(function).blocks == canonical(parse_function(wanted)).blocks
