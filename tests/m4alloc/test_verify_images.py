"""Process images are judged from the heap they really started with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from m4alloc.check import images
from m4alloc.check.images import Judges, calls_in
from m4alloc.check.lives import calls_of
from m4alloc.trace.read import Trace
from spec.event import Event, Function
from tests.m4alloc.traces import write_trace

A, B, C = 0x1000, 0x2000, 0x3000


def malloc(result: int, begin: int = 0, end: int = 0, thread: int = 0) -> Event:
    return Event(Function.MALLOC, size=24, usable=32, result=result, begin=begin, end=end, thread=thread)


def free(address: int, begin: int = 0, end: int = 0, thread: int = 0) -> Event:
    return Event(Function.FREE, address=address, begin=begin, end=end, thread=thread)


def judge(*traces: Trace) -> list[images.Judged]:
    return Judges(traces, "c17").run()


def found(judged: list[images.Judged]) -> list[list[str]]:
    return [
        [*(one.rule.name for one in each.acceptor.violations), *(one.kind for one in each.acceptor.misuses)]
        for each in judged
    ]


@pytest.mark.parametrize("later", [0, 1, 2, 5])
def test_a_child_may_free_what_its_parent_had_at_the_fork_and_nothing_else(tmp_path: Path, later: int) -> None:
    parent = write_trace(
        tmp_path / "p.1.0", [malloc(A), malloc(B), free(B), *[malloc(C + 64 * n) for n in range(later)]]
    )
    child = write_trace(tmp_path / "p.2.0", [free(A), free(B), free(C)], pid=2, parent="p.1.0", fork_sequence=6)
    judged = judge(parent, child)
    assert found(judged) == [[], ["double-free", "invalid-free"]]
    assert judged[1].parent == 0 and len(judged[1].lives.survivors) == 0


@pytest.mark.parametrize("later", [0, 1, 2])
def test_what_a_thread_is_handed_after_the_fork_is_free_in_the_child(tmp_path: Path, later: int) -> None:
    """Thread 1 is inside malloc while thread 0 forks: the parent gets A, the child may hand out A itself."""
    events = [
        malloc(B, 1, 2),
        malloc(A, 3, 6, thread=1),
        *[malloc(C + 64 * n, 8 + 2 * n, 9 + 2 * n) for n in range(later)],
    ]
    parent = write_trace(tmp_path / "p.1.0", events)
    child = write_trace(tmp_path / "p.2.0", [malloc(A)], pid=2, parent="p.1.0", fork_sequence=5)
    assert found(judge(parent, child)) == [[], []]


@pytest.mark.parametrize("last_number", [3, 4])
def test_what_is_being_freed_at_the_fork_is_no_longer_the_childs(tmp_path: Path, last_number: int) -> None:
    parent = write_trace(
        tmp_path / "p.1.0", [malloc(A, 1, 2), free(A, 3, 7, thread=1), malloc(B, 5, 6), malloc(C, 8, 9)]
    )
    child = write_trace(tmp_path / "p.2.0", [malloc(A)], pid=2, parent="p.1.0", fork_sequence=last_number)
    assert found(judge(parent, child)) == [[], []]


def test_a_grandchild_inherits_through_its_parent(tmp_path: Path) -> None:
    parent = write_trace(tmp_path / "p.1.0", [malloc(A), malloc(B)])
    child = write_trace(tmp_path / "p.2.0", [free(A), malloc(C)], pid=2, parent="p.1.0", fork_sequence=4)
    last = write_trace(tmp_path / "p.3.0", [free(B), free(C), free(A)], pid=3, parent="p.2.0", fork_sequence=8)
    judged = judge(last, child, parent)
    assert found(judged) == [[], [], ["double-free"]]
    inherited = [sorted(one.lives.base[one.lives.born < 0].tolist()) for one in judged]
    assert inherited == [[], [A, B], [B, C]]


def test_siblings_do_not_see_each_other(tmp_path: Path) -> None:
    parent = write_trace(tmp_path / "p.1.0", [malloc(A), malloc(B), malloc(C)])
    one = write_trace(tmp_path / "p.2.0", [free(A), malloc(A)], pid=2, parent="p.1.0", fork_sequence=2)
    two = write_trace(tmp_path / "p.3.0", [free(A), free(B), free(C)], pid=3, parent="p.1.0", fork_sequence=4)
    assert found(judge(parent, one, two)) == [[], [], ["invalid-free"]]


def test_a_child_whose_parents_trace_is_missing_is_left_out_and_named(tmp_path: Path) -> None:
    child = write_trace(tmp_path / "p.2.0", [free(A)], pid=2, parent="p.1.0", fork_sequence=4)
    judges = Judges([child], "c17")
    assert judges.run() == []
    assert [trace.pid for trace in judges.orphans] == [2]


def test_an_image_after_exec_starts_from_nothing(tmp_path: Path) -> None:
    first = write_trace(tmp_path / "p.1.0", [malloc(A)])
    second = write_trace(tmp_path / "p.1.1", [malloc(A)], image=1)
    assert found(judge(first, second)) == [[], []]


def test_progress_counts_the_events_of_all_images_and_ends_at_their_sum(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spec.history.PROGRESS_EVERY", 2)
    parent = write_trace(tmp_path / "p.1.0", [malloc(A + 64 * n) for n in range(20)])
    child = write_trace(
        tmp_path / "p.2.0", [free(A + 64 * n) for n in range(5)], pid=2, parent="p.1.0", fork_sequence=20
    )
    told: list[int] = []
    Judges([parent, child], "c17", told.append).run()
    assert told == sorted(told) and told[-1] == 25


def test_what_was_judged_before_a_stop_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "BLOCK", 4)
    trace = write_trace(tmp_path / "p.1.0", [malloc(A + 64 * n) for n in range(20)])
    answers = iter([False, False, False, True])
    judged = Judges([trace], "c17", stop=lambda: next(answers)).run()
    assert judged[0].acceptor.events == 8
    assert judged[0].acceptor.tally["result-disjoint"] == 8


EVENTS = st.fixed_dictionaries(
    {
        "function": st.sampled_from([function for function in Function if function < Function.LOAD]),
        "address": st.sampled_from([0, A, B, (1 << 64) - 16]),
        "size": st.sampled_from([0, 24, 1 << 50, 1 << 63]),
        "count": st.sampled_from([0, 1, 3, 1 << 60]),
        "result": st.sampled_from([0, A, C, (1 << 64) - 16]),
        "usable": st.sampled_from([-1, 0, 32, (1 << 63) - 1]),
    }
).map(lambda fields: Event(**fields))


@given(st.lists(EVENTS, max_size=10))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_columns_of_a_file_are_the_columns_of_its_events(tmp_path: Path, events: list[Event]) -> None:
    trace = write_trace(tmp_path / "p.1.0", events)
    from_file, from_events = calls_in(trace), calls_of(trace.events())
    for name in from_file.__slots__:
        assert getattr(from_file, name).tolist() == getattr(from_events, name).tolist(), name
