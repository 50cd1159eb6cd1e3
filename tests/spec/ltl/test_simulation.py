"""Simulation, and what is merged because of it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.automaton import Automaton
from spec.ltl.budget import Budget
from spec.ltl.network import Network, bits
from spec.ltl.simulation import bisimulated, reversed_rows, simulated, simulators
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata, on_states
from tests.spec.ltl.formulas import lassos

ROWS = [[(1, 1, 0), (1, 2, 0)], [(3, 1, 0)], [(3, 2, 0), (1, 3, 0)], [(1, 3, 0)]]
"""States 1 and 2 simulate each other, as 1 can do all that 3 can."""


@given(automata(states=5), lassos("pq"))
@settings(max_examples=120)
def test_reduction_by_simulation_keeps_the_language(automaton: Automaton, word: Word) -> None:
    small = simulated(Network.of(automaton), Budget()).automaton(automaton.propositions)
    small.check()
    assert small.states <= automaton.states
    assert small.accepts(word) == automaton.accepts(word)


@given(automata(states=5, sets=1), lassos("pq"))
@settings(max_examples=90)
def test_reduction_by_state_keeps_the_language_and_the_marks_on_states(automaton: Automaton, word: Word) -> None:
    if automaton.sets:
        plain = on_states(automaton)
        small = simulated(Network.of(plain), Budget(), by_state=True).automaton(plain.propositions)
        assert small.state_based
        assert small.sets == 1
        assert small.accepts(word) == plain.accepts(word)


@given(automata(states=5), lassos("pq"))
@settings(max_examples=90)
def test_a_state_accepts_what_those_that_it_simulates_do(automaton: Automaton, word: Word) -> None:
    network = Network.of(automaton)
    for state, simulating in enumerate(simulators(network.rows)):
        assert simulating >> state & 1
        if Automaton(automaton.propositions, automaton.edges, state, automaton.sets).accepts(word):
            for other in bits(simulating):
                assert Automaton(automaton.propositions, automaton.edges, other, automaton.sets).accepts(word)


@given(automata(states=6), lassos("pq"))
@settings(max_examples=60)
def test_the_quotient_by_bisimulation_keeps_the_language(automaton: Automaton, word: Word) -> None:
    small = bisimulated(Network.of(automaton)).automaton(automaton.propositions)
    assert small.accepts(word) == automaton.accepts(word)


@given(automata(states=5))
@settings(max_examples=40)
def test_edges_turned_round_twice_are_the_same_edges(automaton: Automaton) -> None:
    rows = Network.of(automaton).rows
    assert [sorted(row) for row in reversed_rows(reversed_rows(rows))] == [sorted(row) for row in rows]


def test_states_that_simulate_each_other_become_one() -> None:
    assert simulated(Network(ROWS, 3), Budget()).size == (2, 2)


def test_a_state_on_no_cycle_goes_into_one_that_accepts_the_same() -> None:
    rows = [[(3, 1, 0)], [(3, 1, 1)]]
    assert simulated(Network(rows, 3, 0, 1), Budget(), by_state=True).size == (1, 1)


def test_a_large_automaton_is_reduced_by_bisimulation_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spec.ltl.simulation._STEPS", 0)
    assert simulated(Network(ROWS, 3), Budget()).size == (4, 6)
