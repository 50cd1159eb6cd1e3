"""The library is large, well-formed, covers its kinds, and every rule fires where it should."""

from __future__ import annotations

from collections import Counter

import pytest

from m4alloc.superopt import rules
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.match import applications
from m4alloc.superopt.printer import checked
from m4alloc.superopt.rule import Rule
from m4alloc.superopt.terms_pairs import example

KINDS = {
    "identity": 100, "reassociate": 80, "strength": 60, "compare": 200, "bits": 150, "select": 100, "cast": 80,
    "minmax": 100, "overflow": 70,
}  # fmt: skip


def test_names_are_unique_and_every_rule_has_a_reason() -> None:
    assert [name for name, count in Counter(rule.name for rule in rules.ALL).items() if count > 1] == []
    assert all(rule.reason and not rule.reason.endswith(".") for rule in rules.ALL)


def test_no_two_rules_say_the_same() -> None:
    said = Counter((rule.pattern, rule.replacement, rule.condition, rule.needs) for rule in rules.ALL)
    assert [one for one, count in said.items() if count > 1] == []


def test_every_kind_is_well_filled() -> None:
    counted = Counter(rule.kind for rule in rules.ALL)
    assert {kind: counted[kind] for kind in KINDS if counted[kind] < KINDS[kind]} == {}


def _fired(rule: Rule, *, proved: bool) -> None:
    for width in sorted(rule.widths, key=lambda width: (width < 4, width)):
        found = example(rule, width)
        if found is None:
            continue
        function, facts = found
        made = next((made for _, _, made in applications(function, (rule,), facts)), None)
        if made is not None:
            if proved:
                result = made()
                checked(result)
                verdict = refines(function, result, facts, seconds=5)
                assert verdict.accepted, (rule.name, width, verdict)
            return
    raise AssertionError(f"{rule.name} does not fire on its own pattern")


def test_every_rule_fires_on_its_own_pattern() -> None:
    for rule in rules.ALL:
        _fired(rule, proved=False)


@pytest.mark.parametrize("part", range(4))
def test_what_rules_give_on_their_own_pattern_is_proved(part: int) -> None:
    for rule in rules.ALL[part::40]:
        _fired(rule, proved=True)


@pytest.mark.campaign
def test_what_every_rule_gives_on_its_own_pattern_is_proved() -> None:
    for rule in rules.ALL:
        _fired(rule, proved=True)
