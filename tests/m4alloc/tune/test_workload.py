"""A recording becomes columns: nothing that an allocator has to serve is lost, and what is left out is counted."""

from __future__ import annotations

import json
import lzma
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.trace.format import EndReason, TraceError
from m4alloc.trace.index import write_index
from m4alloc.trace.read import Trace
from m4alloc.trace.write import write
from m4alloc.tune.workload import Kind, Workload, example, load
from spec.event import Event, Function
from tests.m4alloc.traces import write_trace

A, F, R = Kind.ALLOCATE, Kind.FREE, Kind.RESIZE
M, REALLOC, FREE = Function.MALLOC, Function.REALLOC, Function.FREE
COLUMNS = ("kind", "block", "size", "alignment", "zeroed", "thread", "time_ms")


def workload_of(folder: Path, *events: Event, **options: object) -> Workload:
    return Workload.of(write_trace(folder / "trace", events, **options))  # type: ignore[arg-type]


def calls(workload: Workload) -> list[tuple[int, int, int]]:
    return list(zip(workload.kind.tolist(), workload.block.tolist(), workload.size.tolist(), strict=True))


def equal(one: Workload, other: Workload) -> bool:
    facts = ("name", "blocks", "threads", "prelude", "complete", "program")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in COLUMNS) and all(
        getattr(one, name) == getattr(other, name) for name in facts
    )


@st.composite
def workloads(draw: st.DrawFn) -> Workload:
    """Any workload with at least one call: blocks of several threads, resized, freed and numbered again."""
    live: list[int] = []
    rows = []
    free: list[int] = []
    count = time = 0
    for _ in range(draw(st.integers(1, 40))):
        kind = draw(st.sampled_from([A, A, F, R])) if live else A
        if kind == A:
            block = free.pop() if free else count + 1
            count = max(count, block)
            live.append(block)
        else:
            block = draw(st.sampled_from(live))
        if kind == F:
            live.remove(block)
            free.append(block)
        zeroed = kind == A and draw(st.booleans())
        aligned = kind == A and not zeroed and draw(st.booleans())
        time += draw(st.integers(0, 3))
        size = 0 if kind == F else draw(st.integers(0, 300))
        rows.append((kind, block, size, 64 * aligned, zeroed, draw(st.integers(0, 2)), time))
    kinds, blocks, sizes, alignments, zeroes, threads, times = zip(*rows, strict=True)
    appearance = list(dict.fromkeys(threads))
    return Workload(
        name="drawn",
        kind=np.array(kinds, np.uint8),
        block=np.array(blocks, np.uint32),
        size=np.array(sizes, np.uint64),
        alignment=np.array(alignments, np.uint64),
        zeroed=np.array(zeroes, np.bool_),
        thread=np.array([appearance.index(thread) for thread in threads], np.uint16),
        time_ms=np.array(times, np.uint32) - times[0],
        blocks=count,
        threads=len(appearance),
        complete=draw(st.booleans()),
        program=("drawn", "--x"),
    )


def check(workload: Workload) -> None:
    """A number is a block from its ALLOCATE to its FREE, and nothing else."""
    live = set()
    for place, (kind, block, size) in enumerate(calls(workload)):
        assert 1 <= block <= workload.blocks
        assert (kind == A) == (block not in live), f"call {place}"
        assert kind == A or not workload.zeroed[place]
        if kind == A:
            live.add(block)
        if kind == F:
            live.remove(block)
            assert size == 0
        assert place >= workload.prelude or kind == A


# From a trace


def test_functions_become_kinds_sizes_alignments_and_zeroes(tmp_path: Path) -> None:
    workload = workload_of(
        tmp_path,
        Event(M, size=24, result=0x10),
        Event(Function.CALLOC, size=8, count=3, result=0x20),
        Event(Function.POSIX_MEMALIGN, size=100, alignment=64, result=0x40),
        Event(Function.PVALLOC, size=100, result=0x1000),
        Event(Function.NEW, size=7, result=0x80),
        Event(Function.NEW, size=7, alignment=32, result=0xA0),
        Event(Function.REALLOCARRAY, address=0x10, size=5, count=6, result=0x10),
        Event(Function.DELETE, address=0x80, size=7),
    )
    assert calls(workload) == [
        *[(A, 1, 24), (A, 2, 24), (A, 3, 100), (A, 4, 100), (A, 5, 7), (A, 6, 7), (R, 1, 30), (F, 5, 0)],
    ]
    assert workload.alignment.tolist() == [0, 0, 64, 4096, 0, 32, 0, 0]
    assert workload.zeroed.tolist() == [False, True, *[False] * 6]
    assert (workload.blocks, workload.threads, workload.prelude, workload.skipped) == (6, 1, 0, 0)
    assert (workload.name, workload.program, workload.complete) == ("program", ("program", "--option"), True)


