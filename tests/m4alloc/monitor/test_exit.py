"""At the end a property that still wants something is violated, once for all its blocks; a child has its own end."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.m4alloc.monitor.ended import Ended, program, run_case


def outcome(case: str, tmp_path: Path, *properties: str, **options: str) -> Ended:
    words = [word for each in properties for word in ("--property", each)]
    return run_case(program("exits", "-O1", *words), case, tmp_path, **options)


def test_a_property_of_blocks_is_told_once_with_all_that_still_want_something(tmp_path: Path) -> None:
    ended = outcome("touched", tmp_path, "accessed-then-freed", leaks="no")
    assert ended.told() == [("property accessed-then-freed", 3, 600, 0)], str(ended.ran)
    assert ended.findings[0]["block"]["size"] == 100
    assert ended.findings[0]["verdict"] == "violated at exit"
    assert ended.ran.status == 1


def test_a_fulfilled_property_is_not_told(tmp_path: Path) -> None:
    ended = outcome("done", tmp_path, "accessed-then-freed")
    assert (ended.told(), ended.ran.status) == ([], 0)


def test_a_property_that_labels_move_is_judged_for_each_block(tmp_path: Path) -> None:
    ended = outcome("wiped", tmp_path, "address: [](taken -> <>wiped)", leaks="no")
    assert [each["blocks"] for each in ended.findings] == [2], str(ended.ran)


@pytest.mark.parametrize("index", ["thread", "global"])
@pytest.mark.parametrize(("case", "count"), [("opened", 1), ("closed", 0)])
def test_a_property_of_threads_or_of_the_process_is_judged_as_well(
    index: str, case: str, count: int, tmp_path: Path
) -> None:
    ended = outcome(case, tmp_path, f"{index}: [](opened -> <>closed)")
    assert [each["blocks"] for each in ended.findings] == [0] * count, str(ended.ran)


def test_a_thread_that_has_ended_is_judged_as_well(tmp_path: Path) -> None:
    assert len(outcome("thread", tmp_path, "thread: [](opened -> <>closed)").findings) == 1


def test_what_the_program_does_at_exit_is_part_of_the_run(tmp_path: Path) -> None:
    ended = outcome("late", tmp_path)
    assert (ended.told(), ended.ran.status) == ([], 0)


@pytest.mark.parametrize(("case", "status"), [("abort", -signal.SIGABRT), ("_exit", 0)])
def test_a_program_that_does_not_exit_is_not_judged(case: str, status: int, tmp_path: Path) -> None:
    ended = outcome(case, tmp_path)
    assert (ended.told(), ended.ran.status) == ([], status), str(ended.ran)


def test_a_child_is_not_blamed_for_what_it_inherited(tmp_path: Path) -> None:
    ended = outcome("inherited", tmp_path)
    assert ended.lost() == [1002]


def test_a_child_answers_for_what_was_allocated_in_it_by_threads_of_its_own_too(tmp_path: Path) -> None:
    ended = outcome("child", tmp_path)
    assert ended.lost() == [1002, 2002, 2003], str(ended.ran)
    assert len({each["pid"] for each in ended.findings}) == 2


def test_other_threads_of_the_parent_may_have_been_ahead(tmp_path: Path) -> None:
    assert outcome("ahead", tmp_path).lost() == [2002, 2003, 2004]


def test_a_child_is_judged_for_its_own_accesses_and_labels(tmp_path: Path) -> None:
    touched = outcome("child touches", tmp_path, "accessed-then-freed", leaks="no")
    assert sorted(each["bytes"] for each in touched.findings) == [1003, 2005], str(touched.ran)
    opened = outcome("child opens", tmp_path, "global: [](opened -> <>closed)")
    assert len(opened.findings) == 1


def test_what_was_open_at_the_fork_is_the_parents_to_close(tmp_path: Path) -> None:
    ended = outcome("opened before", tmp_path, "global: [](opened -> <>closed)")
    assert len(ended.findings) == 1, str(ended.ran)


def test_with_on_violation_abort_all_is_told_before_the_program_aborts(tmp_path: Path) -> None:
    ended = outcome("touched", tmp_path, "accessed-then-freed", on_violation="abort", leaks="all")
    assert len(ended.findings) > 2
    assert ended.ran.status == -signal.SIGABRT, str(ended.ran)
