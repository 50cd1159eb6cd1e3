"""Words become recordings: of the traces that they name, or of the program that they are."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from m4alloc.program import ProgramError
from m4alloc.trace.format import EndReason, TraceError
from m4alloc.tune.sources import SourceError, sources
from m4alloc.tune.workload import Kind, example
from spec.event import Event, Function
from tests.m4alloc.traces import write_trace

SHELL = ["sh", "-c", "echo $(seq 3); ls / >&2; exit 3"]


def trace(folder: Path, name: str, calls: int = 3) -> Path:
    path = folder / f"{name}.m4t"
    example([(Kind.ALLOCATE, block + 1, 8) for block in range(calls)], name).write(path)
    return path


def test_each_trace_is_a_source_with_its_program(tmp_path: Path) -> None:
    found = sources([trace(tmp_path, "git"), trace(tmp_path, "perl", 5)])
    assert [(source.program, len(source.workloads[0]), source.path) for source in found] == [
        ("git", 3, tmp_path / "git.m4t"),
        ("perl", 5, tmp_path / "perl.m4t"),
    ]


def test_a_folder_is_the_traces_in_it(tmp_path: Path) -> None:
    trace(tmp_path, "perl")
    example([(Kind.ALLOCATE, 1, 8)], "git").write(tmp_path / "git.m4t.xz")
    (tmp_path / "README.md").write_text("about them")
    write_trace(tmp_path / "perl.m4t.100.0", [Event(Function.MALLOC, size=8, result=0x10)])
    assert [source.program for source in sources([tmp_path])] == ["git", "perl"]


def test_a_folder_without_traces_is_refused(tmp_path: Path) -> None:
    message = re.escape(f"{tmp_path}: no recording in this folder; their names end in .m4t or .m4t.xz")
    with pytest.raises(SourceError, match=f"^{message}$"):
        sources([tmp_path])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to tune on: name recorded traces, or a program to record after `--`"),
        (["--"], "no program after `--`; it stands there with its arguments, as in: -- ls -l"),
    ],
)
def test_no_words_are_refused(words: list[str], message: str) -> None:
    with pytest.raises(SourceError, match=f"^{re.escape(message)}$"):
        sources(words)


def test_what_is_no_trace_or_no_program_says_so(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sources([tmp_path / "none.m4t"])
    (tmp_path / "text.m4t").write_text("malloc(8)")
    with pytest.raises(TraceError, match=r"text\.m4t: neither a trace"):
        sources([tmp_path / "text.m4t"])
    with pytest.raises(ProgramError, match=r"^no program called 'no-such-program' on PATH"):
        sources(["--", "no-such-program"])


def test_what_is_missing_in_a_trace_is_noted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "cut.m4t"
    write_trace(path, [Event(Function.MALLOC, size=8, result=0x10)], end_reason=EndReason.DISK_FULL)
    said: list[str] = []
    (source,) = sources([path], say=said.append)
    assert list(source.notes) == said == [f"{path}: ends before its program does (disk-full), after 1 call"]


def test_a_program_is_recorded_with_its_children(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said: list[str] = []
    (source,) = sources(["--", *SHELL], output=tmp_path, allocator="system", least=1, say=said.append)
    names = [workload.name for workload in source.workloads]
    assert {"sh", "seq", "ls"} <= set(names)
    assert source.program == max(source.workloads, key=len).name
    assert (source.path, source.command) == (tmp_path / "sh.m4t", tuple(SHELL))
    assert "sh ended with status 3" in source.notes
    assert said == list(source.notes)
    assert capfd.readouterr().out == "1 2 3\n"


def test_a_recording_that_nobody_wants_to_keep_is_gone_and_its_workloads_stay(tmp_path: Path) -> None:
    (source,) = sources(["--", "ls", "/"], allocator="system", stdout=subprocess.DEVNULL)
    assert source.path is None
    assert (source.workloads[0].kind == Kind.ALLOCATE).any()


def test_a_limit_that_ends_the_recording_is_noted(tmp_path: Path) -> None:
    limit = 4096 + 88 * 16
    (source,) = sources(
        ["--", "ls", "-l", "/"], allocator="system", limit=limit, output=tmp_path, stdout=subprocess.DEVNULL
    )
    assert not source.workloads[0].complete
    assert (
        source.notes[-1]
        == f"--limit {limit} (5.50 kB a trace) ended the recording early: what comes after is not tuned for"
    )


def test_traces_and_a_program_may_stand_together(tmp_path: Path) -> None:
    words = [str(trace(tmp_path, "git")), "--", "ls", "/"]
    assert [source.program for source in sources(words, allocator="system", stdout=subprocess.DEVNULL)] == ["git", "ls"]
