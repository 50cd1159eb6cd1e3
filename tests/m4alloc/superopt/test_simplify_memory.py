"""Loads and stores are forwarded, dropped and merged only where nothing can tell."""

from __future__ import annotations

import pytest

from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.simplify_structural import structural
from tests.m4alloc.superopt.test_simplify_branches import results


def _unproved(name: str, text: str) -> list[Function]:
    function = parse_function(text)
    return [made() for rule, _, made in structural(function) if rule.name == name]


def test_a_load_gives_what_was_stored() -> None:
    text = "define i8 @f(ptr %p, i8 %x) { store i8 %x, ptr %p %a = load i8, ptr %p ret i8 %a }"
    (result,) = results("load-forwarded", text)
    assert [one.opcode for one in result] == ["store", "ret"]


def test_a_load_gives_what_was_loaded_past_a_store_elsewhere() -> None:
    text = (
        "define i8 @f(ptr %p) { %a = load i8, ptr %p %q = getelementptr i8, ptr %p, i64 1 store i8 %a, ptr %q "
        "%b = load i8, ptr %p %c = add i8 %a, %b ret i8 %c }"
    )
    assert [sum(one.opcode == "load" for one in result) for result in results("load-forwarded", text)] == [1]


@pytest.mark.parametrize(
    "between",
    [
        "store i8 1, ptr %q",
        "%v = load volatile i8, ptr %q",
        "store i16 1, ptr %n",
        "%u = getelementptr i8, ptr %p, i64 %i store i8 7, ptr %u",
    ],
)
def test_what_may_write_in_between_keeps_the_load(between: str) -> None:
    text = (
        "define i8 @f(ptr %p, ptr %q, i64 %i) { %n = getelementptr i8, ptr %p, i64 -1 %a = load i8, ptr %p "
        f"{between} %b = load i8, ptr %p %c = add i8 %a, %b ret i8 %c }}"
    )
    assert len(_unproved("load-forwarded", text)) == int("volatile" in between) * 0


@pytest.mark.parametrize("second", ["load volatile i8, ptr %p", "load i16, ptr %p"])
def test_volatile_and_differently_typed_loads_stay(second: str) -> None:
    type = "i16" if "i16" in second else "i8"
    text = f"define {type} @f(ptr %p) {{ %a = load i8, ptr %p %b = {second} ret {type} %b }}"
    assert _unproved("load-forwarded", text) == []


def test_a_load_that_stays_loses_what_only_it_promised() -> None:
    text = (
        "define i8 @f(ptr %p) { %a = load i8, ptr %p, !range !0 %b = load i8, ptr %p %c = and i8 %b, 1 ret i8 %c }\n"
        "!0 = !{i8 0, i8 2}"
    )
    (result,) = results("load-forwarded", text)
    assert all(not one.metadata for one in result)


def test_a_store_that_is_overwritten_goes() -> None:
    text = "define void @f(ptr %p) { store i8 1, ptr %p store i16 2, ptr %p, align 1 ret void }"
    assert [result.size for result in results("store-dropped", text)] == [1]


@pytest.mark.parametrize("between", ["%a = load i8, ptr %q", "store volatile i8 3, ptr %q"])
def test_a_store_that_may_be_seen_stays(between: str) -> None:
    text = f"define void @f(ptr %p, ptr %q) {{ store i8 1, ptr %p {between} store i8 2, ptr %p ret void }}"
    assert _unproved("store-dropped", text) == []


def test_what_was_just_loaded_need_not_be_stored_again() -> None:
    text = "define void @f(ptr %p) { %a = load i8, ptr %p store i8 %a, ptr %p ret void }"
    assert [result.size for result in results("store-dropped", text)] == [0]


@pytest.mark.parametrize(("first", "second", "value"), [(52, 18, 0x1234), (1, 0, 1)])
def test_neighbouring_constants_are_one_store(first: int, second: int, value: int) -> None:
    text = (
        f"define void @f(ptr %p) {{ store i8 {first}, ptr %p %q = getelementptr i8, ptr %p, i64 1 "
        f"store i8 {second}, ptr %q ret void }}"
    )
    (result,) = results("stores-merged", text)
    (store,) = (one for one in result if one.opcode == "store")
    assert getattr(store.operands[0], "value", None) == value and store.align == 1


def test_two_halves_of_a_value_are_one_store() -> None:
    text = (
        "define void @f(ptr %p, i16 %x) { %a = trunc i16 %x to i8 store i8 %a, ptr %p %s = lshr i16 %x, 8 "
        "%b = trunc i16 %s to i8 %q = getelementptr i8, ptr %p, i64 1 store i8 %b, ptr %q ret void }"
    )
    assert [result.size for result in results("stores-merged", text)] == [1]


def test_two_loads_of_neighbours_are_one() -> None:
    text = (
        "define i16 @f(ptr %p) { %a = load i8, ptr %p %q = getelementptr i8, ptr %p, i64 1 %b = load i8, ptr %q "
        "%c = zext i8 %a to i16 %d = zext i8 %b to i16 %e = shl i16 %d, 8 %g = or i16 %e, %c ret i16 %g }"
    )
    assert [result.size for result in results("loads-merged", text)] == [1]


def test_a_truncated_load_is_narrow() -> None:
    text = "define i8 @f(ptr %p) { %a = load i32, ptr %p %b = trunc i32 %a to i8 ret i8 %b }"
    (result,) = results("load-narrowed", text)
    assert [one.opcode for one in result] == ["load", "ret"] and result.blocks[0].instructions[0].align == 4


def test_an_offset_that_wraps_leads_back_to_the_same_bytes() -> None:
    """2**61 words of 8 bytes are 2**64 bytes, which are none."""
    text = (
        "define i64 @f(ptr %p) { store i64 1, ptr %p %q = getelementptr i64, ptr %p, i64 2305843009213693952 "
        "store i64 2, ptr %q %a = load i64, ptr %p ret i64 %a }"
    )
    (result,) = _unproved("load-forwarded", text)
    assert getattr(result.blocks[0].instructions[-1].operands[0], "value", None) == 2


def test_bytes_on_both_sides_of_the_end_of_all_offsets_are_not_apart() -> None:
    text = (
        "define i16 @f(ptr %p) { %h = getelementptr i8, ptr %p, i64 9223372036854775807 store i16 1, ptr %h "
        "%q = getelementptr i8, ptr %p, i64 -9223372036854775808 store i8 2, ptr %q %a = load i16, ptr %h ret i16 %a }"
    )
    assert _unproved("load-forwarded", text) == []
