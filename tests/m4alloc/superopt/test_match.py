"""Rules are found and applied where all that they ask for holds."""

from __future__ import annotations

import pytest

from m4alloc.superopt import rules
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.ir import Function
from m4alloc.superopt.match import applications
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked, print_function
from m4alloc.superopt.rule import Rule


def _rule(pattern: str, replacement: str, condition: str = "True", needs: tuple[str, ...] = ()) -> Rule:
    return Rule("tried", "bits", pattern, replacement, "", condition, needs)


def _after(
    rule: Rule, body: str, head: str = "i8 @f(i8 noundef %x, i8 noundef %y)", facts: tuple[str, ...] = ()
) -> list[str]:
    """Lines of the function without its frame, for each application."""
    function = parse_function(f"define {head} {{ {body} }}")
    found = []
    for _, _, made in applications(function, (rule,), [Fact(text) for text in facts]):
        result = made()
        checked(result)
        lines = print_function(result).splitlines()
        found.append("; ".join(line.strip() for line in lines if line.startswith("  ")))
    return found


ADD_ZERO = _rule("(add x 0)", "x")


def test_a_root_that_becomes_a_value_is_replaced_in_every_use() -> None:
    assert _after(ADD_ZERO, "%a = add i8 %x, 0 %b = mul i8 %a, %a ret i8 %b") == ["%b = mul i8 %x, %x; ret i8 %b"]


def test_commutative_operands_match_in_both_orders() -> None:
    assert _after(ADD_ZERO, "%a = add i8 0, %x ret i8 %a") == ["ret i8 %x"]


def test_swapped_predicates_match() -> None:
    rule = _rule("(icmp ult x C)", "(icmp ule x {C - 1})", "C != 0")
    assert _after(rule, "%a = icmp ugt i8 9, %x ret i1 %a", "i1 @f(i8 %x)") == ["%a = icmp ule i8 %x, 8; ret i1 %a"]


def test_orders_that_give_the_same_are_one_application() -> None:
    rule = _rule("(add (xor x y) (and x y))", "(or x y)")
    assert len(_after(rule, "%a = xor i8 %x, %y %b = and i8 %y, %x %c = add i8 %a, %b ret i8 %c")) == 1


def test_a_demanded_flag_must_be_there_and_others_are_lost() -> None:
    rule = _rule("(shl nuw x C)", "(mul x {1 << C})", "C < width(x)")
    assert _after(rule, "%a = shl i8 %x, 3 ret i8 %a") == []
    assert _after(rule, "%a = shl nuw nsw i8 %x, 3 ret i8 %a") == ["%a = mul i8 %x, 8; ret i8 %a"]


def test_a_part_with_flags_is_not_used_for_one_without() -> None:
    rule = _rule("(mul (add x 1) y)", "(add (mul (add x 1) y) 0)")
    (found,) = _after(rule, "%a = add nsw i8 %x, 1 %b = mul i8 %a, %y ret i8 %b")
    assert "nsw" not in found


def test_a_part_that_stays_is_shared() -> None:
    rule = _rule("(xor (and x y) x)", "(sub x (and x y))")
    (found,) = _after(rule, "%a = and i8 %x, %y %b = xor i8 %a, %x %c = add i8 %a, %b ret i8 %c")
    assert found.count("and") == 1


def test_matched_parts_that_are_still_used_stay() -> None:
    rule = _rule("(add (xor x -1) 1)", "(sub 0 x)")
    (found,) = _after(rule, "%a = xor i8 %x, -1 %b = add i8 %a, 1 %c = mul i8 %a, %b ret i8 %c")
    assert found == "%a = xor i8 %x, -1; %b = sub i8 0, %x; %c = mul i8 %a, %b; ret i8 %c"


def test_an_undef_is_not_used_twice() -> None:
    double = _rule("(shl x 1)", "(add x x)")
    assert _after(double, "%a = shl i8 %x, 1 ret i8 %a", "i8 @f(i8 %x)") == []
    assert _after(double, "%a = shl i8 %x, 1 ret i8 %a", "i8 @f(i8 noundef %x)") == ["%a = add i8 %x, %x; ret i8 %a"]


