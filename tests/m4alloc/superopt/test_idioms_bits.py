"""Closed forms for loops over bits."""

from __future__ import annotations

from m4alloc.superopt.idioms_bits import FORMS, closed_forms
from m4alloc.superopt.idioms_sample import value
from tests.m4alloc.superopt import idioms_cases


def test_every_form_is_proposed_for_a_loop_over_one_integer() -> None:
    function = idioms_cases.function("count_shift")
    assert len(list(closed_forms(function, function, ()))) == len(FORMS)


def test_nothing_is_proposed_without_a_loop() -> None:
    function = idioms_cases.function("slot")
    assert list(closed_forms(function, function, ())) == []


def test_the_forms_compute_what_they_are_called() -> None:
    function = idioms_cases.function("count_shift")
    forms = dict(zip((name for name, _ in FORMS), closed_forms(function, function, ()), strict=True))
    given = 0b1011000
    expected = {
        "bits that are set": 3,
        "the lowest bit that is set": 3,
        "zeros above the highest bit": 57,
        "the number of the highest bit": 6,
        "the length in bits": 7,
        "bits that are not set": 61,
        "parity": 1,
        "one bit is set": 0,
    }
    assert {name: value(forms[name], (given,)) for name in expected} == expected
