"""Short lassos."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spec.ltl import witness
from spec.ltl.automaton import Automaton, Edge
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula
from spec.ltl.parser import parse, parse_word
from spec.ltl.witness import lasso, rolled, shortened
from spec.ltl.word import Word
from tests.spec.ltl.automata import automata
from tests.spec.ltl.formulas import formulas, lassos

TWO_WAYS = Automaton(
    ("p",),
    (
        (Edge(0b11, 1), Edge(0b11, 3)),
        (Edge(0b11, 2),),
        (Edge(0b10, 2, 0b11),),
        (Edge(0b11, 4, 0b01),),
        (Edge(0b11, 5, 0b10),),
        (Edge(0b11, 3),),
    ),
    0,
    2,
)
"""Two edges to a cycle of one, or one edge to a cycle of three."""


def test_a_shortest_lasso_counts_prefix_and_cycle() -> None:
    assert lasso(TWO_WAYS) == parse_word("1; 1; cycle{p}")


def test_marks_are_collected_all_round_the_cycle() -> None:
    only = Automaton(("p",), TWO_WAYS.edges, 3, 2)
    assert lasso(only) == parse_word("cycle{1; 1; 1}")


@given(automata(sets=3))
def test_without_time_for_the_shortest_a_lasso_is_found_all_the_same(automaton: Automaton) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(witness, "EXPANSIONS", 0)
        hasty = lasso(automaton)
    found = lasso(automaton)
    assert (hasty is None) == (found is None)
    if hasty is not None and found is not None:
        assert automaton.accepts(hasty) and len(found.letters) <= len(hasty.letters)


@given(formulas(), lassos())
def test_what_is_left_is_wanted_and_nothing_of_it_can_go(formula: Formula, word: Word) -> None:
    if not holds(formula, word):
        return
    short = shortened(word, lambda candidate: holds(formula, candidate), 10_000)
    assert holds(formula, short) and rolled(short) == short
    assert len(short.letters) <= len(word.letters)
    for i, letter in enumerate(short.letters):
        for name in letter:
            letters = (*short.letters[:i], letter - {name}, *short.letters[i + 1 :])
            assert not holds(formula, Word(letters[: len(short.prefix)], letters[len(short.prefix) :]))


@given(lassos("pq", 4, 6), st.integers(0, 3))
def test_rolling_keeps_the_infinite_word(word: Word, turns: int) -> None:
    short = rolled(word.unrolled(turns))
    assert short == rolled(word)
    length = 24 + len(word.prefix)
    assert short.unrolled(length).prefix[:length] == word.unrolled(length).prefix[:length]


def test_no_more_is_tried_than_allowed() -> None:
    asked = []
    word = parse_word("p; p; p; cycle{q; p}")
    assert shortened(word, lambda candidate: not asked.append(candidate) and False, 2) == rolled(word)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("formula", "found"),
    [("p && X !p && []<>q", "p; cycle{q}"), ("<>(p && X X p)", "cycle{p}"), ("true", "cycle{1}")],
)
def test_letters_are_as_empty_as_they_can_be(formula: str, found: str) -> None:
    long = parse_word("p&q; q; p; cycle{p&q; q&p; p&q}") if "q" in formula else parse_word("p; cycle{p&q}")
    assert str(shortened(long, lambda word: holds(parse(formula), word))) == found
