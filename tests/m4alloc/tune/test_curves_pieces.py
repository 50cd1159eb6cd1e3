"""Pieces: what is counted."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from m4alloc.strategy import StrategyError, default_classes
from m4alloc.tune.curves_pieces import EMPTY, LARGE, pieces, rounded
from m4alloc.tune.workload import Kind, Workload
from tests.m4alloc.tune.curves_cases import workload, workloads

CLASSES = (16, 48, 128, 1024, 8192)
Row = tuple[int, int, int, int, int]


def plain(work: Workload, classes: tuple[int, ...]) -> list[Row]:
    """Begin, end, size, maker and freer of each piece, by the book."""
    rows: list[list[int]] = []
    current: dict[int, int] = {}
    for call in range(len(work)):
        block, size, thread = int(work.block[call]), int(work.size[call]), int(work.thread[call])
        if work.kind[call] == Kind.RESIZE:
            old = rows[current[block]][2]
            slot = next((one for one in classes if one >= old), 0) if old else 0
            pages = (old + 4095) // 4096 == (size + 4095) // 4096
            stays = (slot and 0 <= size <= slot and (size > slot // 2 or slot <= 32)) or (
                classes and old > classes[-1] and size > classes[-1] and pages
            )
            if size == old or stays:
                continue
        if work.kind[call] != Kind.ALLOCATE:
            rows[current[block]][1] = call
            rows[current[block]][4] = thread
        if work.kind[call] != Kind.FREE:
            current[block] = len(rows)
            rows.append([call, len(work), size, thread, -1])
    return [(row[0], row[1], row[2], row[3], row[4]) for row in rows]


@given(workloads(), st.sampled_from(((), CLASSES)))
@settings(max_examples=60, deadline=None)
def test_the_pieces_are_those_of_a_plain_walk_over_the_calls(work: Workload, classes: tuple[int, ...]) -> None:
    parts = pieces(work, classes)
    columns = (parts.begin, parts.end, parts.size, parts.maker, parts.freer)
    # A block that stays in its slot keeps the size that it was first asked for.
    assert list(zip(*(column.tolist() for column in columns), strict=True)) == plain(work, classes)


@given(workloads())
@settings(max_examples=20, deadline=None)
def test_each_call_begins_and_ends_what_begins_and_ends_there(work: Workload) -> None:
    parts = pieces(work)
    begin, end = parts.begin_at(), parts.end_at()
    assert all(begin[parts.begin] == np.arange(len(parts)))
    assert sorted(end[end >= 0]) == np.flatnonzero(parts.end < len(work)).tolist()


def test_the_class_is_the_smallest_that_holds_the_request_and_keeps_its_alignment() -> None:
    work = workload([(Kind.ALLOCATE, n + 1, size, 0) for n, size in enumerate((1, 17, 100, 8193, 0))])
    assert pieces(work, CLASSES).slot.tolist() == [0, 1, 2, LARGE, EMPTY]
    work.alignment[:] = [64, 64, 256, 16, 1 << 17]
    assert pieces(work, CLASSES).slot.tolist() == [2, 2, 3, LARGE, EMPTY]
    assert pieces(work).need.tolist() == [64, 64, 256, 8208, 0]


@pytest.mark.parametrize(
    ("size", "to", "count"), [(128, 65, 1), (128, 64, 2), (48, 25, 1), (48, 24, 2), (16, 1, 1), (17, 0, 2)]
)
def test_a_resize_to_half_of_a_slot_or_less_moves_unless_the_slot_is_small(size: int, to: int, count: int) -> None:
    assert len(pieces(workload([(Kind.ALLOCATE, 1, size, 0), (Kind.RESIZE, 1, to, 0)]), CLASSES)) == count


def test_sizes_are_rounded_to_granules_and_above_32768_to_pages() -> None:
    assert rounded(np.array([1, 16, 32768, 32769, 40960])).tolist() == [16, 16, 32768, 36864, 40960]
    assert rounded(np.array(default_classes())).tolist() == list(default_classes())


def test_classes_that_do_not_increase_are_refused() -> None:
    with pytest.raises(StrategyError, match=r"^classes are \(32, 16\); they must be positive and increase$"):
        pieces(workload([]), (32, 16))


def test_without_numba_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['numba'] = None\n"
        "from m4alloc.tune.curves import live_curve\n"
        "from m4alloc.tune.example import example_workload\n"
        "live_curve(example_workload(5))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.endswith("ModuleNotFoundError: the exact answers need numba: pip install 'm4alloc[tune]'\n"), (
        done.stderr
    )
