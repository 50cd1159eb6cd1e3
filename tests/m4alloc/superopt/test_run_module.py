"""Many functions: each is kept as soon as it is finished, and a campaign goes on where it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from m4alloc.check.progress import Silent
from m4alloc.superopt import run_module
from m4alloc.superopt.campaign_state import CampaignStateError
from m4alloc.superopt.parse import parse_module
from m4alloc.superopt.run_module import Searched, Solver, searched
from tests.m4alloc.superopt.report_cases import MODULE, QUICK

WANTED = [(one, ()) for one in parse_module(MODULE).functions]


def run(state: Path | None = None, told: list[str] | None = None, *, resume: bool = False) -> Searched:
    tell = (lambda _: None) if told is None else told.append
    return searched(WANTED, QUICK, state=state, resume=resume, progress=Silent(), tell=tell)


def test_every_function_is_told_and_comes_back_whole_and_in_order() -> None:
    told: list[str] = []
    found = run(told=told).found
    assert [one.before.name for one in found] == ["sum", "moved", "least", "calls"]
    assert [one.proof for one in found] == ["whole", "", "", "pieces"]
    assert "@sum: 3 -> 1, by llvm -O3" in told and "@least: nothing cheaper" in told
    assert all(step.proof is not None for piece in found[0].pieces for step in piece.steps)


def test_what_is_finished_is_not_searched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(tmp_path / "state.jsonl")
    monkeypatch.setattr(run_module, "Rewrite", lambda *_: pytest.fail("it was searched"))
    again = run(tmp_path / "state.jsonl", resume=True)
    assert [one.after for one in again.found] == [one.after for one in first.found]


def test_a_campaign_goes_on_only_as_it_began(tmp_path: Path) -> None:
    run(tmp_path / "state.jsonl")
    with pytest.raises(CampaignStateError, match="solve"):
        searched(
            WANTED, replace(QUICK, shared=True), state=tmp_path / "state.jsonl", resume=True, progress=Silent(),
            tell=lambda _: None,
        )  # fmt: skip


def test_a_function_that_fails_leaves_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite = run_module.Rewrite

    def odd(function, *rest):  # type: ignore[no-untyped-def]
        if function.name == "sum":
            raise RuntimeError("odd")
        return rewrite(function, *rest)

    monkeypatch.setattr(run_module, "Rewrite", odd)
    told: list[str] = []
    first, *rest = run(told=told).found
    assert first.note == "it failed: RuntimeError: odd" and "@sum: failed: RuntimeError: odd" in told
    assert len(rest) == 3 and rest[-1].is_improved


def test_an_interrupt_keeps_what_was_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    rewrite = run_module.Rewrite

    def stopped(function, *rest):  # type: ignore[no-untyped-def]
        if function.name == "least":
            raise KeyboardInterrupt
        return rewrite(function, *rest)

    monkeypatch.setattr(run_module, "Rewrite", stopped)
    found = run()
    assert found.interrupted and [one.before.name for one in found.found] == ["sum", "moved"]


def test_a_solver_is_known_by_its_settings() -> None:
    assert Solver(QUICK).__qualname__ == Solver(replace(QUICK, jobs=4)).__qualname__
    assert Solver(QUICK).__qualname__ != Solver(replace(QUICK, proof_seconds=1.0)).__qualname__
