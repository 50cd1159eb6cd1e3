"""However a program ends, and whatever happens to its trace file, what was written can be read."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from m4alloc.lib import recorder
from m4alloc.trace.format import HEADER_SIZE, RECORD_SIZE, EndReason, TraceError
from m4alloc.trace.preload import preloaded
from m4alloc.trace.read import Trace
from spec.event import MISUSE_CAUGHT, Event, Function
from tests.m4alloc.trace.recording import program, recorded, recorded_by_hand

KEPT = 123
"""Size of a block that programs/ends.c holds to its end."""


def in_flight(trace: Trace) -> list[Event]:
    return [event for event in trace.events() if event.end == 0]


@pytest.mark.parametrize(
    ("how", "status", "reason"),
    [
        ("normally", 0, EndReason.EXIT),
        ("_exit", 7, EndReason.RUNNING),
        ("segv", 128 + signal.SIGSEGV, EndReason.RUNNING),
        ("kill", 128 + signal.SIGKILL, EndReason.RUNNING),
    ],
)
def test_a_trace_can_be_read_however_the_program_ends(how: str, status: int, reason: EndReason, tmp_path: Path) -> None:
    ran = recorded([program("ends.c"), how], tmp_path)
    assert (ran.status, ran.tree.status) == (status, status)
    assert ran.only.end_reason is reason
    assert ran.only.end_reason.is_complete
    assert next(ran.only.events()).size == KEPT
    assert ran.only.used - 201 == (how == "normally"), "201 calls of its own, one of puts"
    assert in_flight(ran.only) == []


@pytest.mark.parametrize(("how", "on"), [("double", "system"), ("double", "m4alloc"), ("wild", "m4alloc")])
def test_the_call_that_the_allocator_aborts_in_is_the_last_of_the_trace(how: str, on: str, tmp_path: Path) -> None:
    ran = recorded([program("ends.c"), how], tmp_path, on=on)
    assert ran.status == 128 + signal.SIGABRT
    assert "free" in ran.err
    (last,) = in_flight(ran.only)
    assert last.function is Function.FREE
    assert last.begin == max(event.begin for event in ran.only.events())
    kept = next(event for event in ran.only.events() if event.size == KEPT)
    assert last.address == (kept.result if how == "double" else 0x10008)


def test_a_misuse_that_the_allocator_reports_is_flagged(tmp_path: Path) -> None:
    ran = recorded([program("ends.c"), "double"], tmp_path, on="m4alloc", env={"M4ALLOC_OPTIONS": "misuse=count"})
    assert ran.status == 0
    kept = next(event for event in ran.only.events() if event.size == KEPT)
    frees = [event for event in ran.only.events() if event.address == kept.result]
    assert [event.flags & MISUSE_CAUGHT for event in frees] == [0, MISUSE_CAUGHT]
    assert sum(bool(event.flags) for event in ran.only.events()) == 1


@pytest.mark.parametrize("how", ["stack", "freed", "interior", "unmapped"])
def test_the_recorder_does_not_change_the_end_of_a_program_that_resizes_no_block(how: str, tmp_path: Path) -> None:
    for on in ("system", "m4alloc"):
        folder = tmp_path / on
        folder.mkdir()
        misread = program("misread.c")
        ran = recorded([misread, how], folder, on=on)
        plain = subprocess.run(
            [misread, how],
            env={**os.environ, "LD_PRELOAD": "" if on == "system" else ran.only.allocator},
            capture_output=True,
            check=False,
        ).returncode
        assert ran.status == (plain if plain >= 0 else 128 - plain), ran
        if ran.status:
            assert [event.function for event in in_flight(ran.only)] == [Function.REALLOC]


@pytest.mark.parametrize("records", [0, 1, 100, 512, 513, 5000])
def test_a_limit_ends_the_trace_and_not_the_program(records: int, tmp_path: Path) -> None:
    limit = HEADER_SIZE + records * RECORD_SIZE + 50
    ran = recorded([program("ends.c"), "long"], tmp_path, limit=limit)
    assert (ran.status, ran.out) == (0, "ended\n")
    assert ran.only.path.stat().st_size <= limit
    assert (ran.only.end_reason, ran.only.used) == (EndReason.LIMIT, records)
    assert not ran.only.end_reason.is_complete
    assert int(ran.only.header["limit"]) == limit


def test_a_child_of_a_process_whose_trace_has_ended_is_not_recorded(tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "fork", "100"], tmp_path, limit=HEADER_SIZE + 100 * RECORD_SIZE)
    assert ran.status == 0
    assert [trace.parent for trace in ran.tree.traces] == [None, None], "the program and the one that a child became"


def test_a_lowered_file_size_limit_ends_the_trace_without_a_signal(tmp_path: Path) -> None:
    ran = recorded([program("ends.c"), "limit"], tmp_path)
    assert (ran.status, ran.out) == (0, "ended\n")
    assert ran.only.end_reason is EndReason.FILE_LIMIT
    assert ran.only.used == (100000 - HEADER_SIZE) // RECORD_SIZE


def test_a_file_size_limit_too_small_for_a_header_leaves_no_file(tmp_path: Path) -> None:
    done, traces = recorded_by_hand([program("ends.c")], tmp_path, limits={resource.RLIMIT_FSIZE: 4000})
    assert (done.returncode, done.stdout) == (0, "ended\n")
    assert (traces, list(tmp_path.iterdir())) == ([], [])


def test_a_program_without_address_space_for_more_is_not_disturbed(tmp_path: Path) -> None:
    done, traces = recorded_by_hand([program("ends.c"), "long"], tmp_path, limits={resource.RLIMIT_AS: 6 << 20})
    assert (done.returncode, done.stdout) == (0, "ended\n"), done
    assert all(trace.end_reason in (EndReason.EXIT, EndReason.MAP_FAILED) for trace in traces)


def test_a_trace_file_that_is_moved_ends_the_trace_and_not_the_program(tmp_path: Path) -> None:
    moved = tmp_path / "moved"
    script = f"exec {program('ends.c')} move {tmp_path}/trace.$$.1 {moved}"
    done, (shell,) = recorded_by_hand(["sh", "-c", script], tmp_path)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done
    assert shell.image == 0
    trace = Trace.open(moved)
    assert (trace.image, trace.end_reason, trace.used) == (1, EndReason.VANISHED, 512)


@pytest.mark.parametrize(("how", "calls"), [("maps", 400_000), ("threads", 20_000)])
def test_what_is_full_of_finished_calls_is_unmapped(how: str, calls: int, tmp_path: Path) -> None:
    """At most the header, the chunk in use, and the next one are mapped, also when threads come and go."""
    ran = recorded([program("ends.c"), how, f"{tmp_path}/trace."], tmp_path)
    assert ran.status == 0, ran
    assert ran.only.used > calls
    assert 2 <= int(ran.out.splitlines()[0]) <= 4


def wait_for_calls(folder: Path) -> Trace:
    """The trace called live, once it has calls; just after its creation it is not a trace yet."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in folder.glob("live.*"):
            with contextlib.suppress(TraceError):
                if (trace := Trace.open(path)).used:
                    return trace
        time.sleep(0.01)
    pytest.fail("no trace within a minute")


