"""Translation to generalised and plain Buchi automata."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from spec.ltl.automaton import Automaton
from spec.ltl.budget import Budget
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, always, eventually, negation, next_, proposition, until
from spec.ltl.network import Network
from spec.ltl.obligation import nonempty
from spec.ltl.parser import parse
from spec.ltl.product import intersection
from spec.ltl.translate import buchi, translate
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos

VECTORS = Path(__file__).parents[2] / "vectors" / "ltl"
LARGE = frozenset({"u-left-12", "gh-q-7"})
"""Left to the campaign: thousands of states, and hundreds."""


def rows(kind: str) -> Iterator[dict[str, Any]]:
    with gzip.open(VECTORS / f"{kind}.public.jsonl.gz", "rt", encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def common(left: Automaton, right: Automaton) -> bool:
    """Whether a word is accepted by both."""
    both = intersection(Network.of(left), Network.of(right), Budget(10**6, 10**9))
    return nonempty(both.rows, both.initial, (1 << both.sets) - 1)


def test_every_lasso_of_the_vectors_is_accepted_as_recorded() -> None:
    for row in rows("lasso"):
        if row["name"] not in LARGE:
            formula, word = parse(row["formula"]), Word.of(row["prefix"], row["cycle"])
            assert translate(formula).accepts(word) == row["accepts"], row
            assert buchi(formula).accepts(word) == row["accepts"], row


def test_automata_are_together_no_larger_than_the_recorded_ones() -> None:
    ours = recorded = 0
    for row in rows("formulas"):
        if row["name"] not in LARGE and row["ba"]:
            automaton = buchi(parse(row["formula"]))
            automaton.check()
            assert automaton.state_based
            assert automaton.sets == 1
            ours += automaton.states
            recorded += row["ba"]["states"]
    assert ours <= recorded


def test_a_formula_without_an_accepting_run_is_unsatisfiable() -> None:
    for row in rows("formulas"):
        if row["name"] not in LARGE and row["sat"] is not None:
            automaton = translate(parse(row["formula"]))
            assert common(automaton, automaton) == row["sat"], row["name"]


@given(formulas(leaves=8), lassos())
@settings(max_examples=90)
def test_automata_accept_the_words_that_satisfy_the_formula(formula: Formula, word: Word) -> None:
    for automaton in (translate(formula), buchi(formula)):
        automaton.check()
        assert automaton.propositions == tuple(sorted(formula.propositions))
        assert automaton.accepts(word) == holds(formula, word)


@given(formulas(EVERYTHING, leaves=5), lassos(prefix=3, cycle=3))
@settings(max_examples=60)
def test_past_operators_may_be_anywhere(formula: Formula, word: Word) -> None:
    assert translate(formula).accepts(word) == holds(formula, word)
    assert buchi(formula).accepts(word) == holds(formula, word)


@given(formulas(EVERYTHING, leaves=5), lassos(prefix=3, cycle=3))
@settings(max_examples=40)
def test_of_a_formula_and_its_negation_each_word_satisfies_one(formula: Formula, word: Word) -> None:
    for yes, no in ((translate(formula), buchi(negation(formula))), (buchi(formula), translate(negation(formula)))):
        assert not common(yes, no)
        assert yes.accepts(word) or no.accepts(word)


@given(formulas(leaves=5), formulas(leaves=4), lassos())
@settings(max_examples=40)
def test_what_recurs_is_translated_by_composition(formula: Formula, goal: Formula, word: Word) -> None:
    for whole in (always(eventually(goal)), formula & always(eventually(goal)), formula | always(eventually(goal))):
        assert buchi(whole).accepts(word) == holds(whole, word)
        assert translate(whole).accepts(word) == holds(whole, word)


@pytest.mark.parametrize(
    ("text", "generalised", "plain"),
    [
        ("[](p -> <>q)", 2, 2),
        ("[]<>p", 1, 2),
        ("<>[]p", 2, 2),
        ("<>[]p || []<>q", 2, 3),
        ("p U (q U r)", 3, 3),
        ("[](p -> (!q S r))", 2, 2),
        ("(!q W p) && [](r -> X(!q W p))", 2, 2),
        ("(!q W p) && [](r -> X(!q W p)) && [](q -> <>r)", 3, 3),
        ("<>(p && <>q) && []<>(q && X r)", 4, 4),
        ("false", 1, 1),
        ("true", 1, 1),
    ],
)
def test_sizes_of_usual_formulas(text: str, generalised: int, plain: int) -> None:
    assert (translate(parse(text)).states, buchi(parse(text)).states) == (generalised, plain)


def test_too_many_propositions_are_refused_by_name() -> None:
    formula = parse(" || ".join(f"<>p{i}" for i in range(17)))
    for function in (translate, buchi):
        with pytest.raises(TooLargeError, match=r"^the formula has 17 propositions, more than propositions=16$"):
            function(formula)


def test_hidden_propositions_count() -> None:
    formula = parse(" && ".join(f"[](p{i} || O []p{i})" for i in range(9)))
    with pytest.raises(TooLargeError, match=r"9 propositions and 9 past operators over future ones"):
        translate(formula)


def test_too_many_states_are_refused_by_the_bound_that_was_given_and_again() -> None:
    formula = parse(" && ".join(f"<>p{i}" for i in range(6)))
    for _ in range(2):
        with pytest.raises(TooLargeError, match=r"^the tableau has more than states=10 states$"):
            buchi(formula, states=10)
    assert buchi(formula).states == 64


def test_nesting_beyond_the_interpreter_is_refused() -> None:
    formula = proposition("p")
    for turn in range(2000):
        formula = next_(until(proposition("q" if turn % 2 else "r"), formula))
    with pytest.raises(TooLargeError):
        translate(formula)


def test_automata_are_kept() -> None:
    formula = parse("[](p -> <>q)")
    assert translate(formula) is translate(formula)
    assert buchi(formula) is buchi(formula)


@pytest.mark.campaign
def test_the_large_vectors_are_answered_or_refused_within_ten_seconds() -> None:
    for row in rows("lasso"):
        if row["name"] in LARGE:
            try:
                automaton = buchi(parse(row["formula"]))
            except TooLargeError:
                continue
            assert automaton.accepts(Word.of(row["prefix"], row["cycle"])) == row["accepts"], row


def test_deep_nesting_is_translated_up_to_the_bound_and_refused_at_once_beyond() -> None:
    assert translate(parse("X " * 260 + "p")).states == 262
    with pytest.raises(TooLargeError, match=r"^operators are nested 3000 deep in the formula, more than depth=500$"):
        translate(parse("X " * 3000 + "p"))
