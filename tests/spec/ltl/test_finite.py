"""Verdicts on finite words, against recorded ones, against the definition by continuations, and against each other."""

from __future__ import annotations

import gzip
import json
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given

from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.finite import Decision, ltl3, ltlf, rv_ltl, weak_reading
from spec.ltl.formula import Formula, conjunction, negation, next_, proposition
from spec.ltl.parser import parse, parse_word
from spec.ltl.prefix import live
from spec.ltl.translate import translate
from spec.ltl.truth import FourTruth, Truth
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos

VECTORS = Path(__file__).parents[2] / "vectors" / "ltl"

S1 = "(!q W p) && [](r -> X(!q W p))"
F1 = f"{S1} && [](q -> <>r)"
F2 = f"{F1} && (!r W p) && [](r -> X(!r W p)) && [](p -> X(!p W r)) && [](p -> <>r)"
LITERAL = "[](<>q -> ((!q U p) && (!r U q) && <>r))"
SEED_LTL3 = {
    # Trace: the letter at which the published property, S1, F1 and F2 become false; None while inconclusive.
    "01": (2, None, None, None),
    "02": (2, None, None, None),
    "03": (None, None, None, None),
    "04": (2, None, None, None),
    "05": (None, None, None, None),
    "06": (1, 1, 1, 1),
    "07": (3, 3, 3, 3),
    "08": (2, 4, 4, 4),
    "09": (2, None, None, 4),
    "10": (None, None, None, 1),
    "11": (2, None, None, None),
    "12": (2, 6, 6, 6),
    "13": (2, None, None, None),
    "14": (3, None, None, 2),
    "15": (2, None, None, None),
    "16": (2, None, None, 4),
    "17": (2, None, None, None),
    "18": (None, None, None, None),
    "19": (2, None, None, None),
    "20": (None, None, None, None),
    "21": (None, None, None, 2),
    "22": (None, None, None, 2),
    "23": (5, None, None, 2),
    "24": (3, None, None, 1),
    "25": (2, None, None, None),
}
EVENTS = {"m": "p", "a": "q", "f": "r", ".": "", "x": "pq"}