def test_a_trace_can_be_read_while_its_process_runs(tmp_path: Path) -> None:
    with (
        preloaded([recorder()], "") as value,
        subprocess.Popen(
            ["cat"],
            env={**os.environ, "LD_PRELOAD": value, "M4ALLOC_RECORD": str(tmp_path / "live")},
            stdin=subprocess.PIPE,
        ) as cat,
    ):
        trace = wait_for_calls(tmp_path)
        assert trace.end_reason is EndReason.RUNNING
        assert cat.stdin is not None
        cat.stdin.close()
    assert Trace.open(trace.path).end_reason is EndReason.EXIT


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, as only root can make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("mounting a small tmpfs needs root")
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "m4alloc-test", folder], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"no tmpfs can be mounted here: {made.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_full_disk_ends_the_trace_and_not_the_program(small_disk: Path) -> None:
    done, traces = recorded_by_hand([program("ends.c"), "long"], small_disk)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done
    (trace,) = traces
    assert trace.end_reason is EndReason.DISK_FULL
    assert trace.used == 1536, "the chunks of 512 and 1024 records that fit in 256 KiB; the next has 2048"


def test_a_full_disk_from_the_start_leaves_the_program_alone(small_disk: Path) -> None:
    (small_disk / "filler").write_bytes(b"x" * (256 << 10))
    done, traces = recorded_by_hand([program("ends.c"), "long"], small_disk)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done
    assert traces == []
