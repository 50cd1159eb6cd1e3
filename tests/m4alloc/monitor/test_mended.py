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
from tests.m4alloc.native import PRELOAD, Ran, assert_holds, run

HERE = Path(__file__).parent / "mended"
UNTOUCHED = "block: [](access -> (!done W free))"


@functools.cache
def _folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="m4alloc-mended-")


@functools.cache
def program(name: str, *words: str, language: str = "c") -> Path:
    """The program mended/NAME.c, or in C++ NAME.cc. words: for `m4alloc cc`."""
    if not Path(LIBRARY).exists():
        pytest.skip("libm4monitor.so is not built")
    target = Path(_folder().name) / "".join([name, *words]).replace("/", "_")
    source = HERE / (f"{name}.c" if language == "c" else f"{name}.cc")
    options = ["-g", "-w", "-O1", "-pthread", f"-I{include()}", *words, str(source), "-o", str(target)]
    done = subprocess.run(command(options, language), capture_output=True, text=True, check=False)
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


@pytest.mark.slow
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


def test_a_label_of_no_block_says_how_many_blocks_fail_by_it(tmp_path: Path) -> None:
    target = program("labels_many", "--property", "block: [](mark -> (!done W free))")
    ran, findings = watch(target, tmp_path)
    assert [(each["block"]["size"], each["blocks"], each["bytes"]) for each in findings] == [(100, 3, 303)], str(ran)
    assert "(100 bytes), the first of 3 blocks of 303 bytes in all that violate it here\n" in ran.err


def test_a_bug_that_several_threads_run_into_is_told_once(tmp_path: Path) -> None:
    ran, findings = watch(program("workers"), tmp_path, "touch", on_violation="continue")
    assert [each["class"] for each in findings] == ["use-after-free"], str(ran)
    assert "3 more of the same" in ran.err


def test_what_several_threads_lose_by_the_same_calls_is_one_leak(tmp_path: Path) -> None:
    ran, findings = watch(program("workers"), tmp_path, "lose")
    assert [(each["class"], each["blocks"], each["bytes"]) for each in findings] == [("leak", 4, 128)], str(ran)


def test_a_program_executed_after_a_finding_ends_with_status_1(tmp_path: Path) -> None:
    ran, findings = watch(program("exec"), tmp_path, "first", on_violation="continue")
    assert ([each["class"] for each in findings], ran.status) == (["double-free"], 1), str(ran)
    assert "took the place of had findings" in ran.err


def test_a_childs_program_answers_for_itself_alone(tmp_path: Path) -> None:
    ran, findings = watch(program("exec"), tmp_path, "child", on_violation="continue")
    assert ([each["class"] for each in findings], ran.status, ran.out) == (["double-free"], 1, "0\n"), str(ran)


def test_a_stack_in_words_goes_on_to_the_line_of_main_that_calls_were_inlined_into(tmp_path: Path) -> None:
    ran, findings = watch(program("inlined", "-O2", language="c++"), tmp_path)
    assert [each["class"] for each in findings] == ["leak"], str(ran)
    line = 1 + (HERE / "inlined.cc").read_text().splitlines().index(
        "        auto ring = std::make_shared<Ring>(); // the line that the report names"
    )
    assert f"inlined.cc:{line}\n" in ran.err


def test_of_two_threads_that_free_a_block_at_the_same_moment_one_is_wrong(tmp_path: Path) -> None:
    ran, _ = watch(program("race"), tmp_path, on_violation="continue")
    end = json.loads((tmp_path / "report.json").read_text().splitlines()[-1])
    assert (end["class"], end["findings"], ran.out) == ("end", 20000, "done\n"), str(ran)


def test_a_stack_is_that_of_the_call_however_alike_the_ways_there_are(tmp_path: Path) -> None:
    ran, findings = watch(program("paths"), tmp_path, on_violation="continue")
    assert len(findings) == 64, str(ran)
    for each in findings:
        path = each["block"]["size"] - 1000
        way = ["right" if path >> bit & 1 else "left" for bit in range(6)]
        assert each["blocks"] == 1
        assert [frame["function"] for frame in each["stacks"]["malloc"]] == ["make", *reversed(way), "main"]


def test_a_stack_goes_on_above_a_frame_that_is_larger_than_a_mib(tmp_path: Path) -> None:
    ran, findings = watch(program("wide"), tmp_path)
    assert [each["blocks"] for each in findings] == [40], str(ran)
    assert [frame["function"] for frame in findings[0]["stacks"]["malloc"]] == ["inner", "middle", "outer", "main"]


@pytest.mark.parametrize(
    "check",
    [
        "a_large_block_moves_when_the_system_does_not_move_its_pages",
        "a_large_block_moves_when_the_system_has_unmapped_where_to",
        "a_large_block_moves_on_a_system_that_knows_no_flag_for_it",
        "realloc_fails_rather_than_write_to_what_a_stranger_has_mapped",
    ],
)
def test_realloc_moves_a_large_block_or_fails_when_the_system_does_not_move_its_pages(check: str) -> None:
    if not Path(LIBRARY).exists():
        pytest.skip("libm4monitor.so is not built")
    environment = {"LD_PRELOAD": str(LIBRARY)}
    assert_holds(PRELOAD / "refusals.c", check, "-rdynamic", preload=False, environment=environment)
