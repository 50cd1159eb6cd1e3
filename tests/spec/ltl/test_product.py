"""Products of automata, and automata for what happens again and again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.automaton import Automaton
from spec.ltl.budget import Budget
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, always, eventually, proposition
from spec.ltl.implication import Implication
from spec.ltl.network import Network, pruned
from spec.ltl.normal import negation_normal_form
from spec.ltl.obligation import syntactic_guarantee
from spec.ltl.parser import parse
from spec.ltl.product import intersection, recurring, suspended
from spec.ltl.simulation import simulated
from spec.ltl.tableau import tableau
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata
from tests.spec.ltl.formulas import formulas, lassos

NAMES = ("p", "q")


def network(formula: Formula) -> Network:
    return tableau(negation_normal_form(formula), NAMES, Budget(), Implication())


@given(automata(states=3), automata(states=3), lassos("pq"))
@settings(max_examples=60)
def test_the_intersection_accepts_what_both_accept(left: Automaton, right: Automaton, word: Word) -> None:
    if left.propositions == right.propositions:
        both = intersection(Network.of(left), Network.of(right), Budget()).automaton(left.propositions)
        assert both.accepts(word) == (left.accepts(word) and right.accepts(word))


@given(formulas(names="pq", leaves=5), formulas(names="pq", leaves=3), lassos("pq"))
@settings(max_examples=60)
def test_what_holds_always_or_never_may_wait(formula: Formula, goal: Formula, word: Word) -> None:
    steady = always(eventually(goal))
    both = suspended(network(formula), network(steady), Budget()).automaton(NAMES)
    assert both.accepts(word) == (holds(formula, word) and holds(steady, word))


@given(formulas(names="pq", leaves=5), lassos("pq"))
@settings(max_examples=90)
def test_a_guarantee_recurs_where_the_made_automaton_accepts(goal: Formula, word: Word) -> None:
    goal = negation_normal_form(goal)
    if syntactic_guarantee(goal):
        made = recurring(network(eventually(goal)))
        if made is not None:
            assert made.automaton(NAMES).accepts(word) == holds(always(eventually(goal)), word)


def test_what_is_no_guarantee_is_not_made_to_recur() -> None:
    assert recurring(network(parse("<>[]p"))) is None
    assert recurring(network(parse("<>(p && X p)"))) is not None


def test_a_chain_that_recurs_needs_as_many_states_as_it_is_long() -> None:
    made = recurring(simulated(network(parse("<>(p && X(q && X p))")), Budget()))
    assert made is not None
    assert pruned(made).size[0] == 3


def test_a_product_beyond_the_bound_is_refused() -> None:
    with pytest.raises(TooLargeError, match=r"^the product has more than states=1 states$"):
        intersection(network(eventually(proposition("p"))), network(eventually(proposition("q"))), Budget(states=1))
