"""The stages, with what is slow made up: what is kept, what leaves, and what is said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from m4alloc import _build
from m4alloc._build import BuildError
from m4alloc.check.progress import Silent
from m4alloc.check.surroundings import Interrupts
from m4alloc.strategy import Strategy
from m4alloc.tune import measure, tuning
from m4alloc.tune.example import example_workload
from m4alloc.tune.prove_result import GateResult, Proof
from m4alloc.tune.report import DEFAULT, TUNED, UNDECIDED
from m4alloc.tune.settings import Settings
from m4alloc.tune.shortlist import Candidate
from m4alloc.tune.sources import Source
from m4alloc.tune.tuning import Tuning
from spec.model.system import Verdict
from tests.m4alloc.tune.report_cases import GOOD, measured, proof, tried

Make = Callable[..., Tuning]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    def made(*command: str, **settings: Any) -> Tuning:
        one = Tuning(Settings(output=tmp_path, **settings), command, Silent(), Interrupts(), lambda _: None)
        one.whole, one.programs = (example_workload(50),), ("example",)
        return one

    return made


def gate(verdict: Verdict) -> GateResult:
    return GateResult(name="library", verdict=verdict, seconds=1.0, detail="looked at")


@pytest.fixture
def builds(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was built so far; a build writes an empty file."""
    built: list[str] = []

    def compiled(output: Path, settings: str, *, checked_copies: bool) -> Path:
        output.write_bytes(b"")
        built.append(settings)
        return output

    monkeypatch.setattr(_build, "compile_with_strategy", compiled)
    return built


def said(monkeypatch: pytest.MonkeyPatch, *verdicts: Verdict) -> list[float]:
    """The library's gate says this, one after the other, over and over the last; the budgets that it was given."""
    budgets: list[float] = []

    def proofs(strategies: Sequence[Strategy], judge: Callable[[Strategy], Proof], **_: object) -> list[Proof]:
        return [judge(one) for one in strategies]

    def library(path: str, strategy: Strategy, budget: float, *, seed: int) -> GateResult:
        budgets.append(budget)
        return gate(verdicts[min(len(budgets), len(verdicts)) - 1])

    monkeypatch.setattr(tuning, "proofs", proofs)
    monkeypatch.setattr(tuning, "prove_library", library)
    return budgets


def test_a_library_has_its_name_only_once_it_is_verified(
    make: Make, builds: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = make(name="mine")
    one.tried = [tried("time", GOOD, 0.8, 0.9), tried("memory", Strategy(placement=1), 0.9, 0.9)]
    said(monkeypatch, Verdict.VIOLATED, Verdict.HOLDS)
    one.build()
    assert (one.parts["chosen"], len(builds)) == ("memory", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["libm4alloc-mine.so"]
    assert one.notes == ["time: the library that was built from it is refused: looked at"]


def test_a_library_that_is_not_decided_gets_more_time_and_then_does_not_leave(
    make: Make, builds: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = make(gate_budget=3.0)
    one.tried = [tried("time", GOOD, 0.8, 0.9)]
    budgets = said(monkeypatch, Verdict.EXHAUSTED)
    one.build()
    assert budgets == [3.0, 20.0] and list(tmp_path.iterdir()) == []
    assert "not decided, so it does not leave" in one.notes[0] and "refused" not in one.notes[0]
    assert one.report(1.0).verdict == DEFAULT


def test_without_a_compiler_the_strategy_is_recommended_all_the_same(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> Path:
        raise BuildError("no C compiler (gcc): apt-get install gcc")

    monkeypatch.setattr(_build, "compile_with_strategy", none)
    one = make(measure=False)
    one.tried = [tried("time", GOOD, 0.8, 0.9)]
    one.build()
    one.measure()
    told = one.report(1.0)
    assert (told.verdict, told.strategy, told.library) == (TUNED, GOOD, "")
    assert told.notes == ("no library was built: no C compiler (gcc): apt-get install gcc",)


def test_what_does_not_pay_is_taken_back(make: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = make("prog", advice=False)
    library = tmp_path / "lib.so"
    library.write_bytes(b"")
    one.parts |= {"chosen": "time", "strategy": GOOD, "library": str(library)}
    monkeypatch.setattr(measure, "before_after", lambda *_, **__: measured(1.2, pays=False))
    one.measure()
    told = one.report(1.0)
    assert (told.verdict, told.strategy, told.library) == (DEFAULT, Strategy(), "") and not library.exists()
    assert told.notes[-1] == "back to the default strategy: CPU time 1.20"


def test_the_comparison_is_with_the_baseline_that_the_floor_wants(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one, seen = make("prog", security="hardened", advice=False), {}

    def before_after(command: Sequence[str], **settings: Any) -> measure.Measured:
        seen.update(settings)
        return measured()

    monkeypatch.setattr(measure, "before_after", before_after)
    one.parts |= {"chosen": "time", "strategy": GOOD, "library": "lib.so"}
    one.measure()
    assert seen["baseline"] == one.baseline == Strategy.hardened() and one.report(1.0).verdict == TUNED
    assert one.notes[0].startswith("the floor is above the default strategy: the baseline is ")


def test_an_interrupt_keeps_the_best_that_is_verified(make: Make) -> None:
    one = make("prog")
    assert one.report(1.0).verdict == UNDECIDED and one.report(1.0).exit_status == 3
    one.tried = [tried("bad", Strategy(), 0.5, 0.5, Verdict.VIOLATED), tried("time", GOOD, 0.8, 0.9)]
    one.interrupts.count = 1
    told = one.report(1.0)
    assert (told.chosen, told.strategy, told.exit_status) == ("time", GOOD, 130)
    assert told.why == "interrupted; the best so far that is verified is time, which is not measured"


def test_refused_and_undecided_candidates_are_told_apart(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    one = make(jobs=1)
    verdicts = iter([Verdict.VIOLATED, Verdict.EXHAUSTED, Verdict.HOLDS])
    monkeypatch.setattr(tuning, "prove", lambda strategy, *_, **__: proof(strategy, next(verdicts)))
    scored = one.scored(Strategy(), one.whole)
    names = ["first", "second", "third"]
    one.candidates = [
        Candidate(name, replace(scored, strategy=Strategy(refill_batch=at))) for at, name in enumerate(names, 1)
    ]
    one.verify()
    assert [each.admitted for each in one.tried] == [False, False, True]
    assert one.notes[0] == "first is refused by gate static: looked at" and Path(one.tried[0].kept).exists()
    assert one.notes[1].startswith("second is not decided, so it does not leave: gate static: looked at")


def test_only_the_processes_with_the_most_calls_are_tuned_for(make: Make) -> None:
    one = make()
    images = tuple(example_workload(count, name=f"image {count}") for count in (10, 60, 20, 50, 30, 40))
    one.gather(lambda: [Source("prog", images, None)])
    assert [workload.name for workload in one.whole] == ["image 60", "image 50", "image 40", "image 30"]
    assert one.notes == ["prog: 6 processes; tuned for the 4 with the most calls, without the 60 calls of the others"]


def test_the_name_of_a_library_is_the_program_s_without_what_no_file_has(make: Make) -> None:
    assert make("/usr/bin/my prog").name == "my-prog" and make("..").name == "tuned" and make(name="x").name == "x"
