"""What a review found wrong once: threads of every kind, their memory, labels that fail one block after another."""

from __future__ import annotations

import functools
import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest

from m4alloc.lib import include
from m4alloc.monitor.compiler import LIBRARY, command
from tests.m4alloc.native import Ran, run

HERE = Path(__file__).parent / "mended"
UNTOUCHED = "block: [](access -> (!done W free))"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-mended-")


@functools.cache
def program(name: str, *words: str) -> Path:
    """The program mended/NAME.c. words: for `m4alloc cc`."""
    if not Path(LIBRARY).exists():
        pytest.skip("libm4monitor.so is not built")
    target = Path(_folder().name) / "".join([name, *words]).replace("/", "_")
    options = ["-g", "-w", "-O1", "-pthread", f"-I{include()}", *words, str(HERE / f"{name}.c"), "-o", str(target)]
    done = subprocess.run(command(options), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return target


def watch(target: Path, directory: Path, *arguments: str, **options: str) -> tuple[Ran, list[dict[str, Any]]]:
    """A run with further M4ALLOC_OPTIONS, and its findings."""
    report = directory / "report.json"
    words = ",".join(f"{key}={value}" for key, value in {"json": str(report), **options}.items())
    ran = run([target, *arguments], preload=False, environment={"M4ALLOC_OPTIONS": words}, timeout=90)
    lines = [json.loads(line) for line in report.read_text().splitlines()] if report.exists() else []
    return ran, [line for line in lines if line["class"] not in {"begin", "end"}]


@pytest.mark.parametrize("way", ["thrd", "timer"])
def test_an_access_by_any_other_thread_is_one_however_that_thread_was_made(way: str, tmp_path: Path) -> None:
    ran, findings = watch(program("threads", "--property", UNTOUCHED), tmp_path, way)
    assert (ran.status, findings) == (0, []), str(ran)


def test_an_access_by_the_thread_of_the_label_itself_is_still_seen(tmp_path: Path) -> None:
    ran, findings = watch(program("threads", "--property", UNTOUCHED), tmp_path, "none")
    assert (ran.status, len(findings)) == (1, 1), str(ran)


def test_a_thread_may_leave_its_frames_before_it_has_asked_for_memory(tmp_path: Path) -> None:
    ran, findings = watch(program("stack_thread", "--stack"), tmp_path)
    assert (ran.status, ran.out, findings) == (0, "ended\n", []), str(ran)


def test_a_thread_may_ask_for_its_stack_before_it_has_asked_for_memory(tmp_path: Path) -> None:
    ran, findings = watch(program("threads"), tmp_path, "ask")
    assert (ran.status, findings) == (0, []), str(ran)


def test_each_violation_by_a_label_of_no_block_names_the_block_that_has_just_failed(tmp_path: Path) -> None:
    target = program("labels", "--property", "block: [](mark -> (!done W free))")
    ran, findings = watch(target, tmp_path, on_violation="continue")
    assert [each["block"]["size"] for each in findings] == [111, 222], str(ran)


@pytest.mark.parametrize(("arguments", "stack"), [((), "stacks.c:"), (("many",), "stack not kept")])
def test_a_lost_block_is_told_even_where_there_was_no_room_for_its_stack(
    arguments: tuple[str, ...], stack: str, tmp_path: Path
) -> None:
    ran, findings = watch(program("stacks"), tmp_path, *arguments)
    assert [(each["class"], each["bytes"]) for each in findings] == [("leak", 1000)], str(ran)
    assert stack in ran.err
    assert ran.status == 1


def test_threads_that_come_and_go_need_no_more_memory(tmp_path: Path) -> None:
    ran, findings = watch(program("threads"), tmp_path, "churn")
    assert (ran.status, findings) == (0, []), str(ran)
    address_space, resident = map(int, ran.out.split())
    assert address_space < 20_000, "KiB, for 4000 threads that each leave the value of a key behind"
    assert resident < 2_000


def test_what_a_thread_owed_is_told_however_many_others_came_after_it(tmp_path: Path) -> None:
    target = program("threads", "--property", "thread: [](opened -> <>closed)")
    ran, findings = watch(target, tmp_path, "owing")
    assert [each["class"] for each in findings] == ["property thread: [](opened -> <>closed)"], str(ran)
