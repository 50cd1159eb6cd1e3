"""A program may leave processes behind: they are told of, and what they record later belongs to the recording."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from m4alloc.check.verify import verify
from m4alloc.cli.record import summary
from m4alloc.trace.index import open_index, read_index
from m4alloc.trace.record import left_behind, record
from tests.m4alloc.trace.recording import program


@pytest.fixture
def pipe(tmp_path: Path) -> Path:
    """What the daemon waits for."""
    os.mkfifo(tmp_path / "pipe")
    return tmp_path / "pipe"


def let_go(pipe: Path, index: Path, byte: bytes = b"x") -> None:
    """Let the daemon go on to its end."""
    with pipe.open("wb") as file:
        file.write(byte)
    deadline = time.monotonic() + 30
    while left_behind(index) and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_daemon_is_told_of_and_what_it_records_later_belongs_to_the_recording(pipe: Path, tmp_path: Path) -> None:
    index = tmp_path / "trace"
    report = record([program("daemon.c"), str(pipe)], index, allocator="system")
    try:
        assert (report.status, report.left_behind, report.to_json()["left_behind"]) == (0, 1, 1)
        assert "1 process that it left behind goes on; what is recorded of them belongs to" in " ".join(summary(report))
        before = {trace.path for trace in open_index(index).traces}
    finally:
        let_go(pipe, index)
    after = open_index(index).traces
    assert left_behind(index) == 0 and {trace.path for trace in after} > before
    assert sum(event.size == 4321 for trace in after for event in trace.events()) == 100


def test_traces_of_an_earlier_recording_are_not_taken_for_those_of_a_daemon(pipe: Path, tmp_path: Path) -> None:
    record([program("ends.c"), "normally"], tmp_path / "trace", allocator="system")
    (tmp_path / "trace").rename(tmp_path / "elsewhere")
    record([program("ends.c"), "normally"], tmp_path / "trace", allocator="system")
    assert len(open_index(tmp_path / "trace").traces) == 1
    index = read_index(tmp_path / "trace")
    del index["started_ns"]
    (tmp_path / "trace").write_text(json.dumps(index))
    assert len(open_index(tmp_path / "trace").traces) == 1


def test_verify_says_that_a_daemon_goes_on(pipe: Path, tmp_path: Path) -> None:
    report = verify([program("daemon.c"), str(pipe)], allocator="system", rounds=0, output=tmp_path / "page.html")
    with pipe.open("wb") as file:
        file.write(b"x")
    assert report.exit_status == 3 or report.verdict.value == "HOLDS"
    (note,) = (note for note in report.notes if "left behind" in note)
    assert note == "1 process that the program left behind goes on: judged is what was recorded until now"
