"""The prover proves what is right, refutes what is wrong, and says what it left out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from m4alloc.superopt import prove_rules, rules
from m4alloc.superopt.prove_rules import Result, digest, jobs, listing, prove, table, widths_proved, write
from m4alloc.superopt.rule import Rule


def _rule(name: str) -> Rule:
    return next(rule for rule in rules.ALL if rule.name == name)


def test_every_rule_is_in_the_table_as_it_is_written() -> None:
    kept = table()
    stale = [rule.name for rule in rules.ALL if kept.get(rule.name, {}).get("digest") != digest(rule)]
    assert not stale, "run python -m m4alloc.superopt.prove_rules --write"


def test_every_rule_is_proved_at_4_or_8_bits_or_at_its_only_widths() -> None:
    kept = table()
    assert len(rules.ALL) > 1000
    for rule in rules.ALL:
        widths = set(widths_proved(rule, kept))
        assert widths & {4, 8} or (widths and not {4, 8} & set(rule.widths)), rule.name


def test_no_rule_is_refuted_at_any_width() -> None:
    assert not [name for name, row in table().items() if any(how.startswith("refuted") for how in row.values())]


def test_a_sample_of_the_rules_is_proved_again_at_4_bits() -> None:
    found = [prove(rule, 4) for rule in rules.ALL[5 :: len(rules.ALL) // 30] if 4 in rule.widths]
    assert all(proof.result in (Result.PROVED, Result.NONE) for proof in found), found
    assert sum(proof.result is Result.PROVED for proof in found) >= 15


@pytest.mark.parametrize("name", ["lshr-shl", "mul-pow2", "eq-add-constant"])
def test_rules_with_constants_are_proved_at_32_bits(name: str) -> None:
    proof = prove(_rule(name), 32)
    assert proof.result is Result.PROVED, proof


@pytest.mark.campaign
@pytest.mark.parametrize("width", [4, 8])
def test_every_rule_is_proved_again(width: int) -> None:
    kept = table()
    for proof in prove_rules.proved(rules.ALL, [width]):
        before = kept[proof.rule].get(str(width), "")
        assert proof.result is not Result.REFUTED, proof
        assert not before.startswith("proved") or proof.result in (Result.PROVED, Result.SAMPLED), proof


@pytest.mark.campaign
@pytest.mark.parametrize("width", [16, 32, 64])
def test_no_rule_is_refuted_at_wide_widths(width: int) -> None:
    for proof in prove_rules.proved(rules.ALL, [width], seconds=1.0, budget=5.0):
        assert proof.result is not Result.REFUTED, proof


def test_a_width_without_a_fitting_constant_does_not_apply() -> None:
    assert prove(_rule("mul-two-bits"), 1).result is Result.NONE


def test_a_wrong_rule_is_refuted_with_its_constants() -> None:
    wrong = Rule("wrong", "bits", "(mul x C)", "(shl x {log2(C) + 1})", "", "ispow2(C) and log2(C) < width(x) - 1")
    proof = prove(wrong, 8)
    assert proof.result is Result.REFUTED and "C = " in proof.detail


def test_a_budget_that_ends_is_said() -> None:
    proof = prove(_rule("mulhi-by-halves"), 8, seconds=0.1, budget=0.1)
    assert proof.result is Result.LEFT_OUT and "gave up" in proof.detail


def test_how_a_rule_was_proved_is_told_of_the_types_where_it_stands_worst(monkeypatch: pytest.MonkeyPatch) -> None:
    results = iter([(Result.SAMPLED, "", "12 choices of constants"), (Result.PROVED, "", "each choice of constants")])

    def sampled(attempt: Any, types: object, why: str) -> tuple[Result, str, str]:
        attempt.fits = True
        return next(results)

    monkeypatch.setattr(prove_rules, "typings", lambda rule, width: [{}, {}])
    monkeypatch.setattr(prove_rules, "is_symbolic", lambda rule: False)
    monkeypatch.setattr(prove_rules, "_sampled", sampled)
    proof = prove(_rule("mul-two-bits"), 8)
    assert (proof.result, proof.how) == (Result.SAMPLED, "12 choices of constants")


def test_jobs_are_rules_at_their_widths() -> None:
    assert [width for _, width in jobs([_rule("bswap-twice")], [8, 16])] == [16]


def test_the_table_is_written_beside_what_it_has(tmp_path: Path) -> None:
    path = tmp_path / "proofs.json"
    rule = _rule("add-zero")
    write([prove(rule, 4)], path)
    counts = write([prove(rule, 8)], path)
    assert counts == {"proved": 1}
    assert '"4": "proved: all constants at once", "8": "proved: all constants at once"' in path.read_text()


def test_a_changed_rule_loses_its_proofs() -> None:
    rule = _rule("add-zero")
    changed = Rule(rule.name, rule.kind, "(sub x 0)", rule.replacement, rule.reason)
    assert widths_proved(rule, table()) and not widths_proved(changed, table())


def test_the_listing_has_every_rule_with_its_widths() -> None:
    rows = listing()
    assert len(rows) > len(rules.ALL)
    row = next(row for row in rows if row.name == "mul-pow2")
    assert row.rewrite == "(mul x C) -> (shl x {log2(C)})" and row.needs == "ispow2(C)" and 32 in row.widths
    assert "notundef(x)" in next(row for row in rows if row.name == "double-by-add").needs
    assert {row.kind for row in listing("memory")} == {"memory"}
    with pytest.raises(ValueError, match="there is no kind 'nothing' of rules; there are"):
        listing("nothing")
