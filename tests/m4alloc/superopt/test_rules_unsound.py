"""Every tempting rule that is wrong is refuted with an input that shows it."""

from __future__ import annotations

import pytest

from m4alloc.superopt import rules, rules_unsound
from m4alloc.superopt.prove_rules import Result, prove
from m4alloc.superopt.rule import Rule


def _is_refuted(rule: Rule) -> bool:
    for width in (4, 8, 64):
        if width in rule.widths:
            proof = prove(rule, width, seconds=5.0)
            if proof.result is Result.REFUTED:
                assert "the source gives" in proof.detail
                return True
    return False


def test_there_are_many_and_none_is_in_the_library() -> None:
    assert len(rules_unsound.RULES) >= 50
    sound = {(rule.pattern, rule.replacement, rule.condition, rule.needs) for rule in rules.ALL}
    assert not sound & {(one.pattern, one.replacement, one.condition, one.needs) for one in rules_unsound.RULES}


@pytest.mark.parametrize("rule", rules_unsound.RULES, ids=lambda rule: rule.name)
def test_it_is_refuted(rule: Rule) -> None:
    assert _is_refuted(rule), rule