def rows(name: str) -> list[dict[str, Any]]:
    with gzip.open(VECTORS / name, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def seed_words() -> list[tuple[dict[str, Any], Word]]:
    traces = json.loads((VECTORS / "seed-traces.json").read_text(encoding="utf-8"))
    return [(trace, Word.of(EVENTS[event] for event in trace.get("finite", "."))) for trace in traces]


def test_every_vector_of_ltl3_and_rv_ltl_passes() -> None:
    for row in rows("ltl3.public.jsonl.gz"):
        formula, word = parse(row["formula"]), Word.of(row["prefix"])
        assert ltl3(formula, word) == Decision(Truth(row["ltl3"]), row["decided_at"]), row
        assert ltlf(formula, word) == row["ltlf_strongX"], row
        assert rv_ltl(formula, word) is FourTruth(row["rvltl"].replace("_", "-")), row


def test_every_vector_of_ltlf_passes() -> None:
    for row in rows("ltlf.public.jsonl.gz"):
        formula, word = parse(row["formula"]), Word.of(row["word"])
        assert ltlf(formula, word) == row["ltlf"], row
        if row["next"] == "weak":
            assert weak_reading(formula) is formula, "N stays N"


@pytest.mark.parametrize(
    ("trace", "word"), seed_words(), ids=lambda value: value["trace"] if type(value) is dict else ""
)
def test_the_table_of_the_published_property_holds(trace: dict[str, Any], word: Word) -> None:
    if "finite" in trace:
        assert ltlf(parse(F1), word) == trace["F1f_strongX"]
        assert ltlf(parse(F1), word, weak=True) == trace["F1f_weakN"]
        assert ltlf(parse(F2), word, weak=True) == trace["F2f_weakN"]
    letters = SEED_LTL3[trace["trace"][:2]]
    for text, letter in zip((LITERAL, S1, F1, F2), letters, strict=True):
        assert ltl3(parse(text), word) == Decision(Truth.INCONCLUSIVE if letter is None else Truth.FALSE, letter)


def begins_with(word: Word, names: str) -> Formula:
    """A formula of the infinite words that begin with these letters."""
    result = parse("true")
    for letter in reversed(word.prefix):
        here = [proposition(name) if name in letter else negation(proposition(name)) for name in names]
        result = conjunction(*here, next_(result))
    return result


def can_satisfy(formula: Formula, word: Word, names: str = "pq") -> bool:
    return bool(live(translate(conjunction(begins_with(word, names), formula))))


@given(formulas(EVERYTHING, names="pq", leaves=6), finite_words(names="pq", most=4))
def test_ltl3_is_what_all_continuations_agree_on(formula: Formula, word: Word) -> None:
    try:
        verdict = ltl3(formula, word)
        for length in range(1, len(word.prefix) + 1):
            read = Word(word.prefix[:length])
            some_hold, some_fail = can_satisfy(formula, read), can_satisfy(negation(formula), read)
            truth = Truth.INCONCLUSIVE if some_hold and some_fail else Truth.TRUE if some_hold else Truth.FALSE
            assert ltl3(formula, read).truth is truth
            if truth.definite:
                assert verdict == Decision(truth, length)
                break
        else:
            assert verdict == Decision(Truth.INCONCLUSIVE, None)
    except TooLargeError:
        assume(False)


@given(formulas(EVERYTHING), finite_words(), lassos())
def test_a_definite_verdict_is_that_of_every_continuation(formula: Formula, word: Word, rest: Word) -> None:
    try:
        truth = ltl3(formula, word).truth
    except TooLargeError:
        assume(False)
    if truth.definite:
        assert holds(formula, Word(word.prefix + rest.prefix, rest.cycle)) == (truth is Truth.TRUE)


def test_ltl3_of_short_words_is_what_short_lassos_show() -> None:
    continuations = [
        Word(tuple(before), tuple(again))
        for sizes in product(range(3), range(1, 3))
        for before in product((frozenset(), frozenset("p")), repeat=sizes[0])
        for again in product((frozenset(), frozenset("p")), repeat=sizes[1])
    ]
    for text in (
        "[]p",
        "<>p",
        "p U X p",
        "[]<>p",
        "<>[]p",
        "X X p",
        "p W X !p",
        "[](p -> X !p)",
        "p && Y p",
        "<>(p && Y p)",
    ):
        formula = parse(text)
        for length in (1, 2, 3):
            for letters in product((frozenset(), frozenset("p")), repeat=length):
                shown = {holds(formula, Word(letters + rest.prefix, rest.cycle)) for rest in continuations}
                expected = Truth.INCONCLUSIVE if len(shown) == 2 else Truth.TRUE if shown == {True} else Truth.FALSE
                assert ltl3(formula, Word(letters)).truth is expected, (text, letters)


@given(formulas(EVERYTHING), finite_words())
def test_a_verdict_and_that_of_the_negation_are_opposite(formula: Formula, word: Word) -> None:
    opposite = {
        Truth.TRUE: Truth.FALSE,
        Truth.FALSE: Truth.TRUE,
        Truth.INCONCLUSIVE: Truth.INCONCLUSIVE,
    }
    try:
        one, other = ltl3(formula, word), ltl3(negation(formula), word)
    except TooLargeError:
        assume(False)
    assert other == Decision(opposite[one.truth], one.letter)
    for weak in (False, True):
        assert ltlf(negation(formula), word, weak=weak) != ltlf(formula, word, weak=weak)


@given(formulas(EVERYTHING), finite_words())
def test_the_four_values_refine_the_three(formula: Formula, word: Word) -> None:
    try:
        truth = ltl3(formula, word).truth
    except TooLargeError:
        assume(False)
    for weak in (False, True):
        four = rv_ltl(formula, word, weak=weak)
        assert four.definite == truth.definite
        assert four.favourable == (truth is Truth.TRUE if truth.definite else ltlf(formula, word, weak=weak))


@given(formulas(EVERYTHING), lassos())
def test_the_weak_reading_says_the_same_of_infinite_words(formula: Formula, word: Word) -> None:
    assert holds(weak_reading(formula), word) == holds(formula, word)


def test_a_leak_is_never_definite_and_is_presumed_at_the_end() -> None:
    leak_free = parse("[](access -> <>free)")
    leak = parse_word("malloc; access; 1; 1; 1")
    assert ltl3(leak_free, leak) == Decision(Truth.INCONCLUSIVE, None)
    assert rv_ltl(leak_free, leak) is FourTruth.PRESUMABLY_FALSE
    assert not ltlf(leak_free, leak)


def test_a_free_as_the_last_letter_is_judged_by_weak_next() -> None:
    guarded, run = parse("[](free -> X(!access W malloc))"), parse_word("malloc; free")
    assert rv_ltl(guarded, run) is FourTruth.PRESUMABLY_FALSE
    assert rv_ltl(guarded, run, weak=True) is FourTruth.PRESUMABLY_TRUE


def test_a_formula_of_every_word_is_definite_at_the_first_letter() -> None:
    assert ltl3(parse("p || !p"), parse_word("1; p")) == Decision(Truth.TRUE, 1)
    assert ltl3(parse("[]p && <>!p"), parse_word("1; p")) == Decision(Truth.FALSE, 1)


@pytest.mark.parametrize("verdict", [ltl3, ltlf, rv_ltl])
def test_lassos_and_the_empty_word_are_refused(verdict: Any) -> None:
    with pytest.raises(ValueError, match=r"^a lasso: verdicts on finite words need a word without a cycle$"):
        verdict(parse("p"), parse_word("cycle{p}"))
    with pytest.raises(ValueError, match=r"^the empty word: a word has one letter at least$"):
        verdict(parse("p"), Word(()))
