"""Ctrl-C, which a terminal sends to the whole process group, ends a search with its report, 130 and no orphan."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.operation import Operation
from spec.event import Function
from tests.m4alloc.interrupting import INTERRUPTIBLE, interrupt

MARK = "M4ALLOC_TEST_INTERRUPTED"


def marked(mark: str) -> list[int]:
    """The processes that were started with that mark in their environment, and are not over."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if f"{MARK}={mark}".encode() in environment.read_bytes().split(b"\0"):
                found.append(int(environment.parent.name))
        except OSError:
            continue
    return found


def interrupted(words: list[str], mark: str, seconds: float = 1.5) -> tuple[int, str, str]:
    """Carry out `m4alloc WORDS` and interrupt it: its status, output and errors, once nothing of it is left."""
    process = subprocess.Popen(
        [*INTERRUPTIBLE, sys.executable, "-m", "m4alloc", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, MARK: mark},
        process_group=0,
    )
    until = time.monotonic() + 30
    while len(marked(mark)) < 2 and time.monotonic() < until:
        time.sleep(0.05)
    assert len(marked(mark)) > 1, "no driver was at work"
    time.sleep(seconds)
    interrupt(process, 60)
    output, errors = process.communicate(timeout=60)
    until = time.monotonic() + 5
    while marked(mark) and time.monotonic() < until:
        time.sleep(0.05)
    assert marked(mark) == []
    return process.returncode, output, errors


@pytest.mark.parametrize("engine", ["directed", "exhaustive", "random"])
def test_ctrl_c_ends_check_with_the_report_of_what_was_done(engine: str, tmp_path: Path) -> None:
    words = ["check", "m4alloc", "--engine", engine, "--budget", "60s", "--jobs", "1", "--output", str(tmp_path)]
    status, output, errors = interrupted(words, str(tmp_path))
    assert (status, errors) == (130, "")
    assert output.startswith(engine) and "(interrupted)" in output
    assert f"m4alloc check --resume --output {tmp_path}" in output.splitlines()[-1]


def test_ctrl_c_ends_grade_with_the_report_of_what_was_done(tmp_path: Path) -> None:
    status, output, errors = interrupted(["grade", "system", "--findings", "-"], str(tmp_path))
    assert (status, errors) == (130, "")
    assert "note        interrupted: 9 traces left out" in output


def test_a_driver_that_was_ended_is_told_with_how_it_ended() -> None:
    for number, said in ((signal.SIGINT, "SIGINT ended it"), (signal.SIGKILL, "SIGKILL ended it")):
        with Foreign("system") as foreign:
            foreign.server.send_signal(number)
            foreign.server.wait()
            with pytest.raises(WorkerError, match=f"^system: the driver failed: {said}$"):
                foreign.run([Operation(Function.MALLOC, size=24)])