def test_a_freeze_that_is_seen_elsewhere_is_not_matched() -> None:
    rule = _rule("(xor (freeze x) C)", "(freeze (xor x C))")
    seen = "%f = freeze i8 %x %a = xor i8 %f, 1 %b = add i8 %a, %f ret i8 %b"
    assert _after(rule, seen, "i8 @f(i8 %x)") == []
    assert len(_after(rule, "%f = freeze i8 %x %a = xor i8 %f, 1 ret i8 %a", "i8 @f(i8 %x)")) == 1


def test_vectors_match_lane_by_lane_with_equal_constants() -> None:
    rule = _rule("(udiv x C)", "(lshr x {log2(C)})", "ispow2(C)")
    head = "<2 x i8> @f(<2 x i8> %x)"
    (found,) = _after(rule, "%a = udiv <2 x i8> %x, <i8 4, i8 4> ret <2 x i8> %a", head)
    assert found.startswith("%a = lshr <2 x i8> %x,") and found.count("i8 2") >= 1
    assert _after(rule, "%a = udiv <2 x i8> %x, <i8 4, i8 2> ret <2 x i8> %a", head) == []


def test_a_scalar_condition_of_vectors_is_left_alone() -> None:
    rule = _rule("(select c x y)", "(select (xor c true) y x)")
    head = "<2 x i8> @f(i1 %c, <2 x i8> %x, <2 x i8> %y)"
    assert _after(rule, "%a = select i1 %c, <2 x i8> %x, <2 x i8> %y ret <2 x i8> %a", head) == []


def test_literals_that_do_not_fit_the_width_do_not_match() -> None:
    rule = _rule("(and x 255)", "x")
    assert _after(rule, "%a = and i4 %x, 15 ret i4 %a", "i4 @f(i4 %x)") == []
    assert _after(rule, "%a = and i8 %x, 255 ret i8 %a") == ["ret i8 %x"]


def test_integers_are_not_pointers() -> None:
    rule = next(rule for rule in rules.ALL if rule.name == "select-eq-left")
    head = "ptr @f(ptr %p, ptr %q)"
    assert _after(rule, "%c = icmp eq ptr %p, %q %a = select i1 %c, ptr %p, ptr %q ret ptr %a", head) == []


def test_a_need_is_established_by_a_fact_or_by_a_branch() -> None:
    rule = _rule("(urem x y)", "x", needs=("x < y",))
    body = "%a = urem i8 %x, %y ret i8 %a"
    assert _after(rule, body) == []
    assert _after(rule, body, facts=("x < y",)) == ["ret i8 %x"]
    guarded = "e: %c = icmp ult i8 %x, %y br i1 %c, label %a, label %b a: %d = urem i8 %x, %y ret i8 %d b: ret i8 0"
    assert len(_after(rule, guarded)) == 1


@pytest.mark.parametrize("index", [0, 1])
def test_overflow_pairs_match_by_index(index: int) -> None:
    rule = _rule("(extractvalue (umul.with.overflow x y) 1)", "(extractvalue (umul.with.overflow y x) 1)")
    body = (
        "%m = call {i8, i1} @llvm.umul.with.overflow.i8(i8 %x, i8 %y) "
        f"%a = extractvalue {{i8, i1}} %m, {index} ret {'i1' if index else 'i8'} %a"
    )
    head = f"{'i1' if index else 'i8'} @f(i8 %x, i8 %y)"
    assert len(_after(rule, body, head)) == index


def test_positions_are_results_and_the_order_is_fixed() -> None:
    function = parse_function("define i8 @f(i8 %x) { %a = add i8 %x, 0 %b = xor i8 %a, 0 ret i8 %b }")
    found = [(rule.name, at) for rule, at, _ in applications(function, rules.ALL)]
    assert found == [(rule.name, at) for rule, at, _ in applications(function, rules.ALL)]
    assert ("add-zero", "%a") in found and ("xor-zero", "%b") in found


def test_nothing_of_the_function_given_is_changed() -> None:
    function: Function = parse_function("define i8 @f(i8 %x) { %a = add i8 %x, 0 ret i8 %a }")
    before = hash(function)
    for _, _, made in applications(function, rules.ALL):
        made()
    assert hash(function) == before
