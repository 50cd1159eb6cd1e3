"""A replay makes the calls that were recorded, on the allocator that was asked for."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from m4alloc.lib import lib, recorder, replayer
from m4alloc.trace.format import TraceError
from m4alloc.trace.operations import compile_trace
from m4alloc.trace.preload import preloaded
from m4alloc.trace.read import Trace
from m4alloc.trace.replay import ReplayError, replay
from m4alloc.trace.write import write
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function
from tests.m4alloc.native import build
from tests.m4alloc.trace.recording import ALLOCATORS, PROGRAMS, allocator, program, recorded

M, C, R, F = Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.FREE
ENOMEM = 12


def trace_of(folder: Path, *events: Event) -> Trace:
    write(folder / "trace", events)
    return Trace.open(folder / "trace")


def operations(trace: Trace, *inherited: Event) -> list[tuple[int, ...]]:
    return [tuple(row) for row in compile_trace(trace, inherited).array.tolist()]


def test_blocks_become_slots_that_are_used_again(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=8, result=0x10, begin=1, end=2),
        Event(C, size=4, count=5, result=0x20, begin=3, end=4),
        Event(F, address=0x10, begin=5, end=6),
        Event(R, size=9, result=0x30, begin=7, end=8),
        Event(R, address=0x20, size=99, result=0x50, begin=9, end=10),
        Event(F, address=0x50, begin=11, end=12),
        Event(F, begin=13, end=14),
    )
    assert operations(trace) == [
        *[(M, 1, 8, 0), (C, 2, 4, 5), (F, 1, 0, 0), (R, 1, 9, 0), (R, 2, 99, 0), (F, 2, 0, 0), (F, 0, 0, 0)],
    ]
    assert compile_trace(trace).slots == 3


def test_a_block_is_known_by_the_call_that_returned_it_last_before_its_free_began(tmp_path: Path) -> None:
    """The second malloc begins before the free and returns the address that the free gave up."""
    trace = trace_of(
        tmp_path,
        Event(M, size=1, result=0x10, begin=1, end=2),
        Event(M, size=2, result=0x10, thread=2, begin=3, end=6),
        Event(F, address=0x10, begin=4, end=5),
        Event(F, address=0x10, thread=2, begin=7, end=8),
    )
    assert operations(trace) == [(M, 1, 1, 0), (M, 2, 2, 0), (F, 1, 0, 0), (F, 2, 0, 0)]


def test_functions_become_those_that_every_allocator_has(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(Function.NEW, size=8, result=0x10, begin=1, end=2),
        Event(Function.NEW, size=8, alignment=64, result=0x40, begin=3, end=4),
        Event(Function.REALLOCARRAY, address=0x10, size=3, count=7, result=0x10, begin=5, end=6),
        Event(Function.DELETE, address=0x10, size=8, begin=7, end=8),
        Event(Function.FREE_ALIGNED_SIZED, address=0x40, alignment=64, size=8, begin=9, end=10),
    )
    assert [row[0] for row in operations(trace)] == [M, Function.MEMALIGN, R, F, F]
    assert operations(trace)[1:3] == [(Function.MEMALIGN, 2, 8, 64), (R, 1, 21, 7)]


def test_a_realloc_that_freed_becomes_a_free(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path, Event(M, size=8, result=0x10, begin=1, end=2), Event(R, address=0x10, size=0, begin=3, end=4)
    )
    assert operations(trace) == [(M, 1, 8, 0), (F, 1, 0, 0)]


def test_calls_that_cannot_be_made_again_are_counted(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path,
        Event(M, size=2**62, errno=ENOMEM, begin=1, end=2),
        Event(F, address=0x999, begin=3, end=4),
        Event(M, size=8, result=0x10, begin=5, end=6),
        Event(R, address=0x10, size=2**62, errno=ENOMEM, begin=7, end=8),
        Event(F, address=0x10, begin=9, end=10),
        Event(F, address=0x10, begin=11, end=0),
        Event(M, size=5, begin=13, end=0),
    )
    compiled = compile_trace(trace)
    assert operations(trace) == [(M, 1, 8, 0), (F, 1, 0, 0)]
    assert compiled.skipped == 5


def test_blocks_that_a_process_was_forked_with_are_made_first(tmp_path: Path) -> None:
    trace = trace_of(
        tmp_path, Event(F, address=0x20, begin=11, end=12), Event(M, size=3, result=0x20, begin=13, end=14)
    )
    before = [
        Event(M, size=7, result=0x10),
        Event(C, size=4, count=2, result=0x20),
        Event(Function.POSIX_MEMALIGN, size=5, alignment=32, result=0x40),
    ]
    compiled = compile_trace(trace, before)
    assert (compiled.prelude, compiled.requests) == (3, 2)
    assert operations(trace, *before) == [
        *[(M, 1, 7, 0), (C, 2, 4, 2), (Function.MEMALIGN, 3, 5, 32), (F, 2, 0, 0), (M, 2, 3, 0)],
    ]


@pytest.mark.parametrize("name", ALLOCATORS)
def test_the_replay_makes_as_many_calls_as_were_recorded(name: str, tmp_path: Path) -> None:
    """The replayer runs under the recorder: its own trace is compared with the one it replays."""
    tree = recorded([program("calls.c"), "threads", "3", "500"], tmp_path).tree
    with (tmp_path / "plan").open("wb") as file:
        compile_trace(tree.traces[0]).write(file)
    on = allocator(name)
    libraries = [replayer(), recorder(), *({"system": [], "m4alloc": [lib()]}.get(name, [Path(on)]))]
    with preloaded(libraries, "") as value:
        done = subprocess.run(
            [sys.executable],
            env={
                "LD_PRELOAD": value,
                "M4ALLOC_REPLAY": str(tmp_path / "plan"),
                "M4ALLOC_RECORD": str(tmp_path / "again"),
            },
            capture_output=True,
        )
    assert done.returncode == 0, done
    (path,) = tmp_path.glob("again.*.*")
    again = Trace.open(path)
    first = list(tree.traces[0].events())
    ((common, _),) = Counter(event.site for event in again.events()).most_common(1)
    second = [event for event in again.events() if abs(event.site - common) < 1 << 16]  # the replayer's own

    def requests(events: list[Event], functions: frozenset[Function]) -> list[int]:
        return sorted(event.request_size for event in events if event.function in functions)

    assert len(requests(first, ALLOCATING)) > 3000
    for functions in (ALLOCATING, RESIZING):
        assert requests(second, functions) == requests(first, functions)
    assert sum(event.function in FREEING for event in second) == sum(event.function in FREEING for event in first)


def test_the_report_covers_every_image_and_every_allocator(tmp_path: Path) -> None:
    tree = recorded([program("calls.c"), "fork", "200"], tmp_path).tree
    report = replay(tmp_path / "trace", allocator=["m4alloc", "system"], rounds=3)
    assert report.images == 4
    assert report.requests + report.skipped == sum(trace.used for trace in tree.traces)
    assert report.skipped == 0
    ours, system = report.results
    assert ours.library == str(lib())
    assert "libc" in system.library
    for result in report.results:
        assert result.failures == 0
        assert len(result.all_seconds) == 3
        assert result.seconds == sorted(result.all_seconds)[1] > 0
        assert result.peak_bytes > 0
    assert (report.seconds, report.peak_bytes) == (ours.seconds, ours.peak_bytes)


def test_the_peak_is_what_the_blocks_need_and_not_what_the_host_needs(tmp_path: Path) -> None:
    size, count = 100_000, 100
    made = [Event(M, size=size, result=(i + 1) << 20, begin=2 * i + 1, end=2 * i + 2) for i in range(count)]
    write(tmp_path / "trace", made)
    report = replay(tmp_path / "trace", allocator="system", rounds=1)
    assert size * count <= report.peak_bytes < 1.1 * size * count + 1_000_000


def test_an_allocator_that_runs_out_is_counted(tmp_path: Path) -> None:
    made = [Event(M, size=1 << 20, result=(i + 1) << 20, begin=2 * i + 1, end=2 * i + 2) for i in range(20)]
    write(tmp_path / "trace", made)
    report = replay(tmp_path / "trace", allocator=build(PROGRAMS / "faulty.c", "-shared", "-fPIC"), rounds=1)
    assert report.requests == 20
    assert report.results[0].failures == 5, "16 MiB hold 15 blocks of 1 MiB beside the rest"


def test_an_allocator_that_crashes_is_reported(tmp_path: Path) -> None:
    (tmp_path / "crash.c").write_text(
        "#include <stdlib.h>\n#include <stddef.h>\nvoid *malloc(size_t n) { if (n == 77) abort(); return 0; }\n"
    )
    write(tmp_path / "trace", [Event(M, size=77, result=16)])
    with pytest.raises(ReplayError, match="was killed by SIGABRT"):
        replay(tmp_path / "trace", allocator=build(tmp_path / "crash.c", "-shared", "-fPIC"), rounds=1)


FORGED = """#include <stdint.h>
#include <unistd.h>
static char heap[1 << 20];
static unsigned long top;
void *malloc(unsigned long n) { top += n + 15 & -16ul; return heap + top - (n + 15 & -16ul); }
void free(void *block) { (void)block; }
__attribute__((constructor)) static void says(void) { uint64_t told[] = {1, REQUESTS, 0, 0, 0}; write(1, told, 40); }
"""


@pytest.mark.parametrize("requests", [1, 2])
def test_a_result_that_the_allocator_tells_itself_is_refused(tmp_path: Path, requests: int) -> None:
    (tmp_path / "forged.c").write_text(FORGED.replace("REQUESTS", str(requests)))
    write(tmp_path / "trace", [Event(M, size=77, result=16)])
    library = build(tmp_path / "forged.c", "-shared", "-fPIC", "-fno-builtin", "-Wno-parentheses")
    with pytest.raises(ReplayError, match="told what is no result; the allocator seems to write to standard output"):
        replay(tmp_path / "trace", allocator=library, rounds=1)


def test_a_trace_without_requests_takes_no_time(tmp_path: Path) -> None:
    write(tmp_path / "trace", [])
    report = replay(tmp_path / "trace", allocator="system", rounds=2)
    assert (report.requests, report.seconds, report.peak_bytes) == (0, 0.0, 0)


def test_bad_input_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("no trace")
    with pytest.raises(TraceError, match="neither its first bytes nor its name"):
        replay(tmp_path / "other")
    write(tmp_path / "trace", [])
    with pytest.raises(ValueError, match="rounds is 0; at least one replay is needed"):
        replay(tmp_path / "trace", rounds=0)


def test_the_command_prints_a_row_for_each_allocator(tmp_path: Path) -> None:
    recorded([program("calls.c"), "threads", "2", "200"], tmp_path)
    command = [sys.executable, "-m", "m4alloc", "replay", str(tmp_path / "trace"), "--rounds", "2"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done
    lines = done.stdout.splitlines()
    assert "median of 2 replays each; 0 calls could not be made again" in lines[0]
    assert [line.split()[0] for line in lines[-2:]] == ["m4alloc", "system"]
    report = json.loads(subprocess.run([*command, "--json"], capture_output=True, text=True).stdout)
    assert (report["schema"], report["verb"]) == ("m4alloc/1", "replay")
    assert [result["allocator"] for result in report["results"]] == ["m4alloc", "system"]
    assert np.isfinite([result["seconds"] for result in report["results"]]).all()


def test_the_command_refuses_bad_input_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("no trace")
    for words, message in [
        ([str(tmp_path / "other")], "neither its first bytes nor its name"),
        ([str(tmp_path / "missing")], "No such file"),
        ([str(tmp_path / "other"), "--allocator", "nothing"], "no allocator library nothing"),
    ]:
        done = subprocess.run([sys.executable, "-m", "m4alloc", "replay", *words], capture_output=True, text=True)
        assert done.returncode == 2, done
        assert message in done.stderr
        assert "Traceback" not in done.stderr
