"""A tuning from its traces to its report: stages in order, interrupts, recordings that are used again."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from m4alloc import _backend
from m4alloc.program import ProgramError
from m4alloc.tune import run
from m4alloc.tune.report import NOTHING, UNDECIDED
from m4alloc.tune.run import recordings, tune
from m4alloc.tune.settings import Settings, TuneError
from m4alloc.tune.sources import SourceError
from m4alloc.tune.tuning import RECORDED, Tuning

NATIVE = pytest.mark.skipif(_backend.backend != "fast", reason="the native core is not built: make build")
STAGES = ("nothing_to_gain", "gather", "answer", "search", "verify", "race", "explain", "hold_out", "build", "measure")
TRACE = Path(__file__).resolve().parents[3] / "benchmarks" / "traces" / "excerpts" / "perl.m4t.xz"


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that were done; each does nothing else."""
    seen: list[str] = []

    def stage(name: str) -> Callable[..., None]:
        return lambda self, *_: seen.append(name)

    for name in STAGES:
        monkeypatch.setattr(Tuning, name, stage(name))
    monkeypatch.setattr(run, "need_the_extra", lambda: None)  # nothing here needs an extra
    return seen


@pytest.mark.parametrize("missing", ["numba", "llvmlite", "hypothesis"])
def test_without_the_extra_nothing_is_measured_first(
    done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, missing: str
) -> None:
    monkeypatch.undo()
    for name in STAGES:
        monkeypatch.setattr(Tuning, name, lambda *_: pytest.fail("it began"))
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ModuleNotFoundError, match=f"need {missing}: .* \\(in a clone: pip install -e '.\\[tune\\]'\\)"):
        tune(command=["true"], output=tmp_path)


def test_the_stages_are_in_order(done: list[str], tmp_path: Path) -> None:
    told = tune(command=["true"], output=tmp_path / "new" / "folder")
    assert tuple(done) == STAGES and (tmp_path / "new" / "folder").is_dir()
    assert (told.verdict, told.exit_status, told.command) == (UNDECIDED, 3, ("true",))


@pytest.mark.parametrize("at", range(len(STAGES)))
@pytest.mark.parametrize("failing", [False, True])
def test_an_interrupt_ends_it_after_any_stage_with_a_report(
    done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, at: int, failing: bool
) -> None:
    def interrupted(self: Tuning, *_: object) -> None:
        self.interrupts.count += 1
        if failing:
            raise ValueError("the program was killed")

    monkeypatch.setattr(Tuning, STAGES[at], interrupted)
    told = tune(command=["true"], output=tmp_path)
    assert tuple(done) == STAGES[:at] and told.interrupted and told.exit_status == 130
    assert told.notes == (("interrupted: the program was killed",) if failing else ())


def test_a_stage_that_fails_by_itself_is_an_error(
    done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def wrong(self: Tuning) -> None:
        raise ValueError("not so")

    monkeypatch.setattr(Tuning, "search", wrong)
    with pytest.raises(ValueError, match="not so"):
        tune(command=["true"], output=tmp_path)


def test_nothing_to_gain_ends_it_at_once(done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nothing(self: Tuning) -> None:
        self.parts |= {"verdict": NOTHING, "why": "nothing to gain"}
        self.ended = True

    monkeypatch.setattr(Tuning, "nothing_to_gain", nothing)
    told = tune(command=["true"], output=tmp_path)
    assert (done, told.verdict, told.exit_status) == ([], NOTHING, 0)


def test_a_program_that_there_is_not_is_refused_before_anything_is_measured(done: list[str], tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match=r"^/no/such does not exist$"):
        tune(command=["/no/such"], output=tmp_path)
    assert done == []


def test_without_traces_and_program_it_says_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"^nothing to tune on: name recorded traces, or a program"):
        recordings(Settings(output=tmp_path), [], [], print)


@NATIVE
def test_a_recording_is_used_again_on_resume_only_when_it_is_whole_and_of_the_same_program(tmp_path: Path) -> None:
    def recorded(words: str, *, resume: bool, interrupts: object = ()) -> tuple[tuple[str, ...], int]:
        [one] = recordings(Settings(output=tmp_path, resume=resume), [], words.split(), lambda _: None, interrupts)
        return one.command, (tmp_path / "traces" / "sh.m4t").stat().st_mtime_ns

    command, first = recorded("sh -c :", resume=False, interrupts=[1])
    assert command == ("sh", "-c", ":") and not (tmp_path / RECORDED).exists()
    _, second = recorded("sh -c :", resume=True)  # the first was interrupted
    assert second > first and json.loads((tmp_path / RECORDED).read_text()) == ["sh", "-c", ":"]
    assert recorded("sh -c :", resume=True) == (command, second)
    with pytest.raises(TuneError, match=r"holds a recording of `sh -c :`, so nothing of `sh -c exit` can be resumed"):
        recorded("sh -c exit", resume=True)
    assert recorded("sh -c exit", resume=False)[1] > second


@NATIVE
def test_traces_beside_a_program_are_tuned_for_too(tmp_path: Path) -> None:
    found = recordings(Settings(output=tmp_path), [TRACE], ["sh", "-c", ":"], lambda _: None)
    assert [one.program for one in found] == ["perl", "sh"] or [one.program for one in found] == ["perl", "dash"]
