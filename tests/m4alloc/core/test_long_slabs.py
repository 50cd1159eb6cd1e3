"""Slabs of many slots: what other threads free of one is found by its marks, part by part, and nothing is missed.

The interleaving checker's slabs have eight slots. Here they are long ones, of parts of four, so that every scenario of
remote frees is one of marks too.
"""

import subprocess
from pathlib import Path

import pytest

from m4alloc import _build
from tests.m4alloc.native import CORES, PRELOAD, build, run

CLASSES = 40
LONG = "slab_bytes=" + "/".join([str(8 << 20)] * CLASSES)
MARKS = {"M4_UNMARKED_MAX": 4, "M4_PART_SHIFT": 2}
REMOTE = [
    *("drain", "drain-delayed", "two-publishers", "two-slabs", "dissolve", "dissolve-reuse", "owner-exits", "orphans"),
]


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checker with such slabs."""
    try:
        return _build.compile_checker(tmp_path_factory.mktemp("checker") / "m4interleave", defines=MARKS)
    except _build.BuildError as error:
        pytest.skip(str(error))


@pytest.mark.slow
@pytest.mark.parametrize("bound", [1, pytest.param(2, marks=pytest.mark.campaign)])
@pytest.mark.parametrize("scenario", REMOTE)
def test_no_interleaving_loses_a_remote_free_of_a_marked_part(checker: Path, scenario: str, bound: int) -> None:
    argv = [str(checker), scenario, "bound", str(bound), "1", "1000000000"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and '"complete": true' in done.stdout and "failure" not in done.stdout, done


@pytest.mark.parametrize("strategy", [LONG, LONG + ",delay_line=0", LONG + ",history=1,side_bytes=16"])
def test_threads_lose_no_byte_in_long_slabs(strategy: str) -> None:
    argv: list[str | Path] = [build(PRELOAD / "stress.c"), str(CORES + 2), "0.4"]
    ran = run(argv, environment={"M4ALLOC_STRATEGY": strategy})
    assert ran.status == 0 and ran.out.endswith(" blocks checked, 0 lost\n"), ran
