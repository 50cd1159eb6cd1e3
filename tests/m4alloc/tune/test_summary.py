"""A workload's numbers are those of a plain walk over its calls."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings

from m4alloc.tune.summary import SizeRow, live_bytes, remote, summary
from m4alloc.tune.workload import Kind, Workload, example
from tests.m4alloc.tune.test_workload import calls, workloads


@given(workloads())
@settings(max_examples=40, deadline=None)
def test_live_bytes_are_those_of_a_walk(workload: Workload) -> None:
    live: dict[int, int] = {}
    expected = []
    for kind, block, size in calls(workload):
        live[block] = size
        if kind == Kind.FREE:
            del live[block]
        expected.append(sum(live.values()))
    assert live_bytes(workload).tolist() == expected
    found = summary(workload)
    assert (found.peak_live, found.live_at_end, found.kept) == (max(expected), expected[-1], len(live))


@given(workloads())
@settings(max_examples=40, deadline=None)
def test_a_remote_free_is_by_another_thread_than_the_last_size(workload: Workload) -> None:
    owner: dict[int, int] = {}
    expected = []
    threads = workload.thread.tolist()
    for (kind, block, _), thread in zip(calls(workload), threads, strict=True):
        expected.append(kind == Kind.FREE and owner[block] != thread)
        owner[block] = thread
    assert remote(workload).tolist() == expected
    assert summary(workload).remote_frees == sum(expected)


@given(workloads())
@settings(max_examples=40, deadline=None)
def test_lives_are_counted_in_calls(workload: Workload) -> None:
    begun: dict[int, int] = {}
    lives = []
    for place, (kind, block, _) in enumerate(calls(workload)):
        if kind == Kind.ALLOCATE:
            begun[block] = place
        elif kind == Kind.FREE:
            lives.append(place - begun[block])
    found = summary(workload)
    if lives:
        assert found.median_life == sorted(lives)[len(lives) // 2]
        assert found.long_life == sorted(lives)[len(lives) * 9 // 10]
    else:
        assert (found.median_life, found.long_life) == (0, 0)


@given(workloads())
@settings(max_examples=40, deadline=None)
def test_every_call_is_counted_once(workload: Workload) -> None:
    found = summary(workload)
    assert found.allocates + found.frees + found.resizes == found.calls == len(workload)
    assert found.requested == int(workload.size.sum())
    assert found.sizes == len(set(workload.size[workload.kind != Kind.FREE].tolist()))


def test_the_table_has_the_most_frequent_sizes_and_the_largest_in_bytes() -> None:
    requests = [(1, block, size) for block, size in enumerate([8] * 5 + [16] * 4 + [9, 10, 11] * 3 + [5000, 4000], 1)]
    top = summary(example([*requests, (1, 99, 7)])).top
    assert top[0] == SizeRow(8, 5, 40)
    assert SizeRow(5000, 1, 5000) in top
    assert 7 not in {row.size for row in top}


def test_what_is_not_whole_is_said() -> None:
    workload = replace(example([(1, 1, 8), (2, 1, 0)]), prelude=1, skipped=2, complete=False)
    lines = summary(workload).lines()
    assert lines[1:4] == [
        "begins with 1 block that it did not make itself",
        "2 calls left out",
        "ends before the program does",
    ]


def test_a_summary_of_one_call_divides_by_nothing() -> None:
    found = summary(example([(1, 1, 0)]))
    assert (found.peak_live, found.sizes, found.top) == (0, 1, (SizeRow(0, 1, 0),))
    assert np.isfinite(found.seconds)
    assert len(found.lines()) > 5