def test_calls_that_need_no_allocator_are_left_out_and_not_counted(tmp_path: Path) -> None:
    workload = workload_of(
        tmp_path,
        Event(FREE),
        Event(M, size=8, result=0x10),
        Event(Function.USABLE_SIZE, address=0x10, result=16),
        Event(FREE, address=0x10),
    )
    assert calls(workload) == [(A, 1, 8), (F, 1, 0)]
    assert workload.skipped == 0


def test_a_resize_of_null_allocates_and_one_to_nothing_frees(tmp_path: Path) -> None:
    workload = workload_of(
        tmp_path, Event(REALLOC, size=8, result=0x10), Event(REALLOC, address=0x10, size=0), Event(M, result=0x10)
    )
    assert calls(workload) == [(A, 1, 8), (F, 1, 0), (A, 1, 0)]


def test_a_resize_to_nothing_that_returned_a_block_keeps_it(tmp_path: Path) -> None:
    events = [Event(M, size=8, result=0x10), Event(REALLOC, address=0x10, result=0x20), Event(FREE, address=0x20)]
    assert calls(workload_of(tmp_path, *events)) == [(A, 1, 8), (R, 1, 0), (F, 1, 0)]


def test_frees_of_unknown_blocks_and_failed_calls_are_counted_as_skipped(tmp_path: Path) -> None:
    workload = workload_of(
        tmp_path,
        Event(FREE, address=0x999),
        Event(M, size=2**60, errno=12),
        Event(M, size=8, result=0x10),
        Event(REALLOC, address=0x888, size=9, result=0x20),
        Event(FREE, address=0x20),
    )
    assert calls(workload) == [(A, 1, 8), (A, 2, 9), (F, 2, 0)]
    assert workload.skipped == 2


def test_threads_are_numbered_by_appearance_and_times_count_from_the_first_call(tmp_path: Path) -> None:
    workload = workload_of(
        tmp_path,
        Event(M, size=1, result=0x10, thread=70, time_ns=5_000_000),
        Event(M, size=2, result=0x20, thread=30, time_ns=7_900_000),
        Event(M, size=3, result=0x30, thread=70, time_ns=7_000_000),
        Event(FREE, address=0x10, thread=50, time_ns=65_000_000),
    )
    assert workload.thread.tolist() == [0, 1, 0, 2]
    assert workload.time_ms.tolist() == [0, 2, 2, 60]
    assert workload.threads == 3


def test_inherited_blocks_are_the_prelude(tmp_path: Path) -> None:
    trace = write_trace(tmp_path / "trace", [Event(FREE, address=0x10, thread=9, time_ns=4_000_000)])
    workload = Workload.of(trace, [Event(M, size=5, result=0x10), Event(Function.CALLOC, size=2, count=4, result=0x20)])
    assert calls(workload) == [(A, 1, 5), (A, 2, 8), (F, 1, 0)]
    assert (workload.prelude, workload.threads, workload.time_ms.tolist()) == (2, 1, [0, 0, 0])


@pytest.mark.parametrize("events", [[], [Event(FREE, address=0x10), Event(FREE)]])
def test_a_trace_that_allocates_nothing_is_refused(tmp_path: Path, events: list[Event]) -> None:
    path = tmp_path / "trace"
    message = re.escape(f"{path}: nothing to tune: no call in it allocates a block, of {len(events)}")
    with pytest.raises(TraceError, match=f"^{message}$"):
        workload_of(tmp_path, *events)


