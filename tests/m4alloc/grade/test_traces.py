"""The traces that allocators are graded on, and plans made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from m4alloc.grade.patterns import PATTERNS
from m4alloc.grade.plan import functions_of, instructions, missing, operations
from m4alloc.grade.traces import bundled, counts, peak_live, traces_of
from m4alloc.trace.format import TraceError
from m4alloc.tune.workload import Kind, Workload, example
from spec.event import Function

EVERY = frozenset(Function)


@pytest.mark.parametrize("workload", bundled(), ids=lambda workload: workload.name)
def test_a_bundled_trace_frees_and_resizes_only_what_lives(workload: Workload) -> None:
    live: set[int] = set()
    for kind, block in zip(workload.kind.tolist(), workload.block.tolist(), strict=True):
        assert (block in live) == (kind != Kind.ALLOCATE)
        (live.discard if kind == Kind.FREE else live.add)(block)
    assert peak_live(workload)[0] > 100_000


def test_the_patterns_are_the_same_each_time() -> None:
    for pattern in PATTERNS:
        assert np.array_equal(pattern().size, pattern().size)


def test_the_lab_s_own_traces_are_read(tmp_path: Path) -> None:
    path = tmp_path / "short1-bal.rep"
    path.write_text("200\n3\n7\n1\na 0 100\na 1 30\nf 0\nr 1 300\na 2 50\nf 1\nf 2\n")
    (workload,) = traces_of([path])
    assert (workload.name, len(workload), peak_live(workload)[0]) == ("short1-bal", 7, 350)
    assert counts(workload) == {"malloc": 3, "calloc": 0, "aligned_alloc": 0, "realloc": 1, "free": 3}


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "a.rep").write_text("9\n1\n2\n1\na 0 9\nf 0\n")
    assert [workload.name for workload in traces_of([tmp_path / "a.rep"] * 2)] == ["a", "a-2"]
    for name in ("a-2.heap", "a.heap"):
        (tmp_path / name).write_text("a = malloc 9\n")
    found = traces_of([tmp_path / name for name in ("a.rep", "a-2.heap", "a.heap")])
    assert [workload.name for workload in found] == ["a", "a-2", "a-3"]


def test_a_file_that_is_no_trace_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TraceError, match="No such file or directory; a trace is wanted"):
        traces_of([tmp_path / "none.rep"])
    (tmp_path / "bad.rep").write_text("9\n1\n2\n1\nz 0 9\n")
    with pytest.raises(TraceError, match="expected a, r or f"):
        traces_of([tmp_path / "bad.rep"])


def test_an_alignment_is_asked_of_what_there_is() -> None:
    workload = example([(Kind.ALLOCATE, 1, 8)])
    workload.alignment[:] = 64
    assert functions_of(workload, frozenset({Function.POSIX_MEMALIGN})).tolist() == [Function.POSIX_MEMALIGN]
    assert missing(workload, frozenset({Function.MALLOC})) == ("aligned_alloc", 1)
    assert missing(workload, EVERY) is None


def test_instructions_and_operations_mean_the_same_blocks() -> None:
    workload = PATTERNS[3]()
    rows = instructions(workload, EVERY)
    live: list[int] = []
    for row, operation in zip(rows[:600], operations(workload, EVERY, 600), strict=True):
        assert row["function"] == operation.function and row["size"] == operation.size
        if operation.function is Function.MALLOC:
            live.append(int(row["slot"]))
        else:
            assert live.pop(len(live) - 1 - operation.block) == row["slot"]
    for slot in range(20):
        assert rows["turn"][rows["slot"] == slot].tolist() == list(range((rows["slot"] == slot).sum()))
