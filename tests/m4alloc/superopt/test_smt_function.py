"""Control flow: joins, edges, loops."""

from __future__ import annotations

import pytest

from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.smt_function import back_edges
from m4alloc.superopt.verdict import Outcome
from tests.m4alloc.superopt.test_equivalence import body, check

TWICE = body("i8 @f(i1 noundef %c, i8 noundef %x)", "br i1 %c, label %e, label %e", "e:", "ret i8 %x")


def test_both_ways_of_a_branch_may_lead_to_one_block() -> None:
    assert check(TWICE, body("i8 @f(i1 noundef %c, i8 noundef %x)", "ret i8 %x")).accepted
    phi = TWICE.replace("e:\nret i8 %x", "e:\n%r = phi i8 [ %x, %0 ], [ %x, %0 ]\nret i8 %r")
    assert check(phi, TWICE).accepted


def test_a_branch_on_undef_is_undefined_even_where_both_ways_are_one() -> None:
    a = body("i8 @f(i1 %c, i8 noundef %x)", "ret i8 %x")
    assert check(a, TWICE.replace("i1 noundef", "i1")).outcome is Outcome.COUNTEREXAMPLE


def test_phis_of_a_block_are_computed_at_once() -> None:
    swap = body(
        "i8 @f(i8 noundef %x, i8 noundef %y)",
        "e:", "br label %l", "l:",
        "%a = phi i8 [ %x, %e ], [ %b, %l ]", "%b = phi i8 [ %y, %e ], [ %a, %l ]",
        "%n = phi i8 [ 0, %e ], [ %m, %l ]", "%m = add i8 %n, 1", "%c = icmp eq i8 %m, 3",
        "br i1 %c, label %x1, label %l", "x1:", "ret i8 %a",
    )  # fmt: skip
    first = body("i8 @f(i8 noundef %x, i8 noundef %y)", "ret i8 %x")
    assert check(swap, first, unroll=2).accepted
    assert check(swap, first.replace("ret i8 %x", "ret i8 %y"), unroll=2).outcome is Outcome.COUNTEREXAMPLE


def test_memory_is_joined_where_paths_meet() -> None:
    signature = "i8 @f(i1 noundef %c, ptr noundef %p)"
    a = body(signature, "store i8 0, ptr %p", "br i1 %c, label %t, label %e", "t:", "store i8 1, ptr %p", "br label %e",
             "e:", "%r = load i8, ptr %p", "ret i8 %r")  # fmt: skip
    b = body(signature, "%z = zext i1 %c to i8", "store i8 %z, ptr %p", "ret i8 %z")
    assert check(a, b).accepted


def test_a_switch_joins_its_cases() -> None:
    signature = "i8 @f(i8 noundef %x)"
    a = body(signature, "switch i8 %x, label %d [ i8 0, label %a", "i8 3, label %a", "i8 7, label %d ]", "a:",
             "%r = phi i8 [ 1, %0 ], [ 1, %0 ]", "ret i8 %r", "d:", "ret i8 0")  # fmt: skip
    b = body(signature, "%m = and i8 %x, -4", "%c = icmp eq i8 %m, 0", "%z = zext i1 %c to i8", "ret i8 %z")
    found = check(a, b)
    assert found.counterexample is not None
    assert dict(found.counterexample.inputs)["x"] in ("1", "2")


def test_a_loop_in_a_loop_is_unrolled() -> None:
    nested = body(
        "i8 @f(i8 noundef %n)",
        "e:", "br label %o", "o:", "%i = phi i8 [ 0, %e ], [ %i1, %q ]", "%s = phi i8 [ 0, %e ], [ %t, %q ]",
        "br label %l", "l:", "%j = phi i8 [ 0, %o ], [ %j1, %l ]", "%t = phi i8 [ %s, %o ], [ %u, %l ]",
        "%u = add i8 %t, 1", "%j1 = add i8 %j, 1", "%c = icmp ult i8 %j1, 2", "br i1 %c, label %l, label %q",
        "q:", "%i1 = add i8 %i, 1", "%d = icmp ult i8 %i1, %n", "br i1 %d, label %o, label %x", "x:", "ret i8 %u",
    )  # fmt: skip
    closed = body("i8 @f(i8 noundef %n)", "%m = call i8 @llvm.umax.i8(i8 %n, i8 1)", "%r = shl i8 %m, 1", "ret i8 %r")
    found = check(nested, closed, "n <= 3", unroll=5)
    assert found.outcome is Outcome.COUNTEREXAMPLE  # the last pass of the inner loop adds to %t after %u is taken
    assert check(nested, nested.replace("add i8 %t, 1", "sub i8 %t, -1"), "n <= 3", unroll=5).accepted
    assert check(nested, nested.replace("add i8 %t, 1", "sub i8 %t, -1"), "n <= 3", unroll=4).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("lines", "found"),
    [
        (["ret void"], set()),
        (["br label %a", "a:", "br label %a"], {("a", "a")}),
        (["br label %a", "a:", "br label %b", "b:", "br i1 true, label %a, label %c", "c:", "ret void"], {("b", "a")}),
    ],
)
def test_back_edges_close_loops(lines: list[str], found: set[tuple[str, str]]) -> None:
    assert back_edges(parse_function(body("void @f()", *lines))) == found


def test_a_function_that_never_returns_is_refined_by_one_that_does() -> None:
    never = body("i8 @f(i8 noundef %x)", "unreachable")
    returns = body("i8 @f(i8 noundef %x)", "ret i8 %x")
    assert check(never, returns).vacuous
    assert check(returns, never).outcome is Outcome.COUNTEREXAMPLE
