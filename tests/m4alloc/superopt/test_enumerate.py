"""Enumeration finds what is known, offers nothing that tests refute, and says how far it came."""

from typing import Any

import pytest

from m4alloc.superopt.enumerate import Enumeration, codes, sentence
from m4alloc.superopt.enumerate_operations import MUL, OPERATIONS, UDIV, XOR
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.judge import TheJudge
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.problem import Budget, Problem
from tests.m4alloc.superopt.cases import CASES

QUICK = (
    "p01", "p03", "p06", "p09", "p16", "p18", "p23", "align_up", "in_range", "saturating_sum", "rotate_hash",
    "sum_by_carry", "sign_extension", "odd_above", "branchy_clamp", "header_halves", "product_overflows",
)  # fmt: skip


def _found(source: Function, *facts: str, seconds: float = 60.0, **settings: Any) -> tuple[TheJudge, Enumeration]:
    judge = TheJudge(Problem(source, tuple(map(Fact, facts))), Budget(seconds))
    search = Enumeration(**settings)
    search.run(judge, 0)
    return judge, search


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if case.name.startswith(QUICK)], ids=lambda case: case.name)
def test_the_best_known_is_reached(case) -> None:  # type: ignore[no-untyped-def]
    judge, _ = _found(parse_function(case.text), ties=False)
    assert judge.best.cost.ir <= case.best
    assert judge.best.verdict.accepted


def test_what_is_smallest_is_said_to_have_been_tried() -> None:
    judge, search = _found(parse_function("define i32 @f(i32 noundef %x) { %a = add i32 %x, 1 ret i32 %a }"))
    assert judge.best.method == "source"
    assert search.found.sizes == 1 and "every program of up to 1 instruction over" in sentence(search.found)


SEVEN = """define i64 @f(i64 noundef %a, i64 noundef %b, i64 noundef %c) {
  %1 = mul i64 %a, %b
  %2 = xor i64 %1, %c
  %3 = mul i64 %2, %a
  %4 = add i64 %3, 12345
  %5 = lshr i64 %4, 7
  %6 = mul i64 %5, %c
  ret i64 %6
}"""


def test_a_search_that_runs_out_of_room_claims_no_size_it_did_not_finish(monkeypatch: pytest.MonkeyPatch) -> None:
    """Programs of four and more are tried afterwards, which does not finish the smaller ones."""
    monkeypatch.setattr(Enumeration, "_windows", lambda *given: None)
    settings: dict[str, Any] = {"seconds": 20.0, "capacity": 100, "operations": (MUL, XOR)}
    few, many = (_found(parse_function(SEVEN), most=most, **settings)[1].found for most in (3, 4))
    assert few.partly == 3 and many.sizes == few.sizes < 3
    assert many.tried > few.tried


def test_a_search_that_runs_out_of_time_claims_no_size_it_did_not_finish() -> None:
    found = _found(parse_function(SEVEN), seconds=0.1)[1].found
    assert found.sizes < 3 and found.stopped in ("time was up", "the budget was spent")


def test_a_fact_makes_a_program_smaller() -> None:
    text = "define i32 @f(i32 noundef %x) { %a = urem i32 %x, 16 %b = add i32 %a, 1 ret i32 %b }"
    assert _found(parse_function(text))[0].best.cost.ir == 2
    assert _found(parse_function(text), "x < 16")[0].best.cost.ir == 1


def test_an_argument_that_may_be_undef_is_not_used_twice() -> None:
    judge, _ = _found(
        parse_function("define i8 @f(i8 %x) { %a = shl i8 %x, 2 %b = lshr i8 %a, 1 %c = xor i8 %b, 0 ret i8 %c }")
    )
    assert judge.best.cost.ir <= 2


def test_an_unused_constant_is_found_by_reading_it_off() -> None:
    text = "%a = add i32 %x, 1234567 %b = add i32 %a, 7654321 %c = xor i32 %b, -1 ret i32 %c"
    judge, _ = _found(parse_function(f"define i32 @f(i32 noundef %x) {{ {text} }}"))
    assert judge.best.cost.ir == 1


def test_a_window_is_replaced_inside_a_function_that_stores() -> None:
    text = """define void @f(ptr noundef %p, i32 noundef %x, i32 noundef %y) {
  %a = or i32 %x, %y
  %b = and i32 %x, %y
  %c = add i32 %a, %b
  store i32 %c, ptr %p, align 4
  ret void
}"""
    judge, search = _found(parse_function(text))
    assert judge.best.cost.ir == 2 and search.found.windows > 0


def test_a_function_without_integers_says_why_nothing_was_enumerated() -> None:
    judge, search = _found(parse_function("define ptr @f(ptr %p) { ret ptr %p }"))
    assert judge.best.method == "source"
    assert sentence(search.found) == "nothing was enumerated: the result of @f is ptr: only integers of 1 to 64 bits"


def test_a_source_that_is_always_undefined_gives_nothing() -> None:
    judge, search = _found(
        parse_function("define i8 @f(i8 noundef %x) { %a = udiv i8 %x, 0 %b = add i8 %a, 1 ret i8 %b }")
    )
    assert judge.best.method == "source" and "undefined" in search.found.stopped


def test_a_spent_budget_ends_it_at_once() -> None:
    judge, _ = _found(parse_function(CASES[0].text), seconds=0.0)
    assert judge.best.method == "source"


def test_the_sources_own_operations_come_first_and_division_only_where_it_has_one() -> None:
    source = parse_function("define i8 @f(i8 %x) { %a = mul i8 %x, 3 ret i8 %a }")
    order = codes(source, tuple(OPERATIONS))
    assert order[0] == MUL and UDIV not in order