@pytest.mark.parametrize(
    ("event", "what"),
    [
        (Event(M, size=1 << 63, result=0x20), "9223372036854775808 bytes"),
        (Event(REALLOC, address=0x10, size=1 << 47, result=0x10), "140737488355328 bytes"),
        (Event(Function.CALLOC, size=1 << 40, count=1 << 20, result=0x20), "1152921504606846976 bytes"),
        (
            Event(Function.MEMALIGN, size=8, alignment=1 << 62, result=1 << 62),
            "8 bytes at a multiple of 4611686018427387904",
        ),
    ],
)
def test_a_block_that_no_address_space_holds_is_damage(tmp_path: Path, event: Event, what: str) -> None:
    path = tmp_path / "trace"
    with pytest.raises(TraceError) as caught:
        workload_of(tmp_path, Event(M, size=8, result=0x10), event)
    assert str(caught.value) == f"{path}: damaged: a block of {what}, which no address space holds"
    # Where it failed it is a call like others that failed, and one byte less is only large.
    assert len(workload_of(tmp_path, Event(M, size=(1 << 47) - 1, result=0x10), Event(M, size=1 << 63))) == 1


def test_threads_beyond_the_most_share_the_last_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("m4alloc.tune.workload.THREADS", 3)
    events = [Event(M, size=8, result=16 * n, thread=100 - n) for n in range(1, 7)]
    workload = workload_of(tmp_path, *events)
    assert (workload.thread.tolist(), workload.threads) == ([0, 1, 2, 2, 2, 2], 3)


def test_time_never_goes_backwards(tmp_path: Path) -> None:
    times = (5, 9, 7, 4, 12)
    events = [Event(M, size=8, result=16 * n, time_ns=ms * 10**6) for n, ms in enumerate(times, 1)]
    assert workload_of(tmp_path, *events).time_ms.tolist() == [0, 4, 4, 4, 7]


# Lives


@given(workloads())
@settings(max_examples=40, deadline=None)
def test_a_life_is_a_block_from_its_allocate_to_its_free(workload: Workload) -> None:
    current: dict[int, int] = {}
    expected = []
    for kind, block, _ in calls(workload):
        if kind == A:
            current[block] = len(set(expected))
        expected.append(current[block])
    assert workload.lives().tolist() == expected


# Excerpts, threads, files


@given(workloads(), st.data())
@settings(max_examples=40, deadline=None)
def test_an_excerpt_begins_with_what_was_live(workload: Workload, data: st.DataObject) -> None:
    first = data.draw(st.integers(0, len(workload) - 1))
    count = data.draw(st.integers(1, len(workload)))
    taken = workload.excerpt(first, count)
    check(taken)
    live: dict[int, int] = {}
    for kind, block, size in calls(workload)[:first]:
        live.pop(block, None) if kind != R else None
        if kind != F:
            live[block] = size
    assert calls(taken)[: taken.prelude] == [(A, place + 1, size) for place, size in enumerate(live.values())]
    part = slice(first, first + count)
    own = slice(taken.prelude, None)
    assert taken.kind[own].tolist() == workload.kind[part].tolist()
    assert taken.size[own].tolist() == workload.size[part].tolist()
    assert (np.diff(taken.time_ms[own]) == np.diff(workload.time_ms[part])).all()
    assert taken.complete == (workload.complete and first + count >= len(workload))


@given(workloads())
@settings(max_examples=40, deadline=None)
def test_an_excerpt_of_everything_is_the_same_but_for_the_numbers(workload: Workload) -> None:
    taken = workload.excerpt(0, len(workload))
    assert taken.lives().tolist() == workload.lives().tolist()
    assert taken.thread.tolist() == workload.thread.tolist()


@given(workloads(), st.integers(0, 2))
@settings(max_examples=40, deadline=None)
def test_a_thread_alone_frees_and_resizes_only_what_it_made(workload: Workload, thread: int) -> None:
    lives = workload.lives()
    made: set[int] = set()
    expected, strays = [], 0
    for place in np.flatnonzero(workload.thread == thread).tolist():
        kind, life = int(workload.kind[place]), int(lives[place])
        if kind == F and life not in made:
            strays += 1
            continue
        expected.append((A if life not in made else kind, int(workload.size[place])))
        made.add(life)
    if thread >= workload.threads or not expected:
        with pytest.raises(ValueError, match=f"^thread {thread}"):
            workload.select(thread)
        return
    taken = workload.select(thread)
    check(taken)
    assert list(zip(taken.kind.tolist(), taken.size.tolist(), strict=True)) == expected
    assert (taken.skipped, taken.threads) == (strays, 1)


