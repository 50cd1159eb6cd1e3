"""Gate 3: the core and the specification in step under a strategy; what they differ in is shrunk to a script."""

from __future__ import annotations

import re

import pytest

from m4alloc.check.judgement import Terms
from m4alloc.strategy import Strategy
from m4alloc.tune import prove_lockstep
from m4alloc.tune.prove_lockstep import broken_by, environment_of, lockstep_gate, promised
from m4alloc.tune.security import Floor
from spec.model.system import Verdict
from spec.script import check, parse


def test_the_default_holds_and_says_how_much_was_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove_lockstep, "PLANS", 5)
    monkeypatch.setattr(prove_lockstep, "PAIRS", 1)
    result = lockstep_gate(Strategy(), Floor.of("default"), 0.5, 5)
    assert result.verdict is Verdict.HOLDS
    said = re.fullmatch(r"(\d+) random plans, (\d+) beside the reference, seeds 5 to (\d+)", result.detail)
    assert said is not None
    plans, pairs, last = map(int, said.groups())
    assert (plans, pairs) == (10 * (last - 4), last - 4)


def test_a_line_shorter_than_promised_is_refused_with_the_smallest_script() -> None:
    result = lockstep_gate(Strategy(delay_line=2), Floor.of("any", promise=4), 5.0, 0)
    assert result.verdict is Verdict.VIOLATED
    assert result.detail.startswith("quarantine-respected: ")
    script = parse(result.counterexample)
    assert check(script).ok
    assert len(script.steps) <= 2 * 3 + 1, result.counterexample
    assert [claim.words for step in script.steps for claim in step.claims] == [("quarantine-respected",)]


def test_a_core_that_dies_under_the_strategy_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {"M4ALLOC_STRATEGY": "delay_line=x"}
    monkeypatch.setattr(prove_lockstep, "environment_of", lambda strategy: wrong)
    result = lockstep_gate(Strategy(), Floor(), 1.0, 0)
    assert result.verdict is Verdict.VIOLATED
    assert result.counterexample == "M4ALLOC_STRATEGY=delay_line=x"


def test_without_time_nothing_is_decided() -> None:
    result = lockstep_gate(Strategy(), Floor(), -1.0, 3)
    assert (result.verdict, result.detail) == (Verdict.EXHAUSTED, "no time for the plans of seed 3")


@pytest.mark.parametrize(
    ("strategy", "floor", "expected"),
    [
        (Strategy(), Floor(), (16, 1024)),
        (Strategy(), Floor(promise=8), (16, 1024)),
        (Strategy(), Floor(promise=64), (64, 1024)),
        (Strategy(), Floor(promise=16, up_to=1025), (16, 1280)),
        (Strategy(classes=(16, 32768)), Floor(promise=16), (16, 32768)),
        (Strategy(), Floor(promise=64, up_to=1 << 20), (64, 32768)),
        (Strategy(quarantine=8, quarantine_random=True), Floor(promise=24), (24, 1024)),
        (Strategy(canaries=True), Floor(promise=64), (0, 0)),
        (Strategy.sampled(), Floor(), (0, 0)),
    ],
)
def test_the_core_is_held_to_what_is_asked_and_not_to_what_it_says(
    strategy: Strategy, floor: Floor, expected: tuple[int, int]
) -> None:
    terms = promised(Terms(quarantine=3, quarantine_limit=3), strategy, floor)
    assert (terms.quarantine, terms.quarantine_limit) == expected


def test_misuse_is_counted_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("M4ALLOC_OPTIONS", "misuse=abort,stats=1")
    assert environment_of(Strategy(delay_line=8)) == {
        "M4ALLOC_OPTIONS": "stats=1,misuse=count",
        "M4ALLOC_STRATEGY": "delay_line=8",
    }


def test_a_script_breaks_the_rule_under_the_strategy_that_it_was_found_with_and_no_other() -> None:
    script = "a = malloc 24\nb = malloc 24\nfree a\nfree b\nc = malloc 24"
    assert broken_by("[strategy]\ndelay_line = 1\n", script, promise=2) == "quarantine-respected"
    assert broken_by(Strategy(delay_line=2), script, promise=2) is None
