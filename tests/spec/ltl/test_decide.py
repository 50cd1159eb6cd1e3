"""Satisfiability, validity, implication, equivalence."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl import decide
from spec.ltl.decide import counterexample, difference, implies, satisfying, valid
from spec.ltl.error import TooLargeError
from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, conjunction, iff, negation
from spec.ltl.normal import negation_normal_form
from spec.ltl.parser import parse
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, formulas, lassos

EQUIVALENT = [
    ("p W q", "[]p || p U q"),
    ("p W q", "q R (p || q)"),
    ("p M q", "q U (p && q)"),
    ("!(p U q)", "!p R !q"),
    ("<>[]p", "![]<>!p"),
    ("X(p U q)", "X p U X q"),
    ("[](p && X p)", "[]p"),
    ("<>(p && O q)", "<>(q && <>p)"),
    ("[](free -> O malloc)", "!free W malloc"),
    ("p S q", "q"),
    ("H p && [](Y true -> q)", "p && X []q"),
]


@pytest.mark.parametrize(("left", "right"), EQUIVALENT)
def test_laws_of_temporal_logic_are_found_to_hold(left: str, right: str) -> None:
    assert difference(parse(left), parse(right)) is None
    assert valid(iff(parse(left), parse(right)))


@pytest.mark.parametrize(
    ("left", "right", "word"),
    [
        ("p U q", "p W q", "cycle{p}"),
        ("[]<>p", "<>[]p", "cycle{p; 1}"),
        ("[](p -> <>q)", "[]<>q", "cycle{1}"),
        ("(!access W malloc) && [](free -> X(!access W malloc))", "!access W malloc", "malloc; free; cycle{access}"),
    ],
)
def test_a_difference_is_short(left: str, right: str, word: str) -> None:
    found = difference(parse(left), parse(right))
    assert found is not None and len(found.letters) <= word.count(";") + 1
    assert holds(parse(left), found) != holds(parse(right), found)


@settings(deadline=None)
@given(formulas(), lassos())
def test_a_formula_is_satisfied_by_its_word_or_by_none(formula: Formula, word: Word) -> None:
    found = satisfying(formula)
    assert not holds(formula, word) if found is None else holds(formula, found)


@settings(deadline=None, max_examples=50)
@given(formulas(EVERYTHING, leaves=5), lassos())
def test_a_formula_with_past_is_satisfied_by_its_word_or_by_none(formula: Formula, word: Word) -> None:
    found = satisfying(formula)
    assert not holds(formula, word) if found is None else holds(formula, found)


@settings(deadline=None)
@given(formulas(leaves=5), formulas(leaves=5), lassos())
def test_implication_agrees_with_the_conjunction_and_with_words(left: Formula, right: Formula, word: Word) -> None:
    found = counterexample(left, right)
    assert implies(left, right) == (found is None) == (satisfying(conjunction(left, negation(right))) is None)
    if found is None:
        assert not holds(left, word) or holds(right, word)
    else:
        assert holds(left, found) and not holds(right, found)


@settings(deadline=None, max_examples=50)
@given(formulas())
def test_a_formula_is_equivalent_to_its_normal_form_and_not_to_its_negation(formula: Formula) -> None:
    assert difference(formula, negation_normal_form(formula)) is None
    assert difference(formula, negation(formula)) is not None


def test_the_search_answers_where_automata_are_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(formula: Formula) -> None:
        raise TooLargeError("states=0")

    monkeypatch.setattr(decide, "translate", refuse)
    decide.satisfying.cache_clear()
    assert str(satisfying(parse("p && X !p && []<>q"))) == "p; cycle{q}"
    assert counterexample(parse("p U q"), parse("<>q")) is None
    with pytest.raises(TooLargeError, match="states=0"):
        satisfying(parse("<>(p && O q)"))
    decide.satisfying.cache_clear()


def test_unequal_formulas_over_other_propositions_differ() -> None:
    assert implies(parse("p && q"), parse("p"))
    assert str(counterexample(parse("p"), parse("q"))) == "cycle{p}"
    assert difference(parse("p || !p"), parse("q || !q")) is None


def test_formulas_of_many_propositions_are_decided_without_their_automata() -> None:
    promises = " && ".join(f"(!p{i} && X <>p{i})" for i in range(20))
    found = satisfying(parse(promises))
    assert found is not None and holds(parse(promises), found)
    assert satisfying(parse(f"({promises}) && []!p7")) is None
    assert satisfying(parse(f"({promises} && []!p7) || a && b")) is not None
    alternating = " && ".join(f"[](p{i} <-> X !p{i})" for i in range(8))
    assert valid(parse(f"({alternating}) -> [](p3 -> X !p3)"))


def test_words_of_parts_are_laid_over_each_other_from_the_first_letter() -> None:
    text = "p && X(!p && X p) && [](p -> X X X p) && [](q <-> X !q) && " + " && ".join(f"[]r{i}" for i in range(6))
    found = satisfying(parse(text))
    assert found is not None and holds(parse(text), found)


def test_nesting_beyond_what_is_translated_is_answered_or_refused_soon() -> None:
    deep = parse("X " * 510 + "p")
    found = satisfying(deep)
    assert found is not None and len(found.letters) == 512
    with pytest.raises(TooLargeError, match="too many to check it by definition"):
        satisfying(parse("X " * 1500 + "p"))
