"""Size classes as arithmetic."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.superopt.equivalence import refines
from m4alloc.superopt.facts import Fact
from m4alloc.superopt.idioms_classes import Steps, closed_forms, magic, multiplications, steps
from tests.m4alloc.superopt import idioms_cases


def test_the_steps_of_a_chain_are_its_borders() -> None:
    assert steps(idioms_cases.function("of_any")) == Steps(0, (17, 33, 49, 81, 129), (1, 2, 3, 4, 5))


def test_facts_limit_the_steps() -> None:
    assert steps(idioms_cases.function("of_any"), [Fact("n <= 64")]) == Steps(0, (17, 33, 49), (1, 2, 3))


@given(st.integers(1, 200), st.integers(1, 3000))
def test_a_magic_number_is_right_for_every_number_below_its_limit(divisor: int, limit: int) -> None:
    found = magic(divisor, limit, 32)
    if found is not None:
        multiplier, shift = found
        assert all(n // divisor == n * multiplier >> shift for n in range(limit))
        assert (limit - 1) * multiplier < 1 << 32


def test_a_magic_number_for_a_smaller_limit_is_refuted_beyond_it() -> None:
    function = idioms_cases.function("slot")
    (form,) = multiplications(function, function, [Fact("offset < 1024")])
    assert refines(function, form, [Fact("offset < 1024")]).accepted
    beyond = refines(function, form, [Fact("offset < 65536")])
    assert beyond.exit_status == 1


@pytest.mark.parametrize("name", ["of_sixteen", "of_doubles", "of_any"])
def test_an_unclamped_form_is_refuted_without_its_limit(name: str) -> None:
    function = idioms_cases.function(name)
    first = next(iter(closed_forms(function, function, ())))
    assert refines(function, first, [Fact("1 <= n <= 64")]).accepted
    assert refines(function, first, [Fact("1 <= n")]).exit_status == 1
    assert refines(function, first, [Fact("n <= 64")]).exit_status == 1
