"""Bytes that nobody has written may be copied and loaded; what decides something by them is told, nothing else."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.m4alloc.monitor.ended import Ended, program, run_case

GOOD = (
    *("padding", "partly", "bit fields", "text", "loaded", "passed around", "calloc", "realloc", "memset", "read"),
    *("printf", "every byte", "diagonal", "getline", "wide", "copied by hand", "sorted", "the fill written"),
)
BAD = {
    "branch": (4, 0),
    "one of four": (16, 4),
    "byte": (4, 1),
    "short": (8, 2),
    "loop": (16, 8),
    "switch": (16, 12),
    "returned": (16, 4),
    "strlen": (30, 0),
    "wcslen": (120, 0),
    "%s": (30, 0),
    "memcmp": (16, 0),
    "after a struct copy": (72, 4),
    "after memcpy": (164, 8),
    "after realloc": (80, 36),
    "after a large realloc": (400000, 350001),
    "aligned": (128, 28),
    "used again": (16, 4),
}
"""The bytes of the block, and where in it the read is."""
NOT_FOLLOWED = ("masked", "added")
"""What memcheck sees and this does not: the value that is compared is not the one that was loaded."""


def outcome(case: str, tmp_path: Path, *words: str, **options: str) -> Ended:
    target = program("initial", "--uninitialised", "-std=gnu11", *words)
    return run_case(target, case, tmp_path, **{"uninitialised": "1", "leaks": "no", **options})


@pytest.mark.slow
@pytest.mark.parametrize("level", ["-O0", "-O1", "-O2", "-O3"])
@pytest.mark.parametrize("case", GOOD)
def test_what_decides_nothing_is_not_told(case: str, level: str, tmp_path: Path) -> None:
    ended = outcome(case, tmp_path, level)
    assert (ended.findings, ended.ran.status) == ((), 0), str(ended.ran)


def test_loads_that_decided_nothing_are_counted_in_the_summary(tmp_path: Path) -> None:
    last = outcome("loaded", tmp_path, "-O0").ran.err.splitlines()[-1]
    assert re.fullmatch(
        r"m4alloc: \d+ loads? of what nobody has written, of which none was seen to decide anything", last
    )
    last = outcome("branch", tmp_path, "-O0", on_violation="continue").ran.err.splitlines()[-1]
    assert last.endswith(" of what nobody has written; those that were seen to decide something are reported")


@pytest.mark.slow
@pytest.mark.parametrize("level", ["-O0", "-O2"])
@pytest.mark.parametrize("case", BAD)
def test_what_decides_something_is_told_with_its_place_in_the_block(case: str, level: str, tmp_path: Path) -> None:
    ended = outcome(case, tmp_path, level)
    assert [each["class"] for each in ended.findings] == ["uninitialised-read"], str(ended.ran)
    size, offset = BAD[case]
    assert (ended.findings[0]["block"]["size"], ended.findings[0]["block"]["offset"]) == (size, offset), str(ended.ran)
    assert ended.ran.status == 1


@pytest.mark.parametrize("case", ["branch", "strlen", "switch", "after a struct copy"])
def test_clang_tells_the_same(case: str, tmp_path: Path) -> None:
    if shutil.which("clang") is None:
        pytest.skip("clang is missing: apt install clang")
    ended = outcome(case, tmp_path, "--compiler=clang", "-O1")
    assert [each["class"] for each in ended.findings] == ["uninitialised-read"], str(ended.ran)


def test_a_function_of_the_c_library_is_named(tmp_path: Path) -> None:
    assert outcome("strlen", tmp_path, "-O1").findings[0]["access"]["function"] == "strlen"


def test_nothing_is_told_unless_it_is_asked_for(tmp_path: Path) -> None:
    assert outcome("branch", tmp_path, "-O1", uninitialised="0").ran.status == 0


def test_a_value_is_told_once(tmp_path: Path) -> None:
    ended = outcome("loop", tmp_path, "-O0", on_violation="continue")
    assert len(ended.findings) == 1


@pytest.mark.parametrize("case", NOT_FOLLOWED)
def test_a_value_that_is_computed_from_another_is_not_followed(case: str, tmp_path: Path) -> None:
    assert outcome(case, tmp_path, "-O0").findings == ()
