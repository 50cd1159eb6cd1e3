"""Threads exchange blocks, come and go: no byte is lost and nothing piles up."""

import re
from pathlib import Path

import pytest

from tests.m4alloc.native import CORES, PRELOAD, assert_holds, build, checks, run


@pytest.mark.parametrize("check", checks(PRELOAD / "threads.c"))
def test_threads(check: str) -> None:
    assert_holds(PRELOAD / "threads.c", check, timeout=90)


def stress(threads: int, seconds: float, environment: dict[str, str] | None = None) -> None:
    """Every block of the run kept its pattern, and there were at least 2,000 a second."""
    argv: list[str | Path] = [build(PRELOAD / "stress.c"), str(threads), str(seconds)]
    ran = run(argv, timeout=seconds + 60, environment=environment)
    assert (ran.status, ran.err) == (0, ""), ran
    counted = re.fullmatch(r"(\d+) blocks checked, 0 lost\n", ran.out)
    assert counted is not None and int(counted[1]) > 2000 * seconds, ran


@pytest.mark.slow
def test_more_threads_than_cores_lose_no_byte() -> None:
    stress(CORES + 2, 5)


@pytest.mark.campaign
def test_more_threads_than_cores_lose_no_byte_in_a_minute() -> None:
    stress(4 * CORES, 60)


@pytest.mark.slow
def test_no_large_block_overlaps_what_a_thread_maps_all_the_while() -> None:
    assert_holds(PRELOAD / "neighbours.c", "no_large_block_overlaps_what_a_thread_maps_all_the_while")
