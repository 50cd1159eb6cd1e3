"""Each misuse is caught at the faulting call: one exact line on stderr, then SIGABRT, or on with misuse=count.

Every number of the line is checked against what the program printed about its block before it went wrong.
"""

import re
import signal

import pytest

from tests.m4alloc.native import MISUSE, PRELOAD, Ran, build, run

ADDRESS = r"(?P<address>0x[0-9a-f]+)"
SLOT = r"slot (?P<slot>\d+) of slab (?P<slab>0x[0-9a-f]+)"
CLASS = r"size class (?P<usable>\d+), "
NOT_OURS = ": not a pointer into the heap"
SMALL = f"{CLASS}{SLOT} is already free"
LARGE = r"large block of (?P<usable>\d+) bytes is already free"
INSIDE = rf"{CLASS}(?P<offset>\d+) bytes into {SLOT}"
INSIDE_LARGE = r"(?P<offset>\d+) bytes into a large block of (?P<usable>\d+) bytes at (?P<block>0x[0-9a-f]+)"
NOTHING = ": no block [a-z ]*there"
CLAIMED = r"500 bytes claimed, but the block has (?P<usable>\d+)"

MESSAGES = {
    "delete_after_free.cc": f"double free of {ADDRESS}: {SMALL}",
    "delete_with_another_size.cc": f"sized free of {ADDRESS}: {CLAIMED}",
    "delete_twice.cc": f"double free of {ADDRESS}: {SMALL}",
    "double_free_after_its_thread_exited.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_after_other_frees.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_aligned.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_in_the_child.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_in_two_other_threads.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_large.c": f"double free of {ADDRESS}: {LARGE}",
    "double_free_large_after_other_frees.c": f"double free of {ADDRESS}: {LARGE}",
    "double_free_other_thread.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_small.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_within_the_window.c": f"double free of {ADDRESS}: {SMALL}",
    "double_free_zero_size.c": f"double free of {ADDRESS}: {SMALL}",
    "free_after_realloc_moved.c": f"double free of {ADDRESS}: {SMALL}",
    "free_in_thread_after_free_in_main.c": f"double free of {ADDRESS}: {SMALL}",
    "free_interior.c": f"interior free of {ADDRESS}: {INSIDE}",
    "free_interior_large.c": f"interior free of {ADDRESS}: {INSIDE_LARGE}",
    "free_interior_large_far.c": f"interior free of {ADDRESS}: {INSIDE_LARGE}",
    "free_interior_of_freed.c": f"interior free of {ADDRESS}: {INSIDE}",
    "free_interior_of_freed_large.c": f"invalid free of {ADDRESS}{NOTHING}",
    "free_mapped.c": f"invalid free of {ADDRESS}{NOT_OURS}",
    "free_misaligned.c": f"interior free of {ADDRESS}: {INSIDE}",
    "free_never_allocated.c": f"invalid free of {ADDRESS}{NOT_OURS}",
    "free_non_canonical.c": f"invalid free of {ADDRESS}{NOT_OURS}",
    "free_sized_with_another_size.c": f"sized free of {ADDRESS}: {CLAIMED}",
    "free_stack.c": f"invalid free of {ADDRESS}{NOT_OURS}",
    "free_static.c": f"invalid free of {ADDRESS}{NOT_OURS}",
    "free_unmapped.c": f"invalid free of {ADDRESS}{NOT_OURS}",
    "realloc_after_free.c": f"realloc of freed {ADDRESS}: {SMALL}",
    "realloc_after_free_large.c": f"realloc of freed {ADDRESS}: {LARGE}",
    "realloc_interior.c": f"interior realloc of {ADDRESS}: {INSIDE}",
    "realloc_static.c": f"invalid realloc of {ADDRESS}{NOT_OURS}",
}
"""The line of each program, after `m4alloc: `; the named groups are what is checked against its own words."""

