"""Obligations and their minimal deterministic automata."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.budget import Budget
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.implication import Implication
from spec.ltl.network import Network, pruned
from spec.ltl.normal import negated, negation_normal_form
from spec.ltl.obligation import disjoint, included, syntactic_guarantee, syntactic_obligation, weak_deterministic
from spec.ltl.parser import parse
from spec.ltl.simulation import simulators
from spec.ltl.tableau import tableau
from spec.ltl.word import Word
from tests.spec.ltl.formulas import formulas, lassos

NAMES = ("p", "q", "r")


def network(formula: Formula) -> Network:
    return pruned(tableau(negation_normal_form(formula), NAMES, Budget(), Implication()))


def states(text: str) -> int:
    return len(weak_deterministic(network(parse(text)), Budget()).rows)


@given(formulas(leaves=6), lassos())
@settings(max_examples=90)
def test_the_weak_automaton_of_an_obligation_accepts_its_words(formula: Formula, word: Word) -> None:
    if syntactic_obligation(negation_normal_form(formula)):
        general = network(formula)
        weak = weak_deterministic(general, Budget(), simulators(general.rows)).automaton(NAMES)
        weak.check()
        assert weak.deterministic
        assert weak.state_based
        assert weak.accepts(word) == holds(formula, word)


@given(formulas(leaves=5), lassos())
@settings(max_examples=90)
def test_a_weak_automaton_found_to_agree_does(formula: Formula, word: Word) -> None:
    general, complement = network(formula), network(negated(formula))
    weak = weak_deterministic(general, Budget())
    agrees = included(general, weak, Budget()) and disjoint(complement, weak, Budget())
    assert agrees or not syntactic_obligation(negation_normal_form(formula))
    if agrees:
        assert weak.automaton(NAMES).accepts(word) == holds(formula, word)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[]p", 1),
        ("<>p", 2),
        ("p U q", 2),
        ("p W q", 2),
        ("<>p && []q", 2),
        ("[]p || <>q", 3),
        ("X X p", 4),
        ("p && !p", 1),
    ],
)
def test_the_automaton_is_minimal(text: str, expected: int) -> None:
    assert states(text) == expected


@given(formulas(leaves=5))
@settings(max_examples=40)
def test_equal_languages_have_automata_of_equal_size(formula: Formula) -> None:
    if syntactic_obligation(negation_normal_form(formula)):
        twice = negation_normal_form(parse(f"({formula}) && (({formula}) || X({formula}))"))
        assert len(weak_deterministic(network(twice), Budget()).rows) == states(str(formula))


@pytest.mark.parametrize("text", ["[]<>p", "<>[]p", "[](p -> <>q)"])
def test_what_is_no_obligation_is_not_agreed_with(text: str) -> None:
    general, complement = network(parse(text)), network(negated(parse(text)))
    weak = weak_deterministic(general, Budget())
    assert not (included(general, weak, Budget()) and disjoint(complement, weak, Budget()))
    assert not syntactic_obligation(negation_normal_form(parse(text)))


def test_syntax_shows_the_classes() -> None:
    assert syntactic_obligation(parse("p W <>q"))
    assert syntactic_guarantee(parse("p U (q && X p)"))
    assert not syntactic_guarantee(parse("p W q"))


def test_a_subset_automaton_beyond_the_bound_is_refused() -> None:
    with pytest.raises(TooLargeError, match=r"^the subset automaton has more than states=2 states$"):
        weak_deterministic(network(parse("<>p && <>q")), Budget(states=2))
