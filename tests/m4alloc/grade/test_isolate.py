"""What a child does ends the child alone, and is told."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from m4alloc.grade.isolate import isolated


def crashes() -> None:
    os.abort()


def leaves() -> None:
    os._exit(3)


def says_goodbye() -> None:
    sys.exit(1)


def grows() -> None:
    held = []
    while True:
        held.append(bytes(1 << 24))


def test_a_value_comes_back_whole() -> None:
    assert isolated(lambda: {"a": [1, 2.5, None]}, 5).value == {"a": [1, 2.5, None]}
    assert len(isolated(lambda: "x" * 300_000, 5).value) == 300_000


@pytest.mark.parametrize(
    ("work", "problem"),
    [
        (crashes, "the process was killed by SIGABRT"),
        (leaves, "the process ended with status 3"),
        (says_goodbye, "SystemExit: 1"),
    ],
)
def test_an_end_of_the_child_is_told(work: object, problem: str) -> None:
    assert isolated(work, 5).problem == problem  # type: ignore[arg-type]


def test_a_child_that_takes_too_long_is_ended_with_all_that_it_started() -> None:
    def waits() -> None:
        subprocess.Popen(["sleep", "31.4159"])
        time.sleep(30)

    begin = time.monotonic()
    assert isolated(waits, 0.3).problem == "no answer in 0.3 s"
    assert time.monotonic() - begin < 5
    assert "31.4159" not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def test_a_child_that_eats_memory_ends_by_itself() -> None:
    assert isolated(grows, 20, memory=1 << 28).problem == "MemoryError"


def test_what_a_child_prints_is_nobody_s_business(capfd: pytest.CaptureFixture[str]) -> None:
    assert isolated(lambda: print("hello") or 1, 5).value == 1
    assert capfd.readouterr().out == ""


def test_the_line_of_the_file_in_question_is_told() -> None:
    def fails() -> int:
        return 1 // 0

    assert "in fails: return 1 // 0)" in isolated(fails, 5, about=__file__).problem