OWN_TESTS = {
    "double_free_after_reuse.c",
    "foreign_block.c",
    "memory_errors.c",  # in test_hardened.py and test_sampled.py
    "racing_double_free.c",
    "usable_size_of_freed.c",
    "usable_size_of_static.c",
    "write_after_free.c",  # in test_preload_strategy.py
}
LINES_MAX = 16
"""With misuse=count, no more lines than this are printed."""


def facts(ran: Ran) -> dict[str, str]:
    """The `NAME VALUE` lines that a program of tests/misuse printed."""
    return dict(line.split(" ", 1) for line in ran.out.splitlines() if " " in line)


def misuse(name: str, *words: str, options: str = "") -> Ran:
    environment = {"M4ALLOC_OPTIONS": options} if options else {}
    return run([build(MISUSE / name), *words], environment=environment, timeout=30)


def assert_line_is_true(name: str, ran: Ran) -> None:
    """The first line on stderr has the promised form, and each of its numbers is what the program knows."""
    line = ran.err.splitlines()[0] if ran.err else ""
    match = re.fullmatch(f"m4alloc: {MESSAGES[name]}", line)
    assert match is not None, f"{MESSAGES[name]}\n{ran}"
    said, known = match.groupdict(), facts(ran)
    assert said["address"] == known["misused"], ran
    if "usable" in said:
        assert said["usable"] == known["usable"], ran
    block = int(known["block"], 16) if "block" in known else 0
    if "block" in said:
        assert said["block"] == known["block"], ran
    if "slab" in said:
        assert int(said["slab"], 16) + int(said["slot"]) * int(said["usable"]) == block, ran
    if "offset" in said:
        assert block + int(said["offset"]) == int(known["misused"], 16), ran


def test_every_program_here_has_its_test() -> None:
    programs = {path.name for path in MISUSE.iterdir() if path.suffix in {".c", ".cc"}}
    assert programs == set(MESSAGES) | OWN_TESTS


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_misuse_aborts_with_one_line(name: str) -> None:
    ran = misuse(name)
    assert ran.status == -signal.SIGABRT, ran
    assert ran.err.count("\n") == 1 and ran.err.endswith("\n"), ran
    assert_line_is_true(name, ran)


@pytest.mark.parametrize("name", sorted(MESSAGES))
def test_with_misuse_count_the_program_goes_on_with_a_whole_heap(name: str) -> None:
    ran = misuse(name, options="misuse=count")
    assert ran.status == 0, ran
    assert_line_is_true(name, ran)
    assert facts(ran)["heap"] == "whole", ran
    assert facts(ran)["misuses"] == "1", ran
    assert ran.err.count("\n") == 1, ran


@pytest.mark.parametrize("name", ["realloc_after_free.c", "realloc_after_free_large.c", "realloc_interior.c"])
def test_a_realloc_that_is_misuse_returns_null(name: str) -> None:
    assert facts(misuse(name, options="misuse=count"))["result"] == "(nil)"


def test_no_block_is_reused_within_the_window() -> None:
    known = facts(misuse("double_free_within_the_window.c"))
    assert int(known["window"]) >= 1
    assert "reused" not in known


def test_fixme_a_double_free_after_the_slot_was_reused_is_reported_at_its_new_owner() -> None:
    ran = misuse("double_free_after_reuse.c")
    assert ran.status == -signal.SIGABRT, ran
    assert ran.out.endswith("late free\n"), "the late free itself was caught: better than promised"
    assert re.fullmatch(f"m4alloc: double free of {ADDRESS}: {SMALL}\n", ran.err), ran


@pytest.mark.parametrize("racers", ["owner", "strangers"])
def test_of_two_frees_at_the_same_moment_exactly_one_is_misuse(racers: str) -> None:
    ran = misuse("racing_double_free.c", racers, options="misuse=count")
    known = facts(ran)
    assert (ran.status, known["heap"]) == (0, "whole"), ran
    assert known["misuses"] == known["rounds"], ran
    lines = ran.err.splitlines()
    assert len(lines) == LINES_MAX
    for line in lines:
        assert re.fullmatch(rf"m4alloc: double free (of {ADDRESS}: {SMALL}|in slab .*: two threads freed .*)", line), (
            ran
        )


