"""The definition against vectors of an independent evaluator, and against the laws that define the operators."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from spec.ltl.evaluate import holds
from spec.ltl.formula import (
    Formula,
    Operator,
    always,
    conjunction,
    disjunction,
    eventually,
    historically,
    make,
    negation,
    next_,
    once,
    release,
    since,
    strong_release,
    until,
    weak_next,
    weak_until,
    yesterday,
)
from spec.ltl.parser import parse, parse_word
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos

VECTORS = Path(__file__).parents[2] / "vectors" / "ltl"


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(VECTORS / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def test_every_vector_of_lassos_passes() -> None:
    for row in rows("lasso.public.jsonl.gz"):
        assert holds(parse(row["formula"]), Word.of(row["prefix"], row["cycle"])) == row["accepts"], row


def test_every_vector_of_finite_words_passes() -> None:
    for row in rows("ltlf.public.jsonl.gz"):
        assert holds(parse(row["formula"]), Word.of(row["word"])) == row["ltlf"], row


TRUE = parse("true")
EXPANSIONS = {
    # What an operator says here, from what it says one position on: at the end U and M are false, W and R are not.
    Operator.UNTIL: lambda a, b: disjunction(b, conjunction(a, next_(until(a, b)))),
    Operator.WEAK_UNTIL: lambda a, b: disjunction(b, conjunction(a, weak_next(weak_until(a, b)))),
    Operator.RELEASE: lambda a, b: conjunction(b, disjunction(a, weak_next(release(a, b)))),
    Operator.STRONG_RELEASE: lambda a, b: conjunction(b, disjunction(a, next_(strong_release(a, b)))),
    Operator.SINCE: lambda a, b: disjunction(b, conjunction(a, yesterday(since(a, b)))),
    Operator.TRIGGER: lambda a, b: conjunction(
        b, disjunction(a, make(Operator.WEAK_YESTERDAY, (make(Operator.TRIGGER, (a, b)),)))
    ),
}


@pytest.mark.parametrize("operator", EXPANSIONS)
@given(a=formulas(EVERYTHING, leaves=4), b=formulas(EVERYTHING, leaves=4), word=lassos() | finite_words())
def test_an_operator_is_its_expansion_at_every_position(operator: Operator, a: Formula, b: Formula, word: Word) -> None:
    left, right = make(operator, (a, b)), EXPANSIONS[operator](a, b)
    for position in range(len(word.letters)):
        assert holds(left, word, position) == holds(right, word, position)


@given(a=formulas(EVERYTHING), word=lassos() | finite_words())
def test_unary_operators_are_binary_ones_with_a_constant(a: Formula, word: Word) -> None:
    false = negation(TRUE)
    for unary, binary in (
        (eventually(a), until(TRUE, a)),
        (always(a), release(false, a)),
        (once(a), since(TRUE, a)),
        (historically(a), make(Operator.TRIGGER, (false, a))),
    ):
        assert holds(unary, word) == holds(binary, word)


DUALS = [
    (Operator.UNTIL, Operator.RELEASE),
    (Operator.WEAK_UNTIL, Operator.STRONG_RELEASE),
    (Operator.SINCE, Operator.TRIGGER),
]


@pytest.mark.parametrize(("operator", "dual"), DUALS)
@given(a=formulas(EVERYTHING, leaves=4), b=formulas(EVERYTHING, leaves=4), word=lassos() | finite_words())
def test_negation_leads_to_the_dual(operator: Operator, dual: Operator, a: Formula, b: Formula, word: Word) -> None:
    assert holds(make(operator, (a, b)), word) != holds(make(dual, (negation(a), negation(b))), word)


@given(formulas(EVERYTHING), lassos())
def test_a_lasso_written_differently_is_the_same_word(formula: Formula, word: Word) -> None:
    first = holds(formula, word)
    assert holds(formula, word.unrolled(2)) == first
    assert holds(formula, Word(word.prefix, word.cycle * 2)) == first


@given(formulas(EVERYTHING), lassos())
def test_the_two_next_operators_are_one_on_infinite_words(formula: Formula, word: Word) -> None:
    assert holds(next_(formula), word) == holds(weak_next(formula), word)


def test_what_was_before_the_cycle_is_seen_in_its_every_turn() -> None:
    assert holds(parse("[](q -> (!r S p))"), parse_word("p; cycle{q}"))
    assert not holds(parse("[](q -> (!r S p))"), parse_word("p; cycle{q; r}"))
    assert holds(parse("<>[](Y Y Y p)"), parse_word("1; cycle{p}"))
    assert holds(parse("<>(p && H !q && Y Y p)"), parse_word("1; cycle{p; 1}"))


def test_the_empty_word_and_positions_outside_are_refused() -> None:
    with pytest.raises(ValueError, match="the empty word: a word has one letter at least"):
        holds(TRUE, Word(()))
    with pytest.raises(ValueError, match="position 2 of a word of 2 letters"):
        holds(TRUE, parse_word("p; q"), 2)


def test_the_published_property_and_its_faithful_versions_on_the_table_of_traces() -> None:
    texts = {
        "LIT": "[](<>q -> ((!q U p) && (!r U q) && <>r))",
        "NOBOX": "<>q -> ((!q U p) && (!r U q) && <>r)",
        "S1": "(!q W p) && [](r -> X(!q W p))",
    }
    texts["F1"] = f"({texts['S1']}) && [](q -> <>r)"
    texts["F2"] = f"({texts['F1']}) && (!r W p) && [](r -> X(!r W p)) && [](p -> X(!p W r)) && [](p -> <>r)"
    table = json.loads((VECTORS / "seed-traces.json").read_text(encoding="utf-8"))
    assert len(table) == 25
    for row in table:
        word = Word.of(row["prefix"], row["cycle"])
        assert {name: holds(parse(text), word) for name, text in texts.items()} == {
            name: row[name] for name in texts
        }, row
