"""Random automata, for the laws of their formats and operations."""

from __future__ import annotations

from hypothesis import strategies as st

from spec.ltl.automaton import Automaton, Edge


@st.composite
def automata(draw: st.DrawFn, names: tuple[str, ...] = ("p", "q"), states: int = 4, sets: int = 2) -> Automaton:
    """Automata over some of the names, with at most so many states and acceptance sets."""
    propositions = names[: draw(st.integers(0, len(names)))]
    everything = (1 << (1 << len(propositions))) - 1
    count, marks = draw(st.integers(1, states)), draw(st.integers(0, sets))
    edge = st.builds(Edge, st.integers(1, everything), st.integers(0, count - 1), st.integers(0, (1 << marks) - 1))
    edges = draw(st.lists(st.lists(edge, max_size=3).map(tuple), min_size=count, max_size=count))
    return Automaton(propositions, tuple(edges), draw(st.integers(0, count - 1)), marks)


def on_states(automaton: Automaton) -> Automaton:
    """The automaton with the marks of each state's first edge on all that leave it."""
    return Automaton(
        automaton.propositions,
        tuple(tuple(edge._replace(marks=edges[0].marks) for edge in edges) for edges in automaton.edges),
        automaton.initial,
        automaton.sets,
    )
