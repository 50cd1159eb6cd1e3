"""What nothing points to any more is a leak, and nothing else is: wherever a program may keep a pointer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from m4alloc.lib import include
from m4alloc.monitor.compiler import LIBRARY
from tests.m4alloc.monitor.ended import HERE, Ended, program, run_case
from tests.m4alloc.native import need


def outcome(case: str, tmp_path: Path, **options: str) -> Ended:
    ended = run_case(program("leaks", "-O0"), case, tmp_path, **options)
    assert ended.ran.status == (1 if ended.findings else 0), str(ended.ran)
    return ended


@pytest.mark.parametrize("case", ["freed", "global", "interior", "empty", "tls", "chain", "exit", "errx", "_exit"])
def test_what_a_pointer_leads_to_is_no_leak(case: str, tmp_path: Path) -> None:
    assert outcome(case, tmp_path).told() == []


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        ("forgotten", ("leak", 3, 3003, 0)),
        ("past", ("leak", 1, 1001, 0)),
        ("tree", ("leak", 1, 24, 1022 * 24)),
        ("ring", ("leak", 1, 24, 24)),
        ("merged", ("leak", 1, 1002, 1001)),
    ],
)
def test_lost_blocks_are_told_by_the_stack_that_allocated_them_with_what_only_they_lead_to(
    case: str, expected: tuple[str, int, int, int], tmp_path: Path
) -> None:
    assert outcome(case, tmp_path).told() == [expected]


def test_what_lies_in_frames_that_have_returned_points_to_nothing(tmp_path: Path) -> None:
    assert outcome("stale", tmp_path).lost() == [1101]


def test_when_main_has_returned_its_variables_point_to_nothing(tmp_path: Path) -> None:
    assert outcome("main", tmp_path).lost() == [1001]


def test_threads_keep_what_is_on_their_stacks_in_their_storage_and_under_their_keys(tmp_path: Path) -> None:
    assert outcome("threads", tmp_path).told() == []


def test_threads_that_have_ended_keep_nothing(tmp_path: Path) -> None:
    assert outcome("ended", tmp_path).lost() == [1301, 1302]


def test_the_stack_of_a_main_thread_that_has_ended_keeps_nothing_either(tmp_path: Path) -> None:
    for _ in range(5):
        assert outcome("main ended", tmp_path).lost() == [1301, 1401]


def test_pages_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    assert outcome("protected", tmp_path).told() == []


def test_a_large_block_is_looked_through_to_its_end(tmp_path: Path) -> None:
    assert outcome("large", tmp_path).lost() == [5000000]


def test_a_library_keeps_by_its_data_and_its_late_thread_local_storage(tmp_path: Path) -> None:
    text = "#include <stdlib.h>\n__thread char *late[1000]; static char *kept;\n"
    text += "void keep(void) { late[500] = malloc(2001); kept = malloc(2002); malloc(2003); }\n"
    (tmp_path / "kept.c").write_text(text)
    words = [need("gcc", "gcc libc6-dev"), "-O0", "-w", "-fno-builtin", "-shared", "-fPIC", "kept.c", "-o", "kept.so"]
    subprocess.run(words, cwd=tmp_path, check=True)
    target = program("leaks", "-O0")
    assert run_case(target, "library", tmp_path).lost() == [2003]


def test_what_the_c_library_allocated_for_itself_is_no_leak_and_what_it_gave_away_is(tmp_path: Path) -> None:
    assert outcome("libc", tmp_path).lost() == [13]


def test_with_leaks_all_what_is_still_pointed_to_is_told_but_for_the_systems_own(tmp_path: Path) -> None:
    ended = outcome("chain", tmp_path, leaks="all")
    assert ended.lost() == [1001, 1002, 1003]
    assert [each["reachable"] for each in ended.findings] == [True] * 3


def test_with_leaks_no_nothing_is_told(tmp_path: Path) -> None:
    assert outcome("forgotten", tmp_path, leaks="no").told() == []


def test_what_is_still_pointed_to_is_counted_in_the_summary(tmp_path: Path) -> None:
    text = outcome("forgotten", tmp_path).ran.err
    assert text.splitlines()[-1].startswith("m4alloc: 1 finding: 1 leak (3 blocks, 3003 bytes)"), text


def test_a_program_may_ask_what_is_lost_now(tmp_path: Path) -> None:
    ended = run_case(program("leaks", "-O0"), "check", tmp_path)
    assert ended.lost()[:1] == [4004], str(ended.ran)


def test_an_ignored_block_is_no_leak_nor_is_what_only_it_leads_to(tmp_path: Path) -> None:
    assert outcome("ignored", tmp_path).lost() == [1003]


def test_one_block_is_found_among_a_million(tmp_path: Path) -> None:
    assert outcome("many", tmp_path).lost() == [1001]


@pytest.mark.parametrize(("case", "lost"), [("forgotten", 1), ("global", 0), ("main", 1), ("threads", 0), ("stale", 1)])
def test_a_program_that_was_not_rebuilt_is_searched_in_the_same_way(case: str, lost: int, tmp_path: Path) -> None:
    target = tmp_path / "plain"
    words = [need("gcc", "gcc libc6-dev"), "-O0", "-w", "-fno-builtin", "-pthread", f"-I{include()}"]
    subprocess.run([*words, str(HERE / "leaks.c"), "-o", str(target), "-ldl"], check=True)
    assert len(run_case(target, case, tmp_path, preload=str(LIBRARY)).findings) == lost
