"""The tableau."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.budget import Budget
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.implication import Implication
from spec.ltl.normal import negation_normal_form
from spec.ltl.parser import parse, parse_word
from spec.ltl.past import without_mixed_past
from spec.ltl.tableau import tableau
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos

NAMES = ("p", "q", "r")


@given(formulas(leaves=7), lassos())
@settings(max_examples=150)
def test_it_accepts_the_words_that_satisfy_the_formula(formula: Formula, word: Word) -> None:
    automaton = tableau(negation_normal_form(formula), NAMES, Budget(), Implication()).automaton(NAMES)
    automaton.check()
    assert automaton.accepts(word) == holds(formula, word)


@given(formulas(EVERYTHING, leaves=5), lassos(prefix=3, cycle=3))
@settings(max_examples=90)
def test_it_remembers_the_past(formula: Formula, word: Word) -> None:
    separated, fresh = without_mixed_past(negation_normal_form(formula))
    if not fresh:
        automaton = tableau(separated, NAMES, Budget(), Implication()).automaton(NAMES)
        assert automaton.accepts(word) == holds(formula, word)


def test_a_need_is_promised_though_another_one_implies_it() -> None:
    # <>q is implied by <>(p && X <>q), which []... asks for anew at each position.
    automaton = tableau(parse("[](r || <>(p && X <>q))"), NAMES, Budget(), Implication()).automaton(NAMES)
    assert not automaton.accepts(parse_word("cycle{p; 1}"))
    assert automaton.accepts(parse_word("cycle{p; q}"))


def test_sets_that_contradict_themselves_are_no_states() -> None:
    assert tableau(parse("X([]p && <>!p)"), NAMES, Budget(), Implication()).rows == [[]]


def test_implied_formulas_are_left_out_of_states() -> None:
    assert tableau(parse("[]<>p && [](q || <>p)"), NAMES, Budget(), Implication()).size[0] <= 2


def test_states_and_steps_are_bounded() -> None:
    with pytest.raises(TooLargeError, match=r"^the tableau has more than states=3 states$"):
        tableau(parse("p U (q U (r U (p && q)))"), NAMES, Budget(states=3), Implication())
    with pytest.raises(TooLargeError, match=r"^the tableau takes more than work=10 steps$"):
        tableau(parse("p U (q U (r U (p && q)))"), NAMES, Budget(work=10), Implication())
