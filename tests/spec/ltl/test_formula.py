"""Formulas are values: shared, immutable, picklable, and never half made."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given

from spec.ltl.formula import (
    FALSE,
    TRUE,
    Formula,
    Operator,
    always,
    conjunction,
    depth,
    disjunction,
    eventually,
    make,
    negation,
    proposition,
    since,
    subformulas,
    until,
)
from tests.spec.ltl.formulas import EVERYTHING, formulas

P, Q = proposition("p"), proposition("q")


@given(formulas(EVERYTHING))
def test_a_formula_made_again_is_the_same_object(formula: Formula) -> None:
    assert make(formula.operator, formula.operands, formula.name) is formula
    assert pickle.loads(pickle.dumps(formula)) is formula
    assert copy.deepcopy(formula) is formula


@given(formulas(EVERYTHING))
def test_subformulas_come_once_each_and_after_their_operands(formula: Formula) -> None:
    parts = list(subformulas(formula))
    assert parts[-1] is formula
    assert len(set(parts)) == len(parts)
    for place, part in enumerate(parts):
        assert all(operand in parts[:place] for operand in part.operands)


def test_a_formula_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="a formula is immutable; name cannot be set"):
        P.name = "q"


@pytest.mark.parametrize(
    ("operator", "operands", "message"),
    [
        (Operator.UNTIL, (P,), "UNTIL takes 2 operands, not 1"),
        (Operator.UNTIL, (P, Q, P), "UNTIL takes 2 operands, not 3"),
        (Operator.NOT, (), "NOT takes 1 operands, not 0"),
        (Operator.AND, (P,), "AND takes 2 operands, not 1"),
        (Operator.TRUE, (P,), "TRUE takes 0 operands, not 1"),
    ],
)
def test_an_operator_takes_its_own_number_of_operands(
    operator: Operator, operands: tuple[Formula, ...], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        make(operator, operands)


def test_only_a_proposition_has_a_name() -> None:
    with pytest.raises(ValueError, match="a proposition has a name"):
        make(Operator.PROPOSITION)
    with pytest.raises(ValueError, match="and nothing else does"):
        make(Operator.TRUE, (), "p")


def test_operators_of_python_build_formulas() -> None:
    assert (
        conjunction(P, Q),
        disjunction(P, Q),
        make(Operator.IMPLIES, (P, Q)),
        negation(P),
    ) == (P & Q, P | Q, P >> Q, ~P)
    assert (conjunction(), disjunction(), conjunction(P), disjunction(P)) == (TRUE, FALSE, P, P)


def test_what_a_formula_knows_of_itself() -> None:
    formula = always(P >> eventually(since(Q, P)))
    assert (formula.size, depth(formula), formula.propositions) == (7, 4, {"p", "q"})
    assert (formula.temporal, formula.past) == (True, True)
    assert (until(P, Q).past, (P & Q).temporal) == (False, False)


def test_a_deep_formula_is_made_and_counted_without_recursion() -> None:
    formula = P
    for _ in range(5000):
        formula = negation(formula)
    assert (formula.size, depth(formula)) == (5001, 5000)
