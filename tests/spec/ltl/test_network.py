"""Components of automata, and what is pruned because of them."""

from __future__ import annotations

from hypothesis import given, settings

from spec.ltl import graph
from spec.ltl.automaton import Automaton
from spec.ltl.network import Network, accepts, bits, components, merged, pruned
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata, on_states
from tests.spec.ltl.formulas import lassos

NAMES = ("p", "q")


def test_bits_are_listed_from_the_lowest() -> None:
    assert list(bits(0b101001)) == [0, 3, 5]


@given(automata(states=6))
@settings(max_examples=40)
def test_components_are_those_of_the_general_search(automaton: Automaton) -> None:
    which, found = components(Network.of(automaton).rows, automaton.initial)
    general = graph.components([automaton.initial], lambda state: [edge.target for edge in automaton.edges[state]])
    assert sorted(map(sorted, found)) == sorted(map(sorted, general))
    assert all(which[state] == index for index, members in enumerate(found) for state in members)
    for state, index in enumerate(which):
        assert all(index >= which[edge.target] for edge in automaton.edges[state] if index >= 0)


@given(automata(states=5), lassos("pq"))
@settings(max_examples=120)
def test_a_pruned_automaton_accepts_the_same_words(automaton: Automaton, word: Word) -> None:
    small = pruned(Network.of(automaton)).automaton(automaton.propositions)
    small.check()
    assert small.states <= automaton.states
    assert small.accepts(word) == automaton.accepts(word)


@given(automata(states=5, sets=1), lassos("pq"))
@settings(max_examples=60)
def test_pruning_by_state_keeps_the_marks_on_states(automaton: Automaton, word: Word) -> None:
    if automaton.sets:
        plain = on_states(automaton)
        small = pruned(Network.of(plain), by_state=True).automaton(plain.propositions)
        assert small.state_based
        assert small.sets == 1
        assert small.accepts(word) == plain.accepts(word)


def test_a_set_that_every_cycle_meets_is_dropped() -> None:
    network = Network([[(1, 1, 0b01)], [(1, 0, 0b10)]], 1, 0, 2)
    assert pruned(network).sets == 0


def test_states_from_which_nothing_is_accepted_are_dropped() -> None:
    network = Network([[(1, 0, 1), (1, 1, 0)], [(1, 1, 0)]], 1, 0, 1)
    assert pruned(network).rows == [[(1, 0, 0)]]


def test_a_component_accepts_if_its_edges_together_bear_all_marks() -> None:
    network = Network([[(1, 1, 0b01)], [(1, 0, 0b10), (1, 2, 0)], [(1, 2, 0b10)]], 1, 0, 2)
    which, found = components(network.rows, 0)
    assert [accepts(network, which, members, index) for index, members in enumerate(found)] == [False, True]


def test_edges_with_the_same_target_and_marks_are_joined() -> None:
    assert merged([(0b01, 3, 1), (0b10, 3, 1), (0b10, 3, 0)]) == [(0b11, 3, 1), (0b10, 3, 0)]
