"""Past operators over the future."""

from __future__ import annotations

from itertools import product

from hypothesis import given, settings

from spec.ltl.automaton import Automaton
from spec.ltl.evaluate import holds
from spec.ltl.formula import FUTURE, PAST, Formula, subformulas
from spec.ltl.normal import negation_normal_form
from spec.ltl.parser import parse
from spec.ltl.past import at_beginning, hide, without_mixed_past
from spec.ltl.word import Letter, Word
from tests.spec.ltl.automata import automata
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos


@given(formulas(EVERYTHING, leaves=6))
@settings(max_examples=90)
def test_afterwards_no_past_operator_is_over_a_future_one(formula: Formula) -> None:
    separated, fresh = without_mixed_past(negation_normal_form(formula))
    past = [part for part in subformulas(separated) if part.operator in PAST]
    assert not any(inner.operator in FUTURE for part in past for inner in subformulas(part))
    assert separated.propositions - formula.propositions <= set(fresh)
    assert not formula.propositions & set(fresh)


@given(formulas(EVERYTHING, leaves=6), lassos())
@settings(max_examples=40)
def test_at_the_beginning_the_same_is_said_with_less_past(formula: Formula, word: Word) -> None:
    normal = negation_normal_form(formula)
    first = at_beginning(normal)
    assert first.size <= normal.size
    assert holds(first, word) == holds(formula, word)


def test_names_of_the_formula_are_not_used_afresh() -> None:
    _, fresh = without_mixed_past(parse("_past0 && O []p"))
    assert fresh == ("__past0",)


def _extensions(word: Word, names: tuple[str, ...]) -> list[Word]:
    """The words that differ from `word` in which of the fresh propositions are true, position by position."""
    choices: list[Letter] = [
        frozenset(n for n, true in zip(names, values, strict=True) if true)
        for values in product((False, True), repeat=len(names))
    ]
    return [
        Word(
            tuple(a | b for a, b in zip(word.prefix, chosen, strict=False)),
            tuple(a | b for a, b in zip(word.cycle, chosen[len(word.prefix) :], strict=True)),
        )
        for chosen in product(choices, repeat=len(word.letters))
    ]


@given(formulas(EVERYTHING, names="pq", leaves=3), lassos("pq", prefix=1, cycle=2))
@settings(max_examples=60)
def test_an_extension_satisfies_the_result_iff_the_word_satisfies_the_formula(formula: Formula, word: Word) -> None:
    separated, fresh = without_mixed_past(negation_normal_form(formula))
    if len(fresh) <= 1:
        word = word.unrolled(2)
        assert holds(formula, word) == any(holds(separated, one) for one in _extensions(word, fresh))


@given(automata(("p", "q"), states=3), lassos("p", prefix=2, cycle=2))
@settings(max_examples=40)
def test_hiding_accepts_a_word_iff_an_extension_is_accepted(automaton: Automaton, word: Word) -> None:
    if automaton.propositions == ("p", "q"):
        hidden = hide(automaton, 1)
        assert hidden.propositions == ("p",)
        extended = any(automaton.accepts(one) for one in _extensions(word.unrolled(1), ("q",)))
        assert hidden.accepts(word) or not extended
