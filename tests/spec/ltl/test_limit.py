"""Formulas about what comes again and again: their classes without an automaton."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spec.ltl.evaluate import holds
from spec.ltl.formula import Formula, always, conjunction, disjunction, eventually, negation, proposition
from spec.ltl.limit import ATOMS, limit
from spec.ltl.normal import negation_normal_form
from spec.ltl.parser import parse
from spec.ltl.word import Word

P, Q = proposition("p"), proposition("q")
LETTERS = [
    frozenset(name for name, true in zip("pq", values, strict=True) if true) for values in product((0, 1), (0, 1))
]
INSIDE = [P, negation(P), Q, P & Q, P | negation(Q), P & negation(P)]
PARTS = st.sampled_from(
    [make(f) for f in INSIDE for make in (lambda f: always(eventually(f)), lambda f: eventually(always(f)))]
)
FORMULAS = st.recursive(
    PARTS,
    lambda inner: st.lists(inner, min_size=2, max_size=3).flatmap(
        lambda parts: st.sampled_from([conjunction(*parts), disjunction(*parts)])
    ),
    max_leaves=5,
)
CYCLES = [[letter for i, letter in enumerate(LETTERS) if chosen >> i & 1] for chosen in range(1, 16)]
"""Every set of letters that may come again and again."""


@given(FORMULAS)
@settings(max_examples=60)
def test_the_classes_are_those_of_all_sets_of_letters_that_may_recur(formula: Formula) -> None:
    true = {frozenset(cycle): holds(formula, Word.of([], cycle)) for cycle in CYCLES}
    found = limit(negation_normal_form(formula))
    assert found is not None
    assert found.satisfiable == any(true.values())
    assert found.constant == (len(set(true.values())) == 1)
    pairs = [(small, large) for small in true for large in true if small <= large]
    assert found.recurrence == all(true[large] for small, large in pairs if true[small])
    assert found.persistence == all(not true[large] for small, large in pairs if not true[small])


@pytest.mark.parametrize("text", ["p", "[]p", "[]<>X p", "<>[]p U q", "[]<>p && q", "[](p || <>q)"])
def test_other_formulas_are_left_to_other_ways(text: str) -> None:
    assert limit(negation_normal_form(parse(text))) is None


def test_more_atoms_than_the_bound_are_left_to_other_ways() -> None:
    def parts(count: int) -> Formula:
        return disjunction(*(always(eventually(proposition(f"p{i}"))) for i in range(count)))

    assert limit(parts(ATOMS - 4)) is not None
    assert limit(parts(ATOMS + 1)) is None
    many = " || ".join(f"[]<>(a && {'!' * (i & 1)}b{i // 2})" for i in range(ATOMS + 1))
    assert limit(negation_normal_form(parse(many))) is None
