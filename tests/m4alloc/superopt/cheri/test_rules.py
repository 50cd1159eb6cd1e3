"""m4alloc.superopt.cheri.rules: S1 to S25 as data."""

from __future__ import annotations

import pytest

from capability.cheri.isa import ISAV8_128, ISAV9_128, MORELLO, RISCV_128
from m4alloc.superopt.cheri.killed import UNSOUND, Blame
from m4alloc.superopt.cheri.rules import SOUND, Rule
from m4alloc.superopt.cheri.term import Sort, apply, variables


def test_every_row_of_the_table_is_there() -> None:
    assert {rule.row for rule in SOUND} == {f"S{number}" for number in range(1, 26)}
    assert {killed.rule.row for killed in UNSOUND} == {f"U{number}" for number in range(1, 27)}


def test_names_are_unique() -> None:
    names = [rule.name for rule in SOUND] + [killed.name for killed in UNSOUND]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", SOUND, ids=lambda rule: rule.name)
def test_a_rule_is_well_formed_and_says_why(rule: Rule) -> None:
    assert rule.reason
    assert rule.source.sort is rule.target.sort
    assert set(variables(rule.target)) <= set(variables(rule.source))
    for isa in (ISAV9_128, ISAV8_128, MORELLO, RISCV_128):
        condition = rule.condition_on(isa)
        assert condition is None or condition.sort is Sort.BOOL


def test_the_mode_and_the_instruction_set_add_to_a_condition_or_forbid_the_rule() -> None:
    rules = {rule.name: rule for rule in SOUND}
    assert rules["S10"].condition_on(ISAV9_128) == apply("true")
    assert rules["S10"].condition_on(ISAV8_128) != apply("true")
    assert rules["S22"].condition_on(ISAV8_128) is None
    assert rules["S18"].condition_on(MORELLO) is None
    assert rules["S20"].condition_on(RISCV_128) is None


def test_what_is_wrong_in_one_mode_only_is_told_apart() -> None:
    blamed = {killed.rule.row: killed.blame for killed in UNSOUND}
    assert {row for row, blame in blamed.items() if blame is Blame.TRAPPING} == {"U22", "U24", "U25"}
    assert {row for row, blame in blamed.items() if blame is Blame.REVOCATION} == {"U26"}
