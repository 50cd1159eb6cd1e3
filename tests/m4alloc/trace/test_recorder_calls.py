"""Every call of a program is in its trace, once, in an order that the calls could have had."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest

from m4alloc.lib import recorder
from m4alloc.trace.read import Trace
from spec.error import Misuse
from spec.event import Event, Function
from spec.history import accept
from tests.m4alloc.native import run
from tests.m4alloc.trace.recording import (
    ALLOCATORS,
    allocator,
    calls_from,
    own_counts,
    program,
    recorded,
)


def assert_admitted(trace: Trace, events: Iterable[Event] | None = None) -> None:
    """The contract holds, so the order and the addresses recorded fit each other.

    mimalloc and jemalloc align a block of 8 bytes to 8, which C17 does not allow and which is no matter here.
    """
    findings = accept(trace.events() if events is None else events).findings
    assert [str(finding) for finding in findings if "result-aligned-fundamental" not in str(finding)] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ALLOCATORS)
def test_every_call_of_every_thread_is_recorded_once(name: str, tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "threads", "4", "2000"], tmp_path, on=allocator(name))
    assert ran.status == 0, ran
    trace = ran.only
    pid, low, high, counts = own_counts(ran.out)
    assert trace.pid == pid
    assert counts["malloc"] == 8000
    assert calls_from(trace, low, high) == counts
    assert len({event.thread for event in trace.events()}) == 5
    assert_admitted(trace)


def test_numbers_are_drawn_from_one_counter_around_each_call(tmp_path: Path) -> None:
    trace = recorded([program("calls.c"), "threads", "3", "1000"], tmp_path).only
    records = trace.records[trace.order()]
    numbers = np.sort(np.concatenate([records["begin"], records["end"]]))
    assert (records["begin"] < records["end"]).all()
    assert (numbers == np.arange(1, len(numbers) + 1)).all()


def test_calls_of_one_thread_do_not_overlap(tmp_path: Path) -> None:
    trace = recorded([program("calls.c"), "threads", "3", "1000"], tmp_path).only
    records = trace.records[trace.order()]
    for thread in np.unique(records["thread"]):
        own = records[records["thread"] == thread]
        assert (own["end"][:-1] < own["begin"][1:]).all()
        assert (own["time_ns"][:-1] <= own["time_ns"][1:]).all()


@pytest.mark.parametrize("name", ALLOCATORS)
def test_children_and_the_programs_they_become_have_traces_of_their_own(name: str, tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "fork", "300"], tmp_path, on=allocator(name))
    assert ran.status == 0, ran
    parent, *others = ran.tree.traces
    lines = {own_counts(line)[0]: line for line in ran.out.splitlines()}
    pid, low, high, counts = own_counts(lines[parent.pid])
    assert calls_from(parent, low, high) == counts
    children = [trace for trace in others if trace.parent is not None]
    assert [child.parent for child in children] == [parent.path.name] * 2
    assert [child.parent_pid for child in children] == [parent.pid] * 2
    successors = [trace for trace in others if trace.parent is None]
    assert [(trace.image, trace.command[1]) for trace in successors] == [(1, "threads")]
    assert successors[0].pid in {child.pid for child in children}
    for line in ran.out.splitlines():
        pid, low, high, counts = own_counts(line)
        traces = [trace for trace in ran.tree.traces if trace.pid == pid]
        assert counts in [calls_from(trace, low, high) for trace in traces]


@pytest.mark.parametrize("name", ALLOCATORS)
def test_a_forked_child_begins_with_the_blocks_of_its_parent(name: str, tmp_path: Path) -> None:
    tree = recorded([program("calls.c"), "fork", "300"], tmp_path, on=allocator(name)).tree
    for trace in tree.traces:
        assert_admitted(trace, tree.history(trace))
    child = next(trace for trace in tree.traces if trace.parent is not None)
    inherited = tree.inherited(child)
    assert [event.size for event in inherited].count(1000) == 1
    assert max(event.end for event in inherited) <= child.fork_sequence < min(event.begin for event in child.events())
    alone = accept(child.events())
    assert [finding.kind for finding in alone.findings if isinstance(finding, Misuse)] == ["invalid-free"]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m4alloc", "system"])
def test_children_forked_while_other_threads_are_in_calls_start_from_the_right_heap(name: str, tmp_path: Path) -> None:
    ran = recorded([program("storm.c"), "5"], tmp_path, on=name)
    assert (ran.status, ran.out) == (0, "0 failed\n"), ran
    parent, *children = ran.tree.traces
    assert [child.parent for child in children] == [parent.path.name] * 5
    for child in children:
        assert child.used > 1000
        assert_admitted(child, ran.tree.history(child))
    assert_admitted(parent)


def test_a_fork_that_no_handler_sees_is_seen_by_the_recorder(tmp_path: Path) -> None:
    ran = recorded([program("ends.c"), "raw-fork"], tmp_path)
    parent, child = ran.tree.traces
    assert child.parent == parent.path.name
    assert child.used == 101
    assert_admitted(child, ran.tree.history(child))
    assert_admitted(parent)


def test_a_vforked_child_records_into_the_memory_it_shares(tmp_path: Path) -> None:
    ran = recorded([program("ends.c"), "vfork"], tmp_path)
    assert ran.out == "ended\nended\n"
    parent, child = ran.tree.traces
    assert [trace.parent for trace in ran.tree.traces] == [None, None]
    assert parent.used - child.used == 20, "what the child did before it became another program"
    for trace in ran.tree.traces:
        assert_admitted(trace)


def test_a_program_that_closes_every_file_is_recorded_to_the_end(tmp_path: Path) -> None:
    ran = recorded([program("calls.c"), "close", "5000"], tmp_path)
    assert ran.status == 0, ran
    _, low, high, counts = own_counts(ran.out)
    assert calls_from(ran.only, low, high) == counts
    assert counts["malloc"] == 10000


def test_without_a_prefix_calls_are_passed_on_and_nothing_is_written(tmp_path: Path) -> None:
    plain = run(
        [program("calls.c"), "threads", "2", "100"],
        preload=False,
        environment={"LD_PRELOAD": str(recorder())},
        directory=tmp_path,
    )
    assert plain.status == 0, plain
    assert own_counts(plain.out)[3]["malloc"] == 200
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", ["m4alloc", "system"])
def test_python_with_threads_and_processes_is_recorded(name: str, tmp_path: Path) -> None:
    script = (
        "import multiprocessing, threading\n"
        "pool = multiprocessing.get_context('fork').Pool(2)\n"
        "threads = [threading.Thread(target=lambda: [str(i) * 9 for i in range(500)]) for _ in range(3)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]\n"
        "print(sum(pool.map(len, [[1] * n for n in range(50)])))\n"
    )
    ran = recorded(
        [sys._base_executable, "-S", "-c", script],  # type: ignore[attr-defined]
        tmp_path,
        on=allocator(name),
        env={"PYTHONMALLOC": "malloc"},
    )
    assert (ran.status, ran.out) == (0, "1225\n"), ran
    parents = [trace for trace in ran.tree.traces if trace.parent is None]
    assert len(parents) == 1
    assert len(ran.tree.children(parents[0])) == 2
    assert len({event.thread for event in parents[0].events()}) >= 4
    first_child = ran.tree.children(parents[0])[0]
    assert_admitted(first_child, ran.tree.history(first_child))
    assert_admitted(parents[0])
    assert sum(1 for event in parents[0].events() if event.function is Function.MALLOC) > 10000
