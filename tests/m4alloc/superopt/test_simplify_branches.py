"""Branches and selects turn into each other without a new UB or poison."""

from __future__ import annotations

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.ir import Function
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked
from m4alloc.superopt.simplify import cleaned
from m4alloc.superopt.simplify_structural import structural


def results(name: str, text: str) -> list[Function]:
    """What the rewrite of that name gives, each proved and cleaned."""
    function = parse_function(text)
    found = []
    for rule, _, made in structural(function):
        if rule.name != name:
            continue
        try:
            result = made()
        except ValueError:
            continue
        checked(result)
        verdict = refines(function, result, seconds=5)
        assert verdict.accepted, verdict
        found.append(cleaned(result))
    return found


def test_a_dominating_condition_decides_a_branch() -> None:
    text = (
        "define i8 @f(i8 %x) { e: %c = icmp ult i8 %x, 4 br i1 %c, label %a, label %z "
        "a: %d = icmp ult i8 %x, 9 br i1 %d, label %b, label %z b: ret i8 1 z: ret i8 0 }"
    )
    assert [result.size for result in results("branch-implied", text)] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "define i8 @f(i1 %c, i8 %x) { e: br i1 %c, label %a, label %j a: %y = add nsw i8 %x, 1 br label %j "
        "j: %r = phi i8 [ %x, %e ], [ %y, %a ] ret i8 %r }",
        "define i8 @f(i1 %c, i8 %x) { e: br i1 %c, label %a, label %b a: %y = add i8 %x, 1 br label %j "
        "b: %z = mul i8 %x, 3 br label %j j: %r = phi i8 [ %y, %a ], [ %z, %b ] ret i8 %r }",
        "define i8 @f(i1 %c, i8 %x) { e: br i1 %c, label %a, label %b a: %y = add i8 %x, 1 ret i8 %y "
        "b: %z = mul i8 %x, 3 ret i8 %z }",
    ],
)
def test_a_branch_around_pure_code_becomes_a_select(text: str) -> None:
    (result,) = results("branch-to-select", text)
    assert len(result.blocks) == 1 and any(one.opcode == "select" for one in result)


def test_a_guarded_division_is_made_harmless_before_it_runs_anyway() -> None:
    text = (
        "define i8 @f(i8 {} %x, i8 %y) {{ e: %c = icmp ne i8 %x, 0 br i1 %c, label %a, label %j "
        "a: %q = udiv i8 %y, %x br label %j j: %r = phi i8 [ 0, %e ], [ %q, %a ] ret i8 %r }}"
    )
    for attribute, freezes in (("noundef", 0), ("", 1)):
        (result,) = results("branch-to-select", text.format(attribute))
        assert sum(one.opcode == "freeze" for one in result) == freezes
        assert any(one.callee.startswith("llvm.umax") for one in result)


@pytest.mark.parametrize("inside", ["%q = sdiv i8 %x, %y", "%q = load i8, ptr %p", "store i8 %x, ptr %p"])
def test_what_must_not_run_unasked_keeps_its_branch(inside: str) -> None:
    text = (
        f"define i8 @f(i1 %c, i8 %x, i8 %y, ptr %p) {{ e: br i1 %c, label %a, label %j a: {inside} br label %j "
        "j: ret i8 %x }"
    )
    assert results("branch-to-select", text) == []


def test_a_select_on_what_may_be_poison_branches_on_its_frozen_form() -> None:
    text = "define i8 @f(i1 {} %c, i8 %x, i8 %y) {{ %r = select i1 %c, i8 %x, i8 %y ret i8 %r }}"
    for attribute, freezes in (("noundef", 0), ("", 1)):
        (result,) = results("select-to-branch", text.format(attribute))
        assert sum(one.opcode == "freeze" for one in result) == freezes and len(result.blocks) > 1


def test_a_switch_over_a_range_is_one_comparison() -> None:
    text = (
        "define i8 @f(i8 %x) { e: switch i8 %x, label %d [ i8 3, label %a i8 5, label %a i8 4, label %a ] "
        "a: ret i8 1 d: ret i8 0 }"
    )
    (result,) = results("switch-to-compare", text)
    assert [one.opcode for one in result.blocks[0].instructions] == ["add", "icmp", "br"]


def test_a_switch_with_gaps_is_left_alone() -> None:
    text = "define i8 @f(i8 %x) { e: switch i8 %x, label %d [ i8 3, label %a i8 5, label %a ] a: ret i8 1 d: ret i8 0 }"
    assert results("switch-to-compare", text) == []


def test_a_jump_to_a_branch_on_a_constant_is_threaded() -> None:
    text = (
        "define i8 @f(i1 noundef %c, i1 noundef %d) { e: br i1 %c, label %a, label %b a: br label %j b: br label %j "
        "j: %p = phi i1 [ true, %a ], [ %d, %b ] br i1 %p, label %y, label %n y: ret i8 1 n: ret i8 0 }"
    )
    assert len(results("jump-threaded", text)) == 1


def test_a_result_that_is_known_is_a_constant() -> None:
    text = "define i1 @f(i8 %x) { %a = and i8 %x, 7 %b = icmp ult i8 %a, 8 ret i1 %b }"
    assert [result.size for result in results("value-implied", text)] == [0]
