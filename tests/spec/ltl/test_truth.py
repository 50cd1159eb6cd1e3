"""The values that a finite word can have."""

from __future__ import annotations

import pytest

from spec.ltl.truth import FourTruth, Truth


def test_a_definite_value_is_kept_whatever_would_hold_at_the_end() -> None:
    for at_end in (False, True):
        assert FourTruth.of(Truth.TRUE, at_end) is FourTruth.TRUE
        assert FourTruth.of(Truth.FALSE, at_end) is FourTruth.FALSE


def test_an_inconclusive_value_becomes_presumptive() -> None:
    assert FourTruth.of(Truth.INCONCLUSIVE, True) is FourTruth.PRESUMABLY_TRUE
    assert FourTruth.of(Truth.INCONCLUSIVE, False) is FourTruth.PRESUMABLY_FALSE


@pytest.mark.parametrize("value", FourTruth)
def test_four_values_are_favourable_or_not_and_definite_or_not(value: FourTruth) -> None:
    assert value.favourable == ("true" in value.value)
    assert value.definite == ("presumably" not in value.value)


def test_the_values_are_read_and_written_as_text() -> None:
    assert [str(value) for value in Truth] == ["true", "false", "inconclusive"]
    assert [str(value) for value in FourTruth] == ["true", "presumably-true", "presumably-false", "false"]
    assert Truth("inconclusive") is Truth.INCONCLUSIVE
