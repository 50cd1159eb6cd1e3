"""What two automata both accept."""

from __future__ import annotations

import pytest
from hypothesis import given

from spec.ltl.automaton import Automaton, Edge
from spec.ltl.error import TooLargeError
from spec.ltl.intersection import accepting_components, intersection, nonempty, over, trimmed
from spec.ltl.witness import lasso
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata
from tests.spec.ltl.formulas import lassos


@given(automata(("p", "q")), automata(("q", "r")), lassos("pqr"))
def test_the_intersection_accepts_what_both_accept(left: Automaton, right: Automaton, word: Word) -> None:
    both = intersection(left, right)
    both.check()
    assert both.accepts(word) == (left.accepts(word) and right.accepts(word))


@given(automata(("p", "q")), lassos("pqr"))
def test_more_propositions_change_nothing(automaton: Automaton, word: Word) -> None:
    wider = over(automaton, ("r", "q", "p"))
    wider.check()
    assert wider.accepts(word) == automaton.accepts(word)


@given(automata(), lassos("pq"))
def test_trimming_keeps_the_language_and_leaves_no_dead_end(automaton: Automaton, word: Word) -> None:
    kept = trimmed(automaton)
    assert kept.accepts(word) == automaton.accepts(word)
    for edges in kept.edges:
        for edge in edges:
            assert nonempty(Automaton(kept.propositions, kept.edges, edge.target, kept.sets))


@given(automata())
def test_an_automaton_with_an_accepting_component_has_a_lasso(automaton: Automaton) -> None:
    found = lasso(automaton)
    assert bool(accepting_components(automaton)) == nonempty(automaton) == (found is not None)
    assert found is None or automaton.accepts(found)


def test_a_proposition_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="not in tuple"):
        over(Automaton(("p",), ((Edge(0b10, 0),),)), ("q",))


def test_the_bound_is_named() -> None:
    ring = Automaton(("p",), tuple((Edge(0b11, (i + 1) % 5),) for i in range(5)))
    other = Automaton(("p",), tuple((Edge(0b11, (i + 1) % 7),) for i in range(7)))
    assert intersection(ring, other).states == 35
    with pytest.raises(TooLargeError, match="more than states=34 states"):
        intersection(ring, other, states=34)