@pytest.mark.parametrize(("first", "count"), [(2, 1), (-1, 1), (0, 0)])
def test_an_excerpt_of_calls_that_are_not_there_is_refused(first: int, count: int) -> None:
    message = re.escape(f"calls {first} to {first + count - 1}: the workload has calls 0 to 1")
    with pytest.raises(ValueError, match=f"^{message}$"):
        example([(A, 1, 8), (F, 1, 0)]).excerpt(first, count)


@given(workloads(), st.sampled_from(["w.m4t", "w.m4t.xz"]))
@settings(max_examples=40, deadline=None)
def test_a_workload_comes_back_equal_from_its_file(
    tmp_path_factory: pytest.TempPathFactory, workload: Workload, name: str
) -> None:
    path = tmp_path_factory.mktemp("file") / name
    workload.write(path)
    assert equal(load(path)[0], workload)


@given(workloads(), st.data())
@settings(max_examples=40, deadline=None)
def test_an_excerpt_comes_back_with_its_prelude(
    tmp_path_factory: pytest.TempPathFactory, workload: Workload, data: st.DataObject
) -> None:
    taken = workload.excerpt(data.draw(st.integers(0, len(workload) - 1)), 5)
    if not (taken.kind == A).any():
        return
    path = tmp_path_factory.mktemp("file") / "excerpt.m4t"
    taken.write(path)
    back = load(path)[0]
    assert back.prelude == taken.prelude
    for name in ("kind", "size", "alignment", "zeroed", "thread"):
        assert np.array_equal(getattr(back, name), getattr(taken, name)), name
    assert back.lives().tolist() == taken.lives().tolist()


# Recordings


def recording(folder: Path, *lengths: int) -> Path:
    """An index of images with so many calls each."""
    paths = []
    for number, length in enumerate(lengths):
        paths.append(folder / f"run.m4t.{100 + number}.0")
        write_trace(
            paths[-1], [Event(M, size=8, result=0x10 * (place + 1)) for place in range(length)], pid=100 + number
        )
    write_index(folder / "run.m4t", ["run"], 0, paths)
    return folder / "run.m4t"


def test_small_images_of_a_recording_are_left_out_and_said(tmp_path: Path) -> None:
    index = recording(tmp_path, 4, 20, 3)
    said: list[str] = []
    assert [len(workload) for workload in load(index, least=10, say=said.append)] == [20]
    assert said == [f"{index}: 2 of 3 images left out, of fewer than 10 calls (7 in all)"]


def test_the_largest_image_stays_however_small(tmp_path: Path) -> None:
    assert [len(workload) for workload in load(recording(tmp_path, 4, 7))] == [7]


def test_an_image_is_loaded_alone_by_its_own_name_with_what_it_was_forked_with(tmp_path: Path) -> None:
    write_trace(tmp_path / "run.m4t.1.0", [Event(M, size=8, result=0x10)] * 1, pid=1)
    child = [Event(FREE, address=0x10), Event(M, size=9, result=0x20)]
    write_trace(tmp_path / "run.m4t.2.0", child, pid=2, parent="run.m4t.1.0", fork_sequence=2)
    (workload,) = load(tmp_path / "run.m4t.2.0")
    assert calls(workload) == [(A, 1, 8), (F, 1, 0), (A, 1, 9)]


def test_an_image_whose_parent_is_missing_is_loaded_without_what_it_was_forked_with(tmp_path: Path) -> None:
    path = tmp_path / "run.m4t.2.0"
    write_trace(path, [Event(FREE, address=0x10), Event(M, size=9, result=0x20)], parent="run.m4t.1.0")
    said: list[str] = []
    (workload,) = load(path, say=said.append)
    assert (calls(workload), workload.skipped) == ([(A, 1, 9)], 1)
    assert said == [
        f"{path}: its parent's trace run.m4t.1.0 is not in {path}; the blocks that it was forked with are not known",
        f"{path}: 1 call left out: failed, or on pointers that were no block",
    ]


