"""Automata accept what their runs say, and refuse to be malformed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl.automaton import Automaton, Edge, proposition_label
from spec.ltl.evaluate import holds
from spec.ltl.graph import components
from spec.ltl.parser import parse, parse_word
from spec.ltl.word import Word
from tests.spec.ltl.formulas import lassos

P, Q = proposition_label(0, 2), proposition_label(1, 2)
ALL = 0b1111
# Two acceptance sets: infinitely often p, and infinitely often q.
BOTH = Automaton(
    ("p", "q"),
    ((Edge(P & Q, 0, 0b11), Edge(P & ~Q, 0, 0b01), Edge(Q & ~P, 0, 0b10), Edge(ALL & ~P & ~Q, 0, 0)),),
    0,
    2,
)


@given(lassos("pq"))
def test_a_generalised_automaton_wants_every_set_again_and_again(word: Word) -> None:
    assert BOTH.accepts(word) == holds(parse("[]<>p && []<>q"), word)


@given(lassos("pq"))
def test_with_no_acceptance_set_every_infinite_run_accepts(word: Word) -> None:
    always_p = Automaton(("p",), ((Edge(0b10, 0),),))
    assert always_p.accepts(word) == holds(parse("[]p"), word)


def test_what_an_automaton_knows_of_itself() -> None:
    assert (BOTH.states, BOTH.deterministic, BOTH.complete, BOTH.state_based) == (1, True, True, False)
    choice = Automaton(("p",), ((Edge(0b11, 0), Edge(0b10, 0)),))
    assert (choice.deterministic, choice.complete, choice.state_based) == (False, True, True)
    assert BOTH.number(frozenset({"q", "unknown"})) == 2
    assert BOTH.letter(3) == {"p", "q"}


def test_a_finite_word_is_refused() -> None:
    with pytest.raises(ValueError, match="an automaton over infinite words needs a cycle"):
        BOTH.accepts(parse_word("p; q"))


@pytest.mark.parametrize(
    ("automaton", "message"),
    [
        (Automaton(("p",), ((),), 1), "initial state 1 of 1"),
        (Automaton(("p", "p"), ((),)), "a proposition is named twice"),
        (Automaton(("p",), ((Edge(0, 0),),)), "state 0: label 0x0 of 1 propositions"),
        (Automaton(("p",), ((Edge(0b100, 0),),)), "state 0: label 0x4 of 1 propositions"),
        (Automaton(("p",), ((Edge(1, 1),),)), "state 0: an edge to 1, of 1 states"),
        (Automaton(("p",), ((Edge(1, 0, 2),),), 0, 1), "state 0: marks 0b10 of 1 acceptance sets"),
    ],
)
def test_a_malformed_automaton_is_refused(automaton: Automaton, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        automaton.check()


@given(st.integers(1, 5), st.data())
def test_a_propositions_label_is_the_letters_in_which_it_is_true(propositions: int, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, propositions - 1))
    label = proposition_label(index, propositions)
    for number in range(1 << propositions):
        assert bool(label >> number & 1) == bool(number >> index & 1)


@given(st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 7), max_size=4)))
def test_components_are_the_classes_of_mutual_reachability(edges: dict[int, list[int]]) -> None:
    def reached(start: int) -> set[int]:
        seen, waiting = {start}, [start]
        while waiting:
            for target in edges.get(waiting.pop(), []):
                if target not in seen:
                    seen.add(target)
                    waiting.append(target)
        return seen

    found = list(components([0], lambda node: edges.get(node, [])))
    assert sorted(node for component in found for node in component) == sorted(reached(0))
    for place, component in enumerate(found):
        for node in component:
            assert {other for other in reached(node) if node in reached(other)} == set(component)
            # Whatever a component leads to has come before it.
            assert reached(node) <= {other for earlier in found[: place + 1] for other in earlier}
