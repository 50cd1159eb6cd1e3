"""What rare calls cost, in instructions: bounded by what was done since the last one, not by how long a slab is."""

import re
import shutil
from pathlib import Path

import pytest

from tests.m4alloc.native import PRELOAD, build, library, run

pytestmark = pytest.mark.campaign


def instructions(strategy: str, frees: int) -> int:
    """Instructions of a program in which a thread frees so many blocks of another's, which collects them, and exits."""
    tool = shutil.which("valgrind")
    if tool is None or not library():
        pytest.skip("valgrind is missing: apt install valgrind")
    argv: list[str | Path] = [tool, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    environment = {"M4ALLOC_STRATEGY": strategy, "M4ALLOC_RESERVE": str(1 << 30)}
    ran = run([*argv, build(PRELOAD / "drain.c"), str(frees)], environment=environment, timeout=300)
    found = re.search(r"Collected : (\d+)", ran.err)
    assert ran.status == 0 and found is not None, ran
    return int(found[1])


def test_a_drain_looks_at_the_parts_that_were_freed_into_and_not_at_the_whole_slab() -> None:
    """A remote free in a slab of four million slots costs not many times what it costs in one of four thousand."""
    cost = {}
    for units in (1, 1024):
        strategy = f"classes=16,slab_bytes={units << 16}"
        cost[units] = (instructions(strategy, 8448) - instructions(strategy, 256)) / 8192
    assert cost[1024] < 10 * cost[1], cost


def test_an_exiting_thread_reads_through_its_line_for_other_threads_slots_once() -> None:
    strategy = "classes=16,quarantine=32768,quarantine_bytes=1073741824"
    few, many = instructions(strategy, 2048), instructions(strategy, 16384)
    assert many - few < 5000 * (16384 - 2048), (few, many)  # some hundreds each; the square of the line before