def test_a_recording_that_ended_by_its_limit_is_not_complete_and_that_is_said(tmp_path: Path) -> None:
    write_trace(tmp_path / "trace", [Event(M, size=8, result=0x10)], end_reason=EndReason.LIMIT)
    said: list[str] = []
    (workload,) = load(tmp_path / "trace", say=said.append)
    assert not workload.complete
    assert said == [f"{tmp_path / 'trace'}: ends before its program does (limit), after 1 call"]


def test_an_image_that_allocates_nothing_is_left_out_of_several_and_said(tmp_path: Path) -> None:
    index = recording(tmp_path, 4)
    write_trace(tmp_path / "run.m4t.200.0", [Event(FREE)] * 5, pid=200)
    write_index(index, ["run"], 0, [tmp_path / "run.m4t.100.0", tmp_path / "run.m4t.200.0"])
    said: list[str] = []
    assert [len(workload) for workload in load(index, least=1, say=said.append)] == [4]
    assert said == [f"{tmp_path / 'run.m4t.200.0'}: nothing to tune: no call in it allocates a block, of 5"]


def test_a_recording_of_which_nothing_allocates_is_refused(tmp_path: Path) -> None:
    paths = [tmp_path / "run.m4t.1.0", tmp_path / "run.m4t.2.0"]
    for path in paths:
        write_trace(path, [Event(FREE)])
    write_index(tmp_path / "run.m4t", ["run"], 0, paths)
    with pytest.raises(TraceError, match=r"run\.m4t: nothing to tune: no image in it allocates a block, of 2$"):
        load(tmp_path / "run.m4t")


def test_a_recording_without_any_image_is_refused(tmp_path: Path) -> None:
    write_index(tmp_path / "run.m4t", ["run"], 0, [])
    with pytest.raises(TraceError, match=r"run\.m4t: no process was recorded; see docs/record\.md"):
        load(tmp_path / "run.m4t")


def broken(folder: Path, how: str) -> Path:
    """A trace that cannot be read, and an index that names one that is not there."""
    path = folder / "trace"
    write(path, [Event(M, size=8, result=0x10)])
    content = path.read_bytes()
    changed = {
        "empty": b"",
        "short": content[:100],
        "version": content[:8] + b"\2" + content[9:],
        "text": b"malloc(8) = 0x10\n",
        "xz": lzma.compress(content)[:-30],
        "index": json.dumps(
            {"schema": "m4alloc/1", "kind": "trace-index", "program": [], "status": 0, "images": [{"file": "x"}]}
        ).encode(),
    }
    path.write_bytes(changed[how])
    return path


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("empty", "empty; a trace begins with a header of 4096 bytes"),
        ("short", "cut off: 100 bytes, and the header alone has 4096"),
        ("version", "trace version 2; this m4alloc reads version 1"),
        ("text", "neither its first bytes nor its name"),
        ("xz", "cut off: its xz stream has no end"),
        ("index", "its trace x is not beside it"),
    ],
)
def test_a_file_that_is_no_whole_trace_is_refused_with_the_reason(tmp_path: Path, how: str, message: str) -> None:
    path = broken(tmp_path, how)
    with pytest.raises(TraceError, match=f"^{re.escape(str(path))}: {message}"):
        load(path)


def test_the_last_record_of_a_trace_that_was_cut_off_in_it_is_not_read(tmp_path: Path) -> None:
    write(tmp_path / "trace", [Event(M, size=8, result=0x10), Event(M, size=9, result=0x20)])
    (tmp_path / "trace").write_bytes((tmp_path / "trace").read_bytes()[:-50])
    assert calls(load(tmp_path / "trace")[0]) == [(A, 1, 8)]


def test_a_written_workload_is_read_by_whatever_reads_traces(tmp_path: Path) -> None:
    example([(A, 1, 8), (R, 1, 20), (F, 1, 0)]).write(tmp_path / "trace")
    events = list(Trace.open(tmp_path / "trace").events())
    assert [event.function for event in events] == [M, REALLOC, FREE]
    assert events[0].result == events[1].address == events[1].result == events[2].address == 1 << 32
