"""Simplification: each rule is applied, and is right of infinite words and, where it is used for them, finite ones."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, make, proposition, subformulas, until, weak_next
from spec.ltl.parser import parse
from spec.ltl.simplify import gathered, simplify
from spec.ltl.word import Word
from tests.spec.ltl.formulas import EVERYTHING, finite_words, formulas, lassos

RULES = [
    ("X []<>p", "[]<>p"),
    ("X (q && []<>p)", "X q && []<>p"),
    ("[]X p", "X []p"),
    ("<>X p", "X <>p"),
    ("X p U X q", "X (p U q)"),
    ("X p && X q", "X (p && q)"),
    ("<><>p", "<>p"),
    ("[]<>[]<>p", "[]<>p"),
    ("<>[]<>p", "[]<>p"),
    ("<>(p U q)", "<>q"),
    ("<>(p M q)", "<>(p && q)"),
    ("<>(p W q)", "<>[]p || <>q"),
    ("<>(p R q)", "<>[]q || <>(p && q)"),
    ("[](p R q)", "[]q"),
    ("[](p U q)", "[]<>q && [](p || q)"),
    ("[](p W q)", "[](p || q)"),
    ("<>(p && []<>q)", "<>p && []<>q"),
    ("<>(p || []q)", "<>p || <>[]q"),
    ("<>[](p || []q)", "<>[]p || <>[]q"),
    ("[]<>(p && <>q)", "[]<>p && []<>q"),
    ("[](p || (q && []<>r))", "([]<>r || []p) && [](p || q)"),
    ("<>[]p && <>[]q", "<>[](p && q)"),
    ("[]<>p || []<>q", "[]<>(p || q)"),
    ("<>p || <>q", "<>(p || q)"),
    ("[]p && []q", "[](p && q)"),
    ("true U p", "<>p"),
    ("false R p", "[]p"),
    ("p U <>q", "<>q"),
    ("p U (p U q)", "p U q"),
    ("p U (p W q)", "p W q"),
    ("p U (q R p)", "q R p"),
    ("(p U q) U q", "p U q"),
    ("(p W q) W q", "p W q"),
    ("p U (q && []<>r)", "p U q && []<>r"),
    ("p U (q || <>r)", "p U q || <>r"),
    ("p U (q && p)", "q M p"),
    ("p W (q && p)", "q R p"),
    ("p U (q || []p)", "p W q"),
    ("p W (q || []p)", "p W q"),
    ("(p && []<>q) U r", "r || (p U r && []<>q)"),
    ("(p || []<>q) U r", "p U r || ([]<>q && <>r)"),
    ("(p || []<>q) W r", "p W r || []<>q"),
    ("[]p U q", "q || ([]p && <>q)"),
    ("[]p W q", "[]p || q"),
    ("p W []q", "[](p || []q)"),
    ("p W <>q", "[]p || <>q"),
    ("!p W p", "true"),
    ("!p U p", "<>p"),
    ("p W q && <>q", "p U q"),
    ("p R q && <>p", "p M q"),
    ("p U q || []p", "p W q"),
    ("p U q && r U q", "(p && r) U q"),
    ("p U q || p U r", "p U (q || r)"),
    ("p R q && p R r", "p R (q && r)"),
    ("[]p && p U q", "[]p && <>q"),
    ("p && (!p || q)", "p && q"),
    ("p && [](p && q)", "[](p && q)"),
    ("p || <>p", "<>p"),
    ("p && X []p", "[]p"),
    ("p && !p", "false"),
    ("[]p && <>!p", "false"),
    ("p U q || []!q || <>q", "true"),
    ("<>[]p && []<>(p && q)", "<>[]p && []<>q"),
    ("O O p", "O p"),
    ("true S p", "O p"),
    ("p T p", "p"),
    ("Y false", "false"),
    ("Z true", "true"),
]


@pytest.mark.parametrize(("before", "after"), RULES)
def test_each_rule_is_applied(before: str, after: str) -> None:
    expected = parse(after)
    found = simplify(parse(before))
    assert found is expected or simplify(expected) is found
    assert found.size <= max(expected.size, parse(before).size)


def substituted(formula: Formula, by: dict[str, Formula]) -> Formula:
    """The formula with formulas for its propositions."""
    done: dict[Formula, Formula] = {}
    for part in subformulas(formula):
        done[part] = by.get(part.name) or make(part.operator, tuple(done[f] for f in part.operands), part.name)
    return done[formula]


@given(
    st.sampled_from(RULES), st.lists(formulas(EVERYTHING, leaves=3), min_size=3, max_size=3), lassos(), finite_words()
)
@settings(max_examples=120)
def test_each_rule_is_right_of_whatever_it_is_applied_to(
    rule: tuple[str, str], parts: list[Formula], word: Word, finite: Word
) -> None:
    formula = substituted(parse(rule[0]), dict(zip("pqr", parts, strict=True)))
    assert holds(simplify(formula), word) == holds(formula, word)
    assert holds(simplify(formula, finite=True), finite) == holds(formula, finite)
    assert holds(simplify(formula, finite=True), word) == holds(formula, word)


@given(formulas(EVERYTHING, leaves=10), lassos(), finite_words())
@settings(max_examples=90)
def test_a_simplified_formula_says_the_same(formula: Formula, word: Word, finite: Word) -> None:
    assert holds(simplify(formula), word) == holds(formula, word)
    assert holds(simplify(formula, finite=True), finite) == holds(formula, finite)


@given(formulas(EVERYTHING, leaves=8), lassos())
@settings(max_examples=60)
def test_gathering_keeps_what_is_said_of_infinite_words(formula: Formula, word: Word) -> None:
    assert holds(gathered(simplify(formula)), word) == holds(formula, word)


@given(formulas(EVERYTHING, leaves=8))
@settings(max_examples=60)
def test_a_simplified_formula_is_in_negation_normal_form_and_has_no_weak_next(formula: Formula) -> None:
    for part in subformulas(simplify(formula)):
        assert part.operator.name not in ("IMPLIES", "IFF", "WEAK_NEXT")
        assert part.operator.name != "NOT" or part.operands[0].name


def test_next_of_true_says_of_a_finite_word_that_it_goes_on() -> None:
    assert simplify(parse("X true")) is parse("true")
    assert simplify(parse("X true"), finite=True) is parse("X true")
    assert simplify(parse("N false"), finite=True) is parse("N false")
    assert simplify(parse("[]X p"), finite=True) is parse("[]X p")
    assert simplify(parse("[]N p"), finite=True) is parse("N []p")


def test_long_conjunctions_are_simplified_without_comparing_all_pairs() -> None:
    formula = parse(" && ".join(f"<>[]p{i}" for i in range(200)))
    assert simplify(formula).operator.name == "EVENTUALLY"


def test_what_is_nested_beyond_the_interpreter_is_left_as_it_is() -> None:
    formula = proposition("p")
    for turn in range(3000):
        formula = weak_next(until(proposition("q" if turn % 2 else "r"), formula))
    assert simplify(formula, finite=True) is formula
    assert simplify(formula).size == formula.size
    assert not any(part.operator.name == "WEAK_NEXT" for part in subformulas(simplify(formula)))
