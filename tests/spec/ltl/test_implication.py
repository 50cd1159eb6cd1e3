"""Implication that syntax shows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.implication import Implication
from spec.ltl.normal import negation_normal_form
from spec.ltl.parser import parse
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos

IMPLIED = [
    ("[]p", "p"),
    ("[]p", "[](p || q)"),
    ("[]p", "q R p"),
    ("p", "O p"),
    ("p && q", "<>q"),
    ("p U q", "p W q"),
    ("p U q", "<>q"),
    ("p U q", "p || q"),
    ("p M q", "q U p"),
    ("p R q", "q W p"),
    ("(p && r) U q", "p U (q || r)"),
    ("[]<>p", "<>p"),
    ("X <>p", "<>p"),
    ("<>p && []q", "[]q"),
    ("p S q", "p || q"),
]


@pytest.mark.parametrize(("left", "right"), IMPLIED)
def test_what_follows_by_a_rule_is_seen(left: str, right: str) -> None:
    f, g = (negation_normal_form(parse(text)) for text in (left, right))
    assert Implication().implies(f, g)
    assert Implication(finite=True).implies(f, g)


@pytest.mark.parametrize(("left", "right"), [("N <>p", "<>p"), ("[]p", "X p"), ("N p", "X p")])
def test_what_holds_of_infinite_words_only_is_not_used_for_finite_ones(left: str, right: str) -> None:
    assert Implication().implies(parse(left), parse(right))
    assert not Implication(finite=True).implies(parse(left), parse(right))


@given(formulas(EVERYTHING, leaves=4), formulas(EVERYTHING, leaves=4), lassos(), finite_words())
@settings(max_examples=90)
def test_what_is_seen_to_be_implied_is_implied(f: Formula, g: Formula, word: Word, finite: Word) -> None:
    f, g = negation_normal_form(f), negation_normal_form(g)
    for known, one in ((Implication(), word), (Implication(finite=True), finite)):
        for left, right in ((f, g), (g, f), (f, f | g), (f & g, g)):
            if known.implies(left, right):
                assert holds(right, one) or not holds(left, one)


@given(formulas(EVERYTHING, leaves=5), lassos(), finite_words())
@settings(max_examples=60)
def test_eventual_formulas_hold_before_and_universal_ones_after(f: Formula, word: Word, finite: Word) -> None:
    f = negation_normal_form(f)
    for known, one in ((Implication(), word.unrolled(2)), (Implication(finite=True), finite)):
        values = [holds(f, one, position) for position in range(len(one.letters) - len(one.cycle))]
        if known.eventual(f):
            assert values == sorted(values, reverse=True)
        if known.universal(f):
            assert values == sorted(values)


@given(formulas(EVERYTHING, leaves=5))
@settings(max_examples=60)
def test_a_formula_is_eventual_exactly_if_its_negation_is_universal(f: Formula) -> None:
    for known in (Implication(), Implication(finite=True)):
        g = negation_normal_form(f)
        assert known.eventual(g) == known.universal(known.negation(g))


def test_the_work_for_one_object_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spec.ltl.implication._PAIRS", 0)
    assert not Implication().implies(parse("[]p"), parse("p"))
