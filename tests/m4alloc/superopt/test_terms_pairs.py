"""A rule becomes two functions that are equal in exactly what the rule says."""

from __future__ import annotations

from itertools import islice

import pytest

from m4alloc.superopt import rules
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.printer import checked
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.terms import compiled
from m4alloc.superopt.terms_pairs import constants, example, is_symbolic, pairs, parts, typings


def _rule(name: str) -> Rule:
    return next(rule for rule in rules.ALL if rule.name == name)


def test_constants_become_arguments_and_the_condition_a_fact() -> None:
    pair = next(pairs(_rule("mul-pow2"), 8))
    assert [one.name for one in pair.source.arguments] == ["x", "C", "computed_2", "log2_0"]
    assert "popcount(C) == 1" in [fact.text for fact in pair.facts]
    assert refines(pair.source, pair.target, pair.facts).accepted


def test_a_value_that_must_not_be_undef_may_still_be_poison() -> None:
    pair = next(pairs(_rule("double-by-add"), 8))
    assert [(one.name, one.attributes) for one in pair.source.arguments] == [
        ("x_value", ("noundef",)),
        ("x_poison", ("noundef",)),
    ]


def test_wider_types_are_tried_one_bit_wider_and_twice_as_wide() -> None:
    ready = compiled(_rule("trunc-zext"))
    found = [sorted(one.width for one in types.values() if hasattr(one, "width")) for types in typings(ready, 8)]
    assert found == [[8, 16], [8, 9]]


def test_any_type_is_tried_with_pointers_too() -> None:
    assert any("ptr" in map(str, types.values()) for types in typings(compiled(_rule("select-same")), 64))


def test_a_rule_of_reciprocals_is_proved_constant_by_constant() -> None:
    rule = _rule("udiv-constant")
    assert not is_symbolic(compiled(rule))
    assert len(list(pairs(rule, 4))) == sum(1 for _ in constants(compiled(rule), next(typings(compiled(rule), 4))))


def test_constants_fulfil_the_condition() -> None:
    ready = compiled(_rule("or-eq-eq-bit"))
    for width in (4, 64):
        found = list(constants(ready, next(typings(ready, width))))
        assert found and all((choice["C"] ^ choice["D"]).bit_count() == 1 for choice in found)


def test_amounts_of_shifts_are_what_a_proof_is_split_by() -> None:
    ready = compiled(_rule("lshr-shl"))
    assert parts(ready, next(typings(ready, 8)), "C") == list(range(8))


@pytest.mark.parametrize("sample", [8, pytest.param(200, marks=pytest.mark.campaign)])
def test_rules_hold_lane_by_lane(sample: int) -> None:
    decided = 0
    for rule in rules.ALL[:: len(rules.ALL) // sample]:
        if (
            "extractvalue" in rule.pattern + rule.replacement
            or "ptr" in rule.pattern
            or "gep" in rule.pattern
            or compiled(rule).needs
        ):
            continue
        for pair in islice(pairs(rule, 4, lanes=2), 1):
            verdict = refines(pair.source, pair.target, pair.facts, seconds=1)
            assert verdict.counterexample is None, (rule.name, pair.where, verdict)
            decided += verdict.accepted
    assert decided >= sample // 2


def test_every_pair_is_llvms() -> None:
    for rule in rules.ALL[::40]:
        for pair in islice(pairs(rule, max(rule.widths)), 1):
            checked(pair.source)
            checked(pair.target)


def test_an_example_has_the_rules_needs_as_facts() -> None:
    found = example(_rule("ashr-nonnegative"), 8)
    assert found is not None
    assert [fact.text for fact in found[1]] == ["signed(x) >= 0"]
