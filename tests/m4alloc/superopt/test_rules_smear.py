"""Ladders of shifts."""

from __future__ import annotations

import pytest

from m4alloc.superopt import rules_smear
from tests.m4alloc.superopt.rewriting import rewritten

LADDER = (
    "%a = lshr i8 %x, 1 %b = or i8 %x, %a %c = lshr i8 %b, 2 %d = or i8 %b, %c %e = lshr i8 %d, 4 %s = or i8 %e, %d "
)


def test_the_next_power_of_two_is_a_turned_bit() -> None:
    head = "i8 @f(i8 noundef %x)"
    (found,) = rewritten("next-pow2-8", head, LADDER + "%r = add i8 %s, 1 ret i8 %r")
    assert "llvm.ctlz.i8" in found and "llvm.fshr.i8" in found and "lshr" not in found


@pytest.mark.parametrize("last", ["sub i8 %s, %h", "xor i8 %h, %s", "and i8 %s, %n"])
def test_the_highest_bit_is_found_without_a_ladder(last: str) -> None:
    name = {"sub": "highest-by-sub-8", "xor": "highest-by-xor-8", "and": "highest-by-and-8"}[last[:3]]
    upside_down = "%n = xor i8 %h, -1 " if "%n" in last else ""
    body = LADDER + f"%h = lshr i8 %s, 1 {upside_down}%r = {last} ret i8 %r"
    (found,) = rewritten(name, "i8 @f(i8 noundef %x)", body)
    assert found.count(";") == 3 and "llvm.ctlz.i8" in found


def test_a_ladder_that_misses_a_rung_is_none() -> None:
    body = "%a = lshr i8 %x, 1 %b = or i8 %x, %a %c = lshr i8 %b, 2 %d = or i8 %b, %c ret i8 %d"
    assert rewritten("smear-8", "i8 @f(i8 noundef %x)", body) == []


def test_each_rule_is_for_its_one_width() -> None:
    assert {rule.widths for rule in rules_smear.RULES} == {(8,), (16,), (32,), (64,)}
