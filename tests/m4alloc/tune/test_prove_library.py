"""Gate 5: a library is held to the promise of its strategy and to the standards, whatever it says of itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from m4alloc import _build
from m4alloc.check import mutants
from m4alloc.lib import lib
from m4alloc.strategy import Strategy
from m4alloc.tune.prove_library import prove_library
from spec.model.system import Verdict

MUTANTS = Path(_build.__file__).resolve().parents[1] / "build" / "mutants"


def test_a_library_that_promises_less_than_its_strategy_is_refused() -> None:
    result = prove_library(lib(), Strategy(delay_line=32), 1.0)
    assert result.verdict is Verdict.VIOLATED
    assert result.detail == "the library promises 16 frees up to 1024 bytes; the strategy says 32 up to 512"


def test_a_library_that_cannot_be_loaded_is_refused(tmp_path: Path) -> None:
    result = prove_library(tmp_path / "none.so", Strategy(), 1.0)
    assert result.verdict is Verdict.VIOLATED
    assert "none.so" in result.detail


@pytest.mark.slow
def test_what_had_no_time_is_not_proved_and_the_environment_makes_no_other_library_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("M4ALLOC_STRATEGY", "delay_line=0")
    result = prove_library(lib(), Strategy(), 0.1)
    assert result.verdict is Verdict.EXHAUSTED
    assert result.detail.endswith(": not all of them within 0.1 s")


@pytest.mark.campaign
def test_the_library_as_it_is_built_holds() -> None:
    result = prove_library(lib(), Strategy(), 20.0)
    assert result.verdict is Verdict.HOLDS, result.detail


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "rule"), [(8, "quarantine-respected"), pytest.param(6, "result-disjoint", marks=pytest.mark.campaign)]
)
def test_a_core_with_a_seeded_fault_is_refused_with_the_rule_it_breaks(fault: int, rule: str) -> None:
    result = prove_library(mutants.build(fault, MUTANTS), Strategy(), 10.0)
    assert result.verdict is Verdict.VIOLATED
    assert result.detail.startswith(f"{rule}: ")
    assert f"violates {rule}" in result.counterexample
