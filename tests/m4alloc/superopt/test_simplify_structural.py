"""Structural rewrites are listed as rules, and each application on random functions is proved."""

from __future__ import annotations

import pytest

from m4alloc.superopt import rules
from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.generate import Features, functions
from m4alloc.superopt.parse import parse_function
from m4alloc.superopt.printer import checked, print_function
from m4alloc.superopt.simplify_structural import STRUCTURAL, applications, structural


def test_each_has_a_name_of_its_own_and_says_why() -> None:
    names = [rule.name for rule in (*rules.ALL, *STRUCTURAL)]
    assert len(set(names)) == len(names) and all(rule.reason for rule in STRUCTURAL)


def test_applications_are_those_of_terms_and_then_structural_ones() -> None:
    function = parse_function("define i8 @f(i8 %x) { %a = add i8 %x, 0 ret i8 %a }")
    found = [rule.name for rule, _, _ in applications(function, rules.ALL)]
    assert found[0] == "add-zero" and "clean" in found


def _prove(seed: int, count: int, features: Features, seconds: float) -> int:
    width, proved = 8 if features.memory else 4, 0
    for function in functions(seed, count, width, 7, features):
        for rule, at, made in structural(function):
            try:
                result = made()
            except ValueError:
                continue
            if result == function:
                continue
            checked(result)
            verdict = refines(function, result, seconds=seconds)
            assert verdict.counterexample is None, (rule.name, at, print_function(function), verdict)
            proved += verdict.accepted
    return proved


def test_structural_rewrites_of_random_functions_are_proved() -> None:
    assert _prove(31, 14, Features(), 0.5) > 10


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("features", [Features(), Features(memory=True)])
def test_structural_rewrites_of_many_random_functions_are_proved(seed: int, features: Features) -> None:
    assert _prove(500 + seed, 60, features, 3.0) > 20
