"""Satisfiability by search."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.expansion import search
from spec.ltl.formula import Formula, negation
from spec.ltl.intersection import nonempty
from spec.ltl.parser import parse
from spec.ltl.translate import translate
from tests.spec.ltl.formulas import formulas


@settings(deadline=None)
@given(formulas())
def test_a_word_is_found_iff_the_automaton_accepts_one(formula: Formula) -> None:
    for each in (formula, negation(formula)):
        found = search(each)
        assert (found is not None) == nonempty(translate(each))
        assert found is None or holds(each, found)


@pytest.mark.parametrize("operator", ["U", "R"])
def test_formulas_whose_automata_are_too_large_are_satisfied(operator: str) -> None:
    text = "p0"
    for i in range(1, 40):
        text = f"({text} {operator} p{i})"
    for formula in (parse(text), parse(f"!{text}")):
        found = search(formula)
        assert found is not None and holds(formula, found)


def test_the_bound_is_named() -> None:
    counter = parse("[](p <-> X !p) && [](q <-> X X !q) && [](r <-> X X X !r) && <>(s && X s && []!s)")
    with pytest.raises(TooLargeError, match="the search for a word that satisfies the formula took more than 3 states"):
        search(counter, states=3)
    assert search(counter) is None


def test_the_past_is_refused() -> None:
    with pytest.raises(ValueError, match="has past operators"):
        search(parse("<>(p && O q)"))
