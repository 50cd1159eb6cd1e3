"""The hunt: shared parts, lanes that mislead, time."""

import time

import pytest

from m4alloc.superopt.enumerate_operations import ADD, AND, MUL, OPERATIONS, SUB, UMIN, XOR
from m4alloc.superopt.enumerate_search import Hunt, MisledError
from m4alloc.superopt.enumerate_window import Samples, samples
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function


def _hunt(text: str, codes: tuple[int, ...], accept: bool = True, seconds: float = 30.0) -> tuple[Hunt, list[Function]]:
    found: list[Function] = []

    def offer(function: Function, term: object, hunt: Hunt) -> bool:
        found.append(function)
        return accept

    return Hunt(samples(parse_function(text), (), 0), codes, offer, time.monotonic() + seconds), found


def test_a_part_that_is_needed_twice_is_found() -> None:
    body = "%a = mul i32 %x, %y %b = add i32 %a, %x %c = mul i32 %a, %b ret i32 %c"
    hunt, found = _hunt(f"define i32 @f(i32 noundef %x, i32 noundef %y) {{ {body} }}", (ADD, MUL))
    hunt.run(0, 3)
    assert found and found[0].size == 3 and hunt.done.accepted and hunt.done.sizes == 2


def test_four_instructions_are_met_in_the_middle() -> None:
    text = """define i32 @f(i32 noundef %x, i32 noundef %y) {
  %a = xor i32 %x, %y
  %b = mul i32 %a, %x
  %c = and i32 %x, %y
  %d = sub i32 %b, %c
  ret i32 %d
}"""
    hunt, found = _hunt(text, (ADD, SUB, AND, XOR, MUL, UMIN))
    hunt.run(0, 4)
    assert found and found[0].size == 4


def test_what_was_refused_is_not_offered_again() -> None:
    hunt, found = _hunt("define i8 @f(i8 noundef %x) { %a = add i8 %x, 3 ret i8 %a }", (ADD, SUB, XOR), accept=False)
    hunt.run(0, 1)
    assert len(found) == len(set(found)) >= 1 and hunt.done.stopped == "every size was tried" and hunt.done.sizes == 1


def test_terms_that_are_right_by_chance_make_their_inputs_lanes() -> None:
    full = samples(
        parse_function(
            "define i32 @f(i32 noundef %x) { %c = icmp ugt i32 %x, 9999999 %a = zext i1 %c to i32 ret i32 %a }"
        ),
        (),
        0,
    )
    narrow = Samples(full.function, full.inputs, full.goal, full.lanes[:1])
    hunt = Hunt(narrow, tuple(OPERATIONS), lambda *given: False, time.monotonic() + 20.0)
    with pytest.raises(MisledError) as misled:
        hunt.run(0, 2)
    assert misled.value.inputs


def test_a_spent_budget_stops_it() -> None:
    hunt, found = _hunt(
        "define i8 @f(i8 noundef %x) { %a = mul i8 %x, 3 %b = add i8 %a, 1 ret i8 %b }", (ADD,), seconds=-1.0
    )
    hunt.run(0, 2)
    assert not found and hunt.done.stopped == "time was up"