@pytest.mark.parametrize("name", ["usable_size_of_freed.c", "usable_size_of_static.c"])
def test_what_is_no_live_block_has_no_usable_bytes(name: str) -> None:
    ran = misuse(name)
    assert (ran.status, ran.err, facts(ran)["result"]) == (0, "", "0"), ran


def test_a_foreign_block_is_an_invalid_free_by_default() -> None:
    ran = misuse("foreign_block.c")
    assert ran.status == -signal.SIGABRT, ran
    assert ran.err == f"m4alloc: invalid free of {facts(ran)['misused']}: not a pointer into the heap\n"


@pytest.mark.parametrize("call", ["free", "realloc"])
def test_with_misuse_forward_a_foreign_block_goes_to_its_own_allocator(call: str) -> None:
    ran = misuse("foreign_block.c", call, options="misuse=forward")
    known = facts(ran)
    assert (ran.status, ran.err) == (0, ""), ran
    assert int(known["after"]) <= int(known["before"]) - 50000, ran
    assert known.get("kept", "1") == "1", ran
    assert known["heap"] == "whole"


@pytest.mark.parametrize("name", ["double_free_small.c", "free_interior.c", "realloc_after_free.c"])
def test_misuse_forward_still_aborts_on_misuse_of_our_own_blocks(name: str) -> None:
    ran = misuse(name, options="misuse=forward")
    assert ran.status == -signal.SIGABRT, ran
    assert_line_is_true(name, ran)


def test_misuse_is_caught_when_stderr_is_closed() -> None:
    ran = run(["/bin/sh", "-c", f"exec {build(MISUSE / 'double_free_small.c')} 2>&-"])
    assert (ran.status, ran.err) == (-signal.SIGABRT, ""), ran


HARMLESS = "free_keeps_errno"
BAD_SETTINGS = [
    ("M4ALLOC_OPTIONS", "x=1", '"x"'),
    ("M4ALLOC_OPTIONS", "misuse", '"misuse"'),
    ("M4ALLOC_OPTIONS", "misuse=explode", '"explode"'),
    ("M4ALLOC_OPTIONS", "misuse=count,colour=red", '"colour"'),
    ("M4ALLOC_STRATEGY", "no_such_knob=1", '"no_such_knob"'),
    ("M4ALLOC_STRATEGY", "delay_line=many", '"many"'),
    ("M4ALLOC_STRATEGY", "delay_line=-1", '"-1"'),
    ("M4ALLOC_STRATEGY", "delay_line=99999999999999999999", '"99999999999999999999"'),
    ("M4ALLOC_RESERVE", "plenty", '"plenty"'),
]


@pytest.mark.parametrize(("variable", "value", "named"), BAD_SETTINGS)
def test_a_bad_setting_ends_the_program_before_main_with_one_line(variable: str, value: str, named: str) -> None:
    ran = run([build(PRELOAD / "standard.c"), HARMLESS], environment={variable: value})
    assert (ran.status, ran.out) == (2, ""), ran
    assert ran.err.startswith(f"m4alloc: {variable}: ") and ran.err.count("\n") == 1, ran
    assert named in ran.err, ran


GOOD_SETTINGS = [
    ("M4ALLOC_OPTIONS", ""),
    ("M4ALLOC_OPTIONS", "misuse=abort"),
    ("M4ALLOC_STRATEGY", ""),
    ("M4ALLOC_STRATEGY", "delay_line=0"),
    ("M4ALLOC_STRATEGY", "delay_line=64,quarantine=64"),
    ("M4ALLOC_RESERVE", "67108864"),
]


@pytest.mark.parametrize(("variable", "value"), GOOD_SETTINGS)
def test_a_good_setting_is_accepted_in_silence(variable: str, value: str) -> None:
    ran = run([build(PRELOAD / "standard.c"), HARMLESS], environment={variable: value})
    assert (ran.status, ran.err) == (0, ""), ran
