"""M4ALLOC_STRATEGY reaches the preloaded core: every knob does what it says, and no strategy loses a byte."""

import signal
from pathlib import Path

import pytest

from m4alloc.strategy import Strategy
from tests.m4alloc.native import CORES, MISUSE, PRELOAD, assert_holds, build, checks, run

KNOBS = {
    "freed_small_blocks_are_zeroed": "zero_on_free=256",
    "freed_blocks_keep_their_contents_for_a_while": "",
    "a_slot_is_reused_after_its_hundred_frees_and_not_before": "delay_line=100,delay_bytes=1048576",
    "blocks_in_a_row_lie_in_no_order": "randomise=1",
    "a_write_past_a_large_block_faults": "guards=1",
    "freed_memory_is_returned_at_once": "retain_bytes=0",
    "every_request_lies_in_one_of_the_three_classes": "classes=48/1008/32768",
}
STRATEGIES = {
    "hardened": Strategy.hardened().to_environment(),
    "no delay": "delay_line=0,quarantine=0",
    "quarantine only": "delay_line=0,quarantine=300,quarantine_bytes=4194304",
    "small stacks": "stack_depth=16,stack_bytes=65536,refill_batch=1,retain_bytes=0",
    "few classes": "classes=16/256/32768,randomise=1,zero_on_free=32768,guards=1",
}


def test_every_check_has_its_strategy() -> None:
    assert list(KNOBS) == checks(PRELOAD / "strategy.c")


@pytest.mark.parametrize(("check", "strategy"), KNOBS.items())
def test_a_knob_does_what_it_says(check: str, strategy: str) -> None:
    assert_holds(PRELOAD / "strategy.c", check, environment={"M4ALLOC_STRATEGY": strategy})


@pytest.mark.parametrize("check", [name for name in KNOBS if name != "freed_blocks_keep_their_contents_for_a_while"])
def test_without_its_knob_the_check_fails(check: str) -> None:
    ran = run([build(PRELOAD / "strategy.c"), check])
    assert ran.status == 1 and "not so" in ran.err, ran


@pytest.mark.slow
@pytest.mark.parametrize("part", ["4", pytest.param("1", marks=pytest.mark.campaign)])
@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
@pytest.mark.parametrize(
    ("source", "check"),
    [
        ("contents.c", "a_random_history_never_loses_a_byte"),
        ("contents.c", "every_usable_byte_of_every_block_is_its_own"),
        ("standard.c", "alignments_up_to_one_gibibyte_are_kept"),
        ("fork.c", "a_child_can_start_threads_and_exit_normally"),
    ],
)
def test_no_strategy_breaks_a_promise(source: str, check: str, strategy: str, part: str) -> None:
    # A quarter of the rounds here, all of them in the campaign.
    environment = {"M4ALLOC_STRATEGY": strategy, "CHECK_PART": part}
    assert_holds(PRELOAD / source, check, environment=environment, timeout=60 if part == "4" else 600)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", ["0.4", pytest.param("2", marks=pytest.mark.campaign)])
@pytest.mark.parametrize("strategy", STRATEGIES.values(), ids=STRATEGIES)
def test_no_strategy_loses_a_byte_among_threads(strategy: str, seconds: str) -> None:
    argv: list[str | Path] = [build(PRELOAD / "stress.c"), str(CORES + 2), seconds]
    ran = run(argv, environment={"M4ALLOC_STRATEGY": strategy})
    assert ran.status == 0 and ran.out.endswith(" blocks checked, 0 lost\n"), ran


def test_a_write_after_free_shows_when_the_block_leaves_the_quarantine() -> None:
    ran = run([build(MISUSE / "write_after_free.c")], environment={"M4ALLOC_STRATEGY": "delay_line=0,quarantine=50"})
    address = ran.out.split()[1]
    assert ran.status == -signal.SIGABRT, ran
    assert ran.err == f"m4alloc: write after free to {address}: size class 112, byte 10 of the freed block changed\n"


def test_without_a_quarantine_a_write_after_free_goes_unseen() -> None:
    ran = run([build(MISUSE / "write_after_free.c")])
    assert (ran.status, ran.err) == (0, ""), ran
