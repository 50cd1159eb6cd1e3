"""Negation normal form."""

from __future__ import annotations

from hypothesis import given, settings

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, Operator, negation, proposition, subformulas
from spec.ltl.normal import DUALS, negated, negation_normal_form
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos


def test_every_dual_has_the_operator_as_its_dual() -> None:
    assert all(DUALS[DUALS[operator]] is operator for operator in DUALS)


@given(formulas(EVERYTHING), lassos(), finite_words())
@settings(max_examples=40)
def test_the_normal_form_says_the_same_on_infinite_and_finite_words(formula: Formula, word: Word, finite: Word) -> None:
    for one in (word, finite):
        assert holds(negation_normal_form(formula), one) == holds(formula, one)
        assert holds(negated(formula), one) != holds(formula, one)


@given(formulas(EVERYTHING))
@settings(max_examples=60)
def test_only_propositions_are_negated_in_the_normal_form(formula: Formula) -> None:
    for part in subformulas(negation_normal_form(formula)):
        assert part.operator not in (Operator.IMPLIES, Operator.IFF)
        if part.operator is Operator.NOT:
            assert part.operands[0].operator is Operator.PROPOSITION


def test_nesting_is_bounded_by_memory_alone() -> None:
    formula = proposition("p")
    for _ in range(5001):
        formula = negation(formula)
    assert negation_normal_form(formula) is negation(proposition("p"))
