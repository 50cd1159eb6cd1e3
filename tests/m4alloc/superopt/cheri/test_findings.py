"""m4alloc.superopt.cheri.findings: each difference from the table shows again."""

from __future__ import annotations

import pytest

from capability.cheri.capability import Capability
from capability.cheri.isa import CHERIOT, ISAV8_128, ISAV9_128, MORELLO, RISCV_64, RISCV_128
from m4alloc.superopt.cheri.findings import NEEDS_LESS, PADDED, REFUTED, SPARED, Finding
from m4alloc.superopt.cheri.killed import UNSOUND
from m4alloc.superopt.cheri.model import holds
from m4alloc.superopt.cheri.notation import parsed
from m4alloc.superopt.cheri.prove import FULL, prove
from m4alloc.superopt.cheri.refute import refuted
from m4alloc.superopt.cheri.rules import SOUND, Rule
from m4alloc.superopt.cheri.term import apply
from m4alloc.superopt.cheri.trial import replayed

ISAS = {isa.name: isa for isa in (ISAV9_128, ISAV8_128, MORELLO, RISCV_128, RISCV_64, CHERIOT)}
RULES = {rule.name: rule for rule in SOUND}
SLOW = {("S1", "Morello"), ("S2", "Morello"), ("S9", "Morello"), ("S7", "Morello")}


def check(finding: Finding) -> None:
    rule, isa = RULES[finding.rule], ISAS[finding.isa]
    condition = rule.published_on(isa)
    failure = refuted(rule.source, rule.target, condition, isa, strict=finding.strict, count=3000, seconds=120)
    assert failure is not None and failure.effect is finding.effect


@pytest.mark.parametrize(
    "finding", [one for one in REFUTED if (one.rule, one.isa) not in SLOW], ids=lambda one: f"{one.rule} on {one.isa}"
)
def test_a_row_is_refuted_under_its_published_condition(finding: Finding) -> None:
    check(finding)


@pytest.mark.campaign
@pytest.mark.parametrize("finding", REFUTED, ids=lambda one: f"{one.rule} on {one.isa}")
def test_a_row_is_refuted_under_its_published_condition_also_where_that_takes_long(finding: Finding) -> None:
    check(finding)


def test_a_rule_that_was_refuted_as_published_has_a_condition_more_or_is_not_used() -> None:
    for finding in REFUTED:
        rule, isa = RULES[finding.rule], ISAS[finding.isa]
        assert rule.condition_on(isa) != rule.published_on(isa)


@pytest.mark.campaign
def test_s1_on_morello_differs_in_untagged_garbage_alone() -> None:
    rule = RULES["S1"]
    bare = Rule(rule.name, rule.pattern, rule.replacement)
    assert prove(bare, MORELLO, strict=False, seconds=60.0).outcome == FULL


def test_morello_pads_a_length_that_needs_none() -> None:
    rule = RULES[PADDED.rule]
    values = {"c": Capability.root(MORELLO.format), "n": 0x3FFC000000000000}
    assert holds(parsed(rule.condition), values, MORELLO)
    failure = replayed(rule.source, rule.target, values, MORELLO)
    assert failure is not None and failure.effect is PADDED.effect


def test_what_needs_less_is_stated_with_less() -> None:
    for name, _ in NEEDS_LESS:
        rule = RULES[name]
        weaker = rule.condition_on(ISAV9_128)
        assert rule.table is not None or rule.on.get("Morello") is None
        assert weaker is not None
    assert RULES["S18"].condition_on(ISAV9_128) == apply("true")


def test_an_increment_that_is_checked_precisely_is_an_address_set() -> None:
    name, where, _ = SPARED[0]
    rule = next(killed.rule for killed in UNSOUND if killed.name == name)
    assert where == str(RISCV_128)
    assert prove(rule, RISCV_128, seconds=30.0).outcome == FULL
