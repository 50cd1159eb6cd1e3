"""Sampled blocks: a random share lies on guarded pages; what goes wrong with one is told with its whole history."""

from __future__ import annotations

import re
import signal

import pytest

from m4alloc.strategy import Strategy
from tests.m4alloc.native import MISUSE, PRELOAD, Ran, assert_holds, build, checks, run

ERRORS = MISUSE / "memory_errors.c"
CORRECT = PRELOAD / "sampled.c"
ABORTED, FAULTED = -signal.SIGABRT, -signal.SIGSEGV
EVERY = "sample_rate=1"
"""Every block of up to a page is a sample, as long as the pool lasts."""
BLOCK = r"(?P<block>0x[0-9a-f]+)"
SAID = rf"{BLOCK}: access to 0x[0-9a-f]+, (?P<offset>-?\d+) bytes from the start of a sampled block of 100 bytes"

CASES = {
    "underflow_by_one": ((FAULTED, rf"underflow of {SAID}"), (0, None)),
    "overflow_by_one": ((ABORTED, rf"overflow of {BLOCK}: sampled block of 100 bytes, byte 100 changed"),),
    "overflow_by_32": (
        (FAULTED, rf"overflow of {SAID}"),
        (ABORTED, rf"overflow of {BLOCK}: sampled block of 100 bytes, byte 131 changed"),
    ),
    "read_after_free": ((FAULTED, rf"use after free of {SAID}"),),
    "write_after_free_at_once": ((FAULTED, rf"use after free of {SAID}"),),
    "double_free": ((ABORTED, rf"double free of {BLOCK}: sampled block of 100 bytes is already free"),),
}
"""Error to the endings it may have: which end of its page a block lies at is random."""


def commit(error: str, strategy: str = EVERY) -> Ran:
    return run([build(ERRORS, "-rdynamic"), error, "100"], environment={"M4ALLOC_STRATEGY": strategy}, timeout=30)


def assert_history(ran: Ran, *, freed: bool) -> None:
    """The lines after the first name the thread and the calls that allocated the block, and those that freed it."""
    thread = dict(line.split(" ", 1) for line in ran.out.splitlines() if " " in line)["thread"]
    parts = re.split(r"^m4alloc: (allocated|freed) by thread (\d+)\n", ran.err, flags=re.M)[1:]
    told = dict(zip(parts[::3], zip(parts[1::3], parts[2::3], strict=True), strict=True))
    assert set(told) == ({"allocated", "freed"} if freed else {"allocated"}), ran
    for who, frames in told.values():
        assert who == thread, ran
        assert "(main+0x" in frames and "libm4alloc" not in frames, ran


@pytest.mark.parametrize("error", CASES)
def test_an_error_in_a_sampled_block_is_told_with_its_history(error: str) -> None:
    for _ in range(4):  # both ends of the page, most likely
        ran = commit(error)
        for status, message in CASES[error]:
            if ran.status == status and message is None:
                assert ran.err == "", ran
                break
            match = re.match(f"m4alloc: {message}\n", ran.err) if message else None
            if ran.status == status and match is not None:
                assert match["block"] in ran.out, ran
                assert_history(ran, freed="free" in error)
                break
        else:
            pytest.fail(str(ran))


def test_an_overflow_seen_by_another_thread_names_both() -> None:
    ran = commit("overflow_seen_by_another_thread")
    assert ran.status == ABORTED and "byte 100 changed\n" in ran.err, ran


@pytest.mark.parametrize("error", ["overflow_by_one", "read_after_free", "double_free"])
def test_the_hardened_preset_and_samples_go_together(error: str) -> None:
    ran = commit(error, Strategy.hardened().with_(sample_rate=1).to_environment())
    assert ran.status in (ABORTED, FAULTED) and "sampled block of 100 bytes" in ran.err, ran


def test_with_misuse_count_a_double_free_of_a_sample_is_counted() -> None:
    environment = {"M4ALLOC_STRATEGY": EVERY, "M4ALLOC_OPTIONS": "misuse=count"}
    ran = run([build(ERRORS, "-rdynamic"), "double_free", "100"], environment=environment)
    assert ran.status == 0 and ran.err.startswith("m4alloc: double free of ") and "went on" in ran.out, ran


def test_without_an_error_nothing_is_said() -> None:
    for strategy in (EVERY, Strategy.sampled().to_environment()):
        ran = commit("none", strategy)
        assert (ran.status, ran.err) == (0, ""), ran


SHARES = {
    "about_one_block_of_a_hundred_is_a_sample": "sample_rate=100,sample_slots=4096",
    "about_one_block_of_a_thousand_is_a_sample": "sample_rate=1000,sample_slots=4096",
    "about_one_block_of_five_thousand_is_a_sample": "sample_rate=5000,sample_slots=4096",
    "a_sample_is_reused_last": "sample_rate=1,sample_slots=64",
    "aligned_blocks_are_sampled_as_they_should_lie": EVERY,
    "samples_and_threads_and_forks_go_together": "sample_rate=3,sample_slots=100",
}


def test_every_check_has_its_strategy() -> None:
    assert list(SHARES) == checks(CORRECT)


@pytest.mark.parametrize(("check", "strategy"), SHARES.items())
def test_samples_are_what_they_promise(check: str, strategy: str) -> None:
    assert_holds(CORRECT, check, environment={"M4ALLOC_STRATEGY": strategy})


def test_a_strategy_without_samples_has_none() -> None:
    ran = run([build(CORRECT), "about_one_block_of_a_thousand_is_a_sample"])
    assert ran.status == 1 and "0 samples" in ran.err, ran
