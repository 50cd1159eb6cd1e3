"""Workloads as lines of text, and the smallest part that still shows something."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from m4alloc.tune.prove_rows import LONGEST, from_rows, lives, part, smallest, to_rows

ROWS = """\
malloc 1 100
calloc 2 64 at=2
malloc 3 40 align=64 thread=1 at=2
realloc 1 5000 at=3
free 2 at=3
free 1 at=9
"""


def test_lines_that_are_read_are_written_alike() -> None:
    workload = from_rows(ROWS)
    assert to_rows(workload) == ROWS
    assert (workload.blocks, workload.threads, len(workload)) == (3, 2, 6)


@pytest.mark.parametrize(
    "line", ["mallok 1 8", "malloc 1", "free 1 8", "malloc x 8", "malloc 0 8", "malloc 1 8 by=3", "malloc 1 8 at=", ""]
)
def test_a_line_that_is_none_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(ValueError, match=r"^line 2: .*; `malloc BLOCK SIZE` or `free BLOCK` would be right$"):
        from_rows(f"malloc 1 8\n{line}\nfree 1")


def test_a_workload_that_is_too_long_is_not_kept() -> None:
    long = from_rows("malloc 1 8\nfree 1\n" * (LONGEST // 2 + 1))
    with pytest.raises(ValueError, match="100,002 calls are too many to be kept in a test; 100,000 are the most"):
        to_rows(long)


def test_a_life_ends_with_the_free_and_survives_a_resize() -> None:
    text = "malloc 1 8\nmalloc 2 8\nrealloc 1 80\nfree 1\nmalloc 1 8\nfree 2"
    assert lives(from_rows(text)).tolist() == [0, 1, 0, 0, 2, 1]


def test_parts_keep_whole_rows() -> None:
    assert to_rows(part(from_rows(ROWS), slice(2))) == "malloc 1 100\ncalloc 2 64 at=2\n"


@given(st.sets(st.integers(1, 60), min_size=1, max_size=4))
def test_the_smallest_part_has_the_lives_that_are_needed_and_no_others(needed: set[int]) -> None:
    workload = from_rows(
        "".join(f"malloc {n} {n}\n" for n in range(1, 61)) + "".join(f"free {n}\n" for n in range(1, 61))
    )
    found = smallest(workload, lambda one: needed <= set(one.size.tolist()), 10.0)
    assert set(found.size.tolist()) == {*needed, 0}
    assert len(found) == 2 * len(needed)


def test_without_time_nothing_is_left_out() -> None:
    workload = from_rows(ROWS)
    assert len(smallest(workload, lambda one: True, 0.0)) == len(workload)
