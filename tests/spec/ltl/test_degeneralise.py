"""From several acceptance sets on edges to one set of states."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.automaton import Automaton
from spec.ltl.budget import Budget
from spec.ltl.degeneralise import degeneralised
from spec.ltl.error import TooLargeError
from spec.ltl.network import Network, pruned
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata
from tests.spec.ltl.formulas import lassos


@given(automata(states=4, sets=3), lassos("pq"))
@settings(max_examples=120)
def test_the_plain_automaton_accepts_the_same_words(automaton: Automaton, word: Word) -> None:
    plain = degeneralised(pruned(Network.of(automaton)), Budget()).automaton(automaton.propositions)
    plain.check()
    assert plain.state_based
    assert plain.sets == 1
    assert plain.accepts(word) == automaton.accepts(word)


def test_one_state_with_n_sets_becomes_n_plus_one() -> None:
    # The edge with all marks leads from the last level to itself: the levels are those of []<>p && []<>q.
    row = [(1, 0, 0b00), (2, 0, 0b01), (4, 0, 0b10), (8, 0, 0b11)]
    assert degeneralised(Network([row], 15, 0, 2), Budget()).size[0] == 3


def test_a_component_all_of_whose_edges_bear_all_marks_has_one_level() -> None:
    assert degeneralised(Network([[(1, 0, 3)]], 1, 0, 2), Budget()).rows == [[(1, 0, 1)]]


def test_what_accepts_nothing_has_no_levels() -> None:
    rows = [[(1, 0, 0b01), (1, 1, 0)], [(1, 1, 0b11)]]
    assert degeneralised(Network(rows, 1, 0, 2), Budget()).size[0] == 2


def test_more_states_than_the_bound_are_refused() -> None:
    row = [(1 << i, 0, 1 << i) for i in range(4)]
    with pytest.raises(TooLargeError, match=r"^the degeneralised automaton has more than states=3 states$"):
        degeneralised(Network([row], 15, 0, 4), Budget(states=3))
