"""Classes of properties, by what their automata accept."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl.budget import Budget
from spec.ltl.classify import STATES, Classes, Classifier, classify, persistent, stutter_invariant, weak
from spec.ltl.evaluate import holds
from spec.ltl.finite import ltl3
from spec.ltl.formula import Formula, negation
from spec.ltl.intersection import trimmed
from spec.ltl.parser import parse
from spec.ltl.syntax import syntax
from spec.ltl.translate import translate
from spec.ltl.truth import Truth
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos

NAMES = ("safety", "liveness", "guarantee", "obligation", "recurrence", "persistence", "stutter_invariant")


def known(text: str) -> set[str]:
    classes = classify(parse(text))
    assert not classes.unknown
    return {name for name in NAMES if getattr(classes, name)}


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("true", "safety liveness guarantee obligation recurrence persistence stutter_invariant"),
        ("false", "safety guarantee obligation recurrence persistence stutter_invariant"),
        ("p", "safety guarantee obligation recurrence persistence stutter_invariant"),
        ("X p", "safety guarantee obligation recurrence persistence"),
        ("!access W malloc", "safety obligation recurrence persistence stutter_invariant"),
        ("(!access W malloc) && [](free -> X(!access W malloc))", "safety obligation recurrence persistence"),
        ("<>p", "liveness guarantee obligation recurrence persistence stutter_invariant"),
        ("p U q", "guarantee obligation recurrence persistence stutter_invariant"),
        ("[]p || <>q", "liveness obligation recurrence persistence stutter_invariant"),
        ("[](malloc -> <>free)", "liveness recurrence stutter_invariant"),
        ("<>[]p", "liveness persistence stutter_invariant"),
        ("[]<>p -> []<>q", "liveness stutter_invariant"),
        ("[](p -> Y q)", "safety obligation recurrence persistence"),
        # neither says so in its syntax
        ("[]<>p && []p", "safety obligation recurrence persistence stutter_invariant"),
        ("p && X p U (q && X q) || !p", "guarantee obligation recurrence persistence"),
        (
            "<>(p && X !p) || []p || []!p || <>(!p && X p)",
            "safety liveness guarantee obligation recurrence persistence stutter_invariant",
        ),
        ("[](p -> X <>q)", "liveness recurrence stutter_invariant"),
        ("<>(p && X !p)", "guarantee liveness obligation recurrence persistence stutter_invariant"),
        ("<>(p && X p)", "guarantee liveness obligation recurrence persistence"),
    ],
)
def test_the_classes_of_well_known_properties(text: str, classes: str) -> None:
    assert known(text) == set(classes.split())


@settings(deadline=None, max_examples=60)
@given(formulas(EVERYTHING, names="pq", leaves=6))
def test_two_ways_to_find_obligations_agree(formula: Formula) -> None:
    positive, negative = trimmed(translate(formula)), trimmed(translate(negation(formula)))
    both = persistent(positive, negative, Budget()) and persistent(negative, positive, Budget())
    assert weak(positive, negative, Budget()) == weak(negative, positive, Budget()) == both


@settings(deadline=None, max_examples=60)
@given(formulas(names="pq", leaves=6))
def test_the_negation_is_in_the_dual_classes(formula: Formula) -> None:
    one, other = classify(formula), classify(negation(formula))
    assert (one.safety, one.recurrence) == (other.guarantee, other.persistence)
    assert (one.obligation, one.stutter_invariant) == (other.obligation, other.stutter_invariant)


@settings(deadline=None)
@given(formulas(names="pq", leaves=6), lassos("pq"))
def test_a_word_against_a_safety_property_has_a_bad_prefix_and_none_is_against_liveness(
    formula: Formula, word: Word
) -> None:
    classes = classify(formula)
    turns = 2 + translate(formula).states
    truth = ltl3(formula, Word(word.unrolled(turns).prefix + word.cycle)).truth
    if classes.safety:
        assert holds(formula, word) == (truth is not Truth.FALSE)
    if classes.guarantee and turns < 12:
        more = ltl3(formula, Word(word.unrolled(turns + translate(negation(formula)).states).prefix + word.cycle))
        assert holds(formula, word) == (more.truth is Truth.TRUE)
    if classes.liveness:
        assert truth is not Truth.FALSE


@settings(deadline=None)
@given(formulas(names="pq", leaves=6), lassos("pq", 3, 2), lassos("pq", 3, 2))
def test_repeated_letters_change_nothing_of_a_stutter_invariant_property(
    formula: Formula, word: Word, other: Word
) -> None:
    slower = Word(
        tuple(letter for letter in word.prefix for _ in range(1 + len(other.prefix))),
        tuple(letter for letter in word.cycle for _ in range(len(other.cycle))),
    )
    positive, negative = translate(formula), translate(negation(formula))
    if stutter_invariant(positive, negative, Budget()):
        assert holds(formula, word) == holds(formula, slower)


def test_what_takes_too_much_is_not_known() -> None:
    formula = parse("[](p -> X(q U (r && X (p U q))))")
    classes = classify(formula, states=1)
    assert "stutter_invariant" in classes.unknown and classify(formula).unknown == ()
    assert classes.syntactic_safety is False


def test_a_formula_without_an_automaton_has_the_classes_that_its_syntax_shows() -> None:
    text = "p0"
    for i in range(1, 20):
        text = f"({text} W p{i})"
    classes = classify(parse(text))
    assert (classes.name, classes.stutter_invariant) == ("safety", True)
    assert classes == Classes(
        safety=True,
        liveness=None,
        guarantee=None,
        obligation=True,
        recurrence=True,
        persistence=True,
        stutter_invariant=True,
        syntactic_safety=True,
    )


PART = st.sampled_from(["p", "[]p", "<>p", "[]<>p", "X p", "<>(p && X p)", "false", "true", "[](p -> X !p)"])


@given(PART, PART, st.sampled_from(["&&", "||"]))
@settings(max_examples=40)
def test_what_is_found_of_independent_parts_is_what_the_automata_of_the_whole_show(
    left: str, right: str, operator: str
) -> None:
    formula = parse(f"({left}) {operator} ({right.replace('p', 'q')})")
    apart, whole = classify(formula), Classifier(formula, STATES, syntax(formula)).classes()
    assert not whole.unknown
    assert apart == whole


def test_long_formulas_whose_automata_are_large_are_classified_by_their_parts() -> None:
    theta = " && ".join(f"[]<>p{i}" for i in range(11))
    found = classify(parse(f"!(({theta}) -> [](q -> <>r))"))
    assert (found.recurrence, found.persistence, found.obligation, found.unknown) == (False, False, False, ())
    pairs = " && ".join(f"([]<>p{i} || <>[]p{i + 1})" for i in range(7))
    found = classify(parse(pairs))
    assert (found.recurrence, found.persistence, found.liveness, found.unknown) == (False, False, True, ())
    assert classify(parse(" && ".join(f"<>p{i}" for i in range(14)))).unknown == ()
