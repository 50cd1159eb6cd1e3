"""Classes that the syntax shows."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from spec.ltl.budget import Budget
from spec.ltl.classify import closed, persistent, stutter_invariant, weak
from spec.ltl.formula import Formula, negation
from spec.ltl.intersection import trimmed
from spec.ltl.parser import parse
from spec.ltl.syntax import syntax
from spec.ltl.translate import translate
from tests.spec.ltl.formulas import EVERYTHING, formulas


@settings(deadline=None)
@given(formulas(EVERYTHING, names="pq", leaves=5))
def test_what_the_syntax_shows_is_so(formula: Formula) -> None:
    shown = syntax(formula)
    positive, negative = trimmed(translate(formula)), trimmed(translate(negation(formula)))
    assert not shown.safety or closed(positive, negative, Budget())
    assert not shown.guarantee or closed(negative, positive, Budget())
    assert not shown.obligation or weak(positive, negative, Budget())
    assert not shown.persistence or persistent(positive, negative, Budget())
    assert not shown.recurrence or persistent(negative, positive, Budget())
    assert not shown.step_free or stutter_invariant(positive, negative, Budget())


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("p", "safety guarantee obligation recurrence persistence step_free"),
        ("[]p", "safety obligation recurrence persistence step_free"),
        ("X []p", "safety obligation recurrence persistence"),
        ("!<>!(p -> q W r)", "safety obligation recurrence persistence step_free"),
        ("<>p && q M r", "guarantee obligation recurrence persistence step_free"),
        ("[]p -> <>q", "guarantee obligation recurrence persistence step_free"),
        ("[]p || <>q", "obligation recurrence persistence step_free"),
        ("[]<>p", "recurrence step_free"),
        ("p W <>q", "obligation recurrence persistence step_free"),
        ("<>[]p", "persistence step_free"),
        ("[]<>p -> []<>q", "step_free"),
        ("[](p -> O q)", "safety obligation recurrence persistence step_free"),
        ("[](p -> Y q)", "safety obligation recurrence persistence"),
        ("[](p -> O <>q)", "step_free"),
    ],
)
def test_the_classes_of_well_known_forms(text: str, classes: str) -> None:
    shown = syntax(parse(text))
    assert {name for name in shown._fields if getattr(shown, name)} == set(classes.split())
