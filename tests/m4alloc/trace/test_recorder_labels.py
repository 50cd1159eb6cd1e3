"""Labels of running programs: each is in the trace, in its place and with its text, however the program goes on."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest

from m4alloc.lib import include
from m4alloc.trace.format import HEADER, TEXT, EndReason, TraceError
from m4alloc.trace.read import Trace
from m4alloc.trace.replay import replay
from m4alloc.trace.write import write
from spec.event import Event, Function
from tests.m4alloc.native import need
from tests.m4alloc.trace.recording import ALLOCATORS, Recorded, allocator, program, recorded

INCLUDE = f"-I{include()}"
FIXED = (INCLUDE, "-no-pie", "-fno-pie")
"""Code for a fixed address, where a linker may decide for itself that a weak symbol is nowhere defined."""
THREADS, ROUNDS, NAMES, SPARE = 4, 500, 60, 4100
"""As in programs/labels.c."""


def run(how: str, folder: Path, *, on: str = "system", limit: int | None = None) -> Recorded:
    return recorded([program("labels.c", INCLUDE), how], folder, on=on, limit=limit)


def words(trace: Trace) -> list[str]:
    """The history in one word an event: labels by name, calls by function."""
    return [event.label or event.function.name.lower() for event in trace.events()]


def labels(trace: Trace) -> list[Event]:
    return [event for event in trace.events() if event.function is Function.LABEL]


@pytest.mark.parametrize("name", ALLOCATORS)
@pytest.mark.parametrize("flags", [(INCLUDE,), FIXED], ids=["pie", "fixed"])
def test_labels_stand_among_the_calls_with_the_block_that_they_are_about(
    name: str, flags: tuple[str, ...], tmp_path: Path
) -> None:
    ran = recorded([program("labels.c", *flags), "requests"], tmp_path, on=allocator(name))
    one = ["request_start", "malloc", "parsed", "free", "request_end"]
    start = words(ran.only).index("request_start")  # some allocators allocate before
    assert words(ran.only)[start:] == one * 3
    events = list(ran.only.events())[start:]
    assert events[2].address == events[1].result + 8
    assert events[0].address == 0
    assert ran.only.labels == ("request_start", "parsed", "request_end")


def test_a_label_is_one_moment_of_the_order_that_calls_are_in(tmp_path: Path) -> None:
    ran = run("requests", tmp_path)
    events = list(ran.only.events())
    assert [(event.begin, event.end) for event in events] == [(n, n + 1) for n in range(1, 2 * len(events), 2)]
    assert {event.thread for event in events} == {ran.only.pid}
    assert all(event.site for event in events)
    assert [event.time_ns for event in events] == sorted(event.time_ns for event in events)


def test_a_scope_of_cplusplus_ends_however_it_is_left(tmp_path: Path) -> None:
    ran = recorded([program("scopes.cc", INCLUDE)], tmp_path)
    inner = ["enter", "step_start", "step_end", "leave"]
    assert [event.label for event in labels(ran.only)] == ["owned_start", *inner, *inner, "caught", "owned_end"]
    owned = [event.address for event in labels(ran.only) if event.label.startswith("owned")]
    assert owned == [next(event.result for event in ran.only.events() if event.function is Function.NEW)] * 2


def test_threads_that_set_labels_at_once_give_each_name_one_number(tmp_path: Path) -> None:
    trace = run("threads", tmp_path).only
    count = Counter(event.label for event in labels(trace))
    shared = {f"shared{i}": THREADS for i in range(NAMES)}
    assert count == {**shared, "work_start": THREADS * ROUNDS, "work_end": THREADS * ROUNDS}
    assert len(set(trace.labels)) == len(trace.labels) == NAMES + 2
    for thread in {event.thread for event in labels(trace)}:
        own = [event for event in trace.events() if event.thread == thread]
        work = [event.label or event.function.name for event in own if not event.label.startswith("shared")]
        start = work.index("work_start")
        assert work[start : start + 4 * ROUNDS] == ["work_start", "MALLOC", "FREE", "work_end"] * ROUNDS
    numbers = [number for event in trace.events() for number in (event.begin, event.end)]
    assert len(set(numbers)) == len(numbers)


def test_a_thread_that_is_exiting_sets_its_labels(tmp_path: Path) -> None:
    trace = run("exits", tmp_path).only
    assert Counter(event.label for event in labels(trace)) == {"last_words": 40}


def test_a_forked_child_numbers_its_labels_in_its_own_trace(tmp_path: Path) -> None:
    parent, child = run("fork", tmp_path).tree.traces
    assert [event.label for event in labels(parent)] == ["before", "both", "parent", "both"]
    assert [event.label for event in labels(child)] == ["child", "both"]
    assert child.labels == ("child", "both")
    assert min(event.begin for event in child.events()) > child.fork_sequence


def test_the_trace_of_a_killed_program_has_its_labels(tmp_path: Path) -> None:
    ran = run("kill", tmp_path)
    assert (ran.status, ran.only.end_reason) == (128 + signal.SIGKILL, EndReason.RUNNING)
    assert words(ran.only) == ["malloc", "free", "first", "doomed"]


def test_more_names_than_there_is_room_for_are_labels_without_a_text(tmp_path: Path) -> None:
    ran = run("many", tmp_path)
    assert ran.status == 0, "errno is kept"
    trace = ran.only
    assert trace.labels == tuple(f"n{i}" for i in range(4096))
    once = [f"n{i}" if i < 4096 else "" for i in range(SPARE)]
    assert [event.label for event in labels(trace)] == once * 2


def test_long_and_odd_names_are_cut_between_characters_and_can_be_read(tmp_path: Path) -> None:
    trace = run("names", tmp_path).only
    assert [event.label for event in labels(trace)] == ["x" * 62, "x" * 61, "x" * 61, r"\xff", "grüße"]
    assert trace.labels == ("x" * 62, "x" * 61, r"\xff", "grüße")


@pytest.mark.slow
def test_labels_of_signal_handlers_cost_no_record(tmp_path: Path) -> None:
    ran = run("interrupts", tmp_path)
    assert ran.status == 0
    events = list(ran.only.events())
    count = Counter(event.label or event.function.name for event in events)
    assert count["interrupt_start"] == count["interrupt_end"] > 0
    assert count["main"] == count["MALLOC"] == count["FREE"]
    assert all(event.end for event in events)
    assert {event.thread for event in events} == {ran.only.pid}
    inside = [event.label for event in events if event.label.startswith("interrupt")]
    assert all(one != other for one, other in pairwise(inside))


def test_a_trace_that_is_full_ends_and_the_program_goes_on(tmp_path: Path) -> None:
    ran = run("many", tmp_path, limit=100_000)
    assert (ran.status, ran.only.end_reason) == (0, EndReason.LIMIT)
    assert 0 < len(labels(ran.only)) < SPARE
    found = [event.label for event in labels(ran.only)]
    assert found == [f"n{i}" for i in range(len(found))]


@pytest.mark.parametrize("how", ["requests", "threads", "interrupts"])
def test_a_program_with_labels_runs_alone(how: str) -> None:
    assert subprocess.run([program("labels.c", INCLUDE), how]).returncode == 0


@pytest.mark.parametrize("source", ["labels.c", "scopes.cc"])
def test_nothing_is_left_of_labels_that_are_compiled_out(source: str, tmp_path: Path) -> None:
    need("nm", "binutils")
    without = program(source, INCLUDE, "-DM4ALLOC_NO_LABELS", "-Werror")
    listed = [
        subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
        for path in (without, program(source, INCLUDE, "-Werror"))
    ]
    assert ["m4alloc_label" in symbols for symbols in listed] == [False, True]
    assert b"request_start" not in Path(without).read_bytes()
    assert labels(recorded([without, "requests"], tmp_path).only) == []


@pytest.mark.parametrize("standard", ["-std=c99", "-std=c11", "-std=gnu17", "-std=c++11", "-std=c++20"])
def test_the_header_compiles_without_a_warning(standard: str, tmp_path: Path) -> None:
    plus = "++" in standard
    compiler = need("g++", "g++") if plus else need("gcc", "gcc libc6-dev")
    strict = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion", "-Wold-style-cast" if plus else "-Wundef"]
    source = '#include <m4alloc_label.h>\nint main(void) { M4ALLOC_LABEL_SCOPE("a"); M4ALLOC_LABEL("b"); return 0; }\n'
    words = [compiler, standard, *strict, INCLUDE, "-x", "c++" if plus else "c", "-", "-o", str(tmp_path / "x")]
    assert subprocess.run(words, input=source, capture_output=True, text=True).stderr == ""


def test_a_replay_leaves_labels_out(tmp_path: Path) -> None:
    run("leak", tmp_path)
    report = replay(tmp_path / "trace", allocator="system", rounds=1)
    assert (report.requests, report.skipped) == (5, 0)


def test_labels_that_were_read_are_written_as_they_were(tmp_path: Path) -> None:
    events = list(run("requests", tmp_path).only.events())
    write(tmp_path / "again", events)
    assert list(Trace.open(tmp_path / "again").events()) == events


def damaged(trace: Trace, offset: int, field: str, value: int) -> Path:
    """A copy of the trace in which a field of the label text at `offset` has another value."""
    content = bytearray(trace.path.read_bytes())
    kind, at, *_ = TEXT.fields[field]  # type: ignore[index]
    content[offset + at : offset + at + kind.itemsize] = value.to_bytes(kind.itemsize, "little")
    copy = trace.path.with_name("damaged")
    copy.write_bytes(content)
    return copy


def test_a_damaged_chain_of_texts_is_named(tmp_path: Path) -> None:
    trace = run("requests", tmp_path).only
    slot = int(trace.header["label_slot"])
    newest = HEADER.itemsize + (slot - 1) * TEXT.itemsize
    for field, value in (("function", 1), ("before", slot), ("before", 2**32 - 1)):
        with pytest.raises(TraceError, match=r"damaged: record \d+ should hold the text of a label"):
            Trace.open(damaged(trace, newest, field, value))
    with pytest.raises(TraceError, match="its label texts begin with number 3, not with 1"):
        Trace.open(damaged(trace, newest, "before", 0))
