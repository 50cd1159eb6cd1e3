"""What may crash runs in a child: its value, its end, and how far it was come back."""

from __future__ import annotations

import ctypes
import os
import time
from pathlib import Path

import pytest

from m4alloc.tune.prove_child import Ended, in_child


def test_the_value_of_a_child_comes_back() -> None:
    assert in_child(lambda counter: {"pid": os.getpid() != PID}) == Ended({"pid": True}, "", 0)


PID = os.getpid()
DESCRIPTORS = Path("/proc/self/fd")


def test_a_long_value_comes_back_whole() -> None:
    assert in_child(lambda counter: bytes(3 << 20)).value == bytes(3 << 20)


def test_a_crash_is_told_with_how_far_the_child_was_and_what_it_said() -> None:
    def work(counter: memoryview) -> None:
        counter[0] = 41
        os.write(2, b"beyond the end")
        ctypes.string_at(8)

    assert in_child(work) == Ended(None, "SIGSEGV", 41, "beyond the end")


def test_an_exception_is_told_by_its_text() -> None:
    def work(counter: memoryview) -> None:
        raise ValueError("no such thing")

    assert in_child(work).how == "ValueError: no such thing"


def test_a_child_that_ends_by_itself_is_told_by_its_status() -> None:
    assert in_child(lambda counter: os._exit(3)).how == "it ended with status 3"


def test_a_child_that_takes_too_long_is_killed() -> None:
    began = time.monotonic()
    assert in_child(lambda counter: time.sleep(30), 0.2).how == "no end within 0.2 s"
    assert time.monotonic() - began < 10


def children() -> set[str]:
    """Of this process, whichever thread began them; other tests of the same worker may have left helpers running."""
    if not Path("/proc/self/task", str(os.getpid()), "children").exists():
        pytest.skip("this kernel does not list the children of a process")
    return {pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()}


def test_no_child_is_left_and_no_descriptor(capfd: pytest.CaptureFixture[str]) -> None:
    before, running = len(list(DESCRIPTORS.iterdir())), children()
    for _ in range(3):
        in_child(lambda counter: os.write(2, b"x"))
    assert len(list(DESCRIPTORS.iterdir())) == before
    assert children() <= running
    assert capfd.readouterr().err == ""
