"""The example finds the published overlap, shrunk to its smallest size, and the mended allocator has none."""

from __future__ import annotations

import subprocess
import sys
from itertools import pairwise
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from examples.bump_allocator_overlap import SIZES, bump

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "bump_allocator_overlap.py"


def test_the_example_finds_malloc_65537() -> None:
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    published, mended = done.stdout.splitlines()
    shown = "malloc(65537) is 0x10000 [rwxRW,0x10000-0x20020], and malloc(16) begins inside it: 0x20010"
    assert published.startswith(f"as published: {shown}")
    assert mended == "mended: nothing found"


def test_below_65537_the_published_allocator_is_right_whatever_the_sizes() -> None:
    for size in range(1, 65537, 37):
        before, after = bump([size, 16], by_bounds=False)
        assert before.top <= after.base


@settings(max_examples=300)
@given(st.lists(st.one_of(SIZES, st.integers(1, 1 << 20)), min_size=2, max_size=6))
def test_advancing_by_the_representable_length_leaves_no_overlap(sizes: list[int]) -> None:
    blocks = bump(sizes, by_bounds=True)
    assert all(block.tag and block.base == block.address for block in blocks)
    assert all(before.top <= after.base for before, after in pairwise(blocks))


def test_the_example_is_a_property_of_thirty_lines() -> None:
    assert len([line for line in EXAMPLE.read_text(encoding="utf-8").splitlines() if line]) <= 30
