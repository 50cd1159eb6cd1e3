"""What is cleaned refines what was there, and nothing plainly useless remains."""

from __future__ import annotations

import pytest

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.generate import Features, functions
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked, print_function
from m4alloc.superopt.simplify import cleaned


def _cleaned(text: str) -> str:
    result = cleaned(parse_function(text))
    checked(result)
    return "; ".join(line.strip() for line in print_function(result).splitlines() if line.startswith("  "))


def test_dead_code_goes_and_volatile_loads_stay() -> None:
    text = (
        "define i8 @f(ptr %p, i8 %x) { %a = load i8, ptr %p %v = load volatile i8, ptr %p %b = udiv i8 %x, %a "
        "store i8 1, ptr %p ret i8 %x }"
    )
    assert _cleaned(text) == ("%v = load volatile i8, ptr %p, align 1; store i8 1, ptr %p, align 1; ret i8 %x")


def test_constants_spread() -> None:
    assert _cleaned("define i8 @f(i8 %x) { %a = add i8 1, 2 %b = shl i8 %a, 1 %c = add i8 %x, %b ret i8 %c }") == (
        "%c = add i8 %x, 6; ret i8 %c"
    )


def test_common_subexpressions_keep_only_the_flags_of_both() -> None:
    text = (
        "define i8 @f(i8 %x, i8 %y) { %a = add nsw nuw i8 %x, %y %b = add nuw i8 %y, %x %c = xor i8 %a, %b "
        "%d = or i8 %c, %a ret i8 %d }"
    )
    assert "add nuw i8 %x, %y" in _cleaned(text)


def test_swapped_comparisons_are_common() -> None:
    text = "define i1 @f(i8 %x, i8 %y) { %a = icmp ult i8 %x, %y %b = icmp ugt i8 %y, %x %c = and i1 %a, %b ret i1 %c }"
    assert _cleaned(text).count("icmp") == 1


def test_a_computation_in_one_arm_is_not_common_with_the_other() -> None:
    text = (
        "define i8 @f(i1 %c, i8 %x) { e: br i1 %c, label %a, label %b a: %p = mul i8 %x, %x br label %j "
        "b: %q = mul i8 %x, %x br label %j j: %r = phi i8 [ %p, %a ], [ %q, %b ] ret i8 %r }"
    )
    assert _cleaned(text).count("mul") == 2


def test_decided_branches_unreachable_blocks_and_phis_go() -> None:
    text = (
        "define i8 @f(i8 %x) { e: br i1 true, label %a, label %b a: br label %j b: br label %j "
        "j: %r = phi i8 [ %x, %a ], [ 9, %b ] ret i8 %r }"
    )
    assert _cleaned(text) == "ret i8 %x"


def test_empty_blocks_are_skipped_only_where_phis_allow() -> None:
    diamond = (
        "define i8 @f(i1 %c, i8 %x, i8 %y) { e: br i1 %c, label %a, label %b a: br label %j b: br label %j "
        "j: %r = phi i8 [ %x, %a ], [ %y, %b ] ret i8 %r }"
    )
    result = cleaned(parse_function(diamond))
    checked(result)
    assert any(one.opcode == "phi" for one in result)
    assert refines(parse_function(diamond), result).accepted


def test_what_is_opaque_stays() -> None:
    text = "declare i8 @g(i8)\ndefine i8 @f(i8 %x) { %a = call i8 @g(i8 %x) ret i8 %x }"
    function = parse_function(text, "f")
    assert any(one.opcode == "opaque" for one in cleaned(function))


@pytest.mark.parametrize("features", [Features(), Features(branches=False, noundef=1.0), Features(memory=True)])
def test_cleaning_random_functions_refines_them(features: Features) -> None:
    width = 8 if features.memory else 4
    changed = 0
    for function in functions(21, 25, width, 7, features):
        result = cleaned(function)
        checked(result)
        assert result.size <= function.size and cleaned(result) == result
        if result != function:
            changed += 1
            verdict = refines(function, result, seconds=0.5)
            assert verdict.counterexample is None, (print_function(function), print_function(result), verdict)
    assert changed >= 5


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(10))
def test_cleaning_many_random_functions_refines_them(seed: int) -> None:
    for function in functions(1000 + seed, 200, 4, 9, Features()):
        verdict = refines(function, cleaned(function), seconds=5)
        assert verdict.counterexample is None, (print_function(function), verdict)
