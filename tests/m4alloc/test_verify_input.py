"""A program that runs several times is given the same input each time, whatever the input is."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from m4alloc.check.given_input import Input, repeatable


def first(given: Input, *words: str) -> bytes:
    done = subprocess.run(words, stdin=given.first, capture_output=True, timeout=30).stdout
    given.settle()
    return done


def again(given: Input) -> bytes:
    given.again.seek(0)
    return given.again.read()


@pytest.mark.parametrize("length", [0, 6, 1_000_000])
def test_a_pipe_is_read_as_it_comes_and_again_from_a_copy(length: int, tmp_path: Path) -> None:
    data = os.urandom(length)
    (tmp_path / "data").write_bytes(data)
    feeder = subprocess.Popen(["sh", "-c", f"sleep 0.1; cat {tmp_path}/data"], stdout=subprocess.PIPE)
    assert feeder.stdout is not None
    with feeder.stdout as stdin, repeatable(stdin) as given:
        assert first(given, "cat") == data
        assert again(given) == data == again(given)
    feeder.wait(timeout=30)


def test_a_pipe_that_nobody_closes_does_not_hold_up_a_program_that_does_not_look() -> None:
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb") as stdin, repeatable(stdin) as given:
        assert first(given, "echo", "done") == b"done\n"
        assert again(given) == b""
    os.close(write_end)


def test_what_a_program_leaves_unread_does_not_hold_up_its_end() -> None:
    feeder = subprocess.Popen(["yes"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    assert feeder.stdout is not None
    with feeder.stdout as stdin, repeatable(stdin) as given:
        assert first(given, "head", "-c", "4") == b"y\ny\n"
        held = again(given)
        assert held.startswith(b"y\ny\n") and held == again(given)
    feeder.wait(timeout=30)


@pytest.mark.parametrize(("skipped", "rest"), [(0, b"one\ntwo\n"), (4, b"two\n")])
def test_a_file_is_read_from_where_it_stands(tmp_path: Path, skipped: int, rest: bytes) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"one\ntwo\n")
    with path.open("rb", buffering=0) as raw:
        raw.seek(skipped)
        with repeatable(raw) as given:
            assert first(given, "cat") == rest
            assert again(given) == rest


def test_a_terminal_is_for_the_first_run_only() -> None:
    controller, terminal = os.openpty()
    with os.fdopen(terminal, "rb", buffering=0) as stdin, repeatable(stdin) as given:
        assert given.first == stdin.fileno()
        assert again(given) == b""
    os.close(controller)


def test_no_input_is_the_null_device() -> None:
    with repeatable(None) as given:
        assert first(given, "cat") == again(given) == b""
