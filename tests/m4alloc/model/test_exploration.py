from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("numba", reason="pip install 'm4alloc[fast]'")
from m4alloc.model import engine
from m4alloc.model.exploration import Exploration, tables
from spec.ltl.automaton import Automaton, Edge
from spec.ltl.meter import Meter

sys.path.insert(0, str(Path(__file__).parent))
from random_programs import philosophers


@st.composite
def automata(draw: st.DrawFn) -> Automaton:
    """State-based automata of one set, with up to four propositions."""
    propositions = tuple("pqrs"[: draw(st.integers(0, 4))])
    states = draw(st.integers(1, 5))
    rows = []
    for _ in range(states):
        mark = draw(st.integers(0, 1))
        label = st.integers(1, (1 << (1 << len(propositions))) - 1)
        edge = st.builds(Edge, label, st.integers(0, states - 1), st.just(mark))
        rows.append(tuple(draw(st.lists(edge, max_size=4))))
    return Automaton(propositions, tuple(rows), 0, 1)


@settings(deadline=None, max_examples=40)
@given(automata())
def test_the_tables_say_what_the_automaton_says(automaton: Automaton) -> None:
    edges, ends, accepting, _ = tables(philosophers(2, asymmetric=True), automaton, frozenset(), ())
    letters = 1 << len(automaton.propositions)
    for state in range(automaton.states):
        for letter in range(letters):
            row = state * letters + letter
            found = ends[edges[row] : edges[row + 1]].tolist()
            assert sorted(found) == sorted({edge.target for edge in automaton.step(state, letter)})
        assert accepting[state] == any(edge.marks for edge in automaton.edges[state])


def test_only_fair_processes_are_numbered() -> None:
    *_, processes = tables(philosophers(3, asymmetric=True), None, frozenset(), (0, 2))
    assert processes.tolist() == [0] * 5 + [-1] * 5 + [1] * 5


def test_the_path_to_a_deadlock_begins_in_the_initial_state() -> None:
    program = philosophers(4, asymmetric=False)
    for breadth in (True, False):
        exploration = Exploration(program, None, deadlock=True, meter=Meter())
        assert (exploration.breadth() if breadth else exploration.nested()) == engine.DEADLOCK
        keys = exploration.path()
        assert exploration.node(keys[0]) == (tuple(cell.initial for cell in program.cells), 0)
        assert exploration.node(keys[-1])[0] == (1,) * 8
        commands = exploration.commands(keys)
        assert len(commands) == len(keys) - 1
        assert len(keys) == 5 or not breadth


def test_the_meter_knows_what_was_counted() -> None:
    meter = Meter()
    assert Exploration(philosophers(6, asymmetric=True), None, meter=meter).breadth() == engine.DONE
    assert (meter.states, meter.transitions) == (1485, 5806)
