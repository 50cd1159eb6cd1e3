"""Memory, keys and the system's goodwill are out: promises hold, nothing crashes, no byte is lost."""

import resource

import pytest

from m4alloc.strategy import Strategy
from tests.m4alloc.native import MIB, PRELOAD, assert_holds, checks

SHORTAGE = PRELOAD / "shortage.c"
REFUSALS = PRELOAD / "refusals.c"
KEYS = PRELOAD / "keys.c"
HELD = "guards=1,guard_slabs=1,large_quarantine=67108864,retain_bytes=0"
LONG_SLABS = "slab_bytes=" + "/".join(["67108864"] * 40)


@pytest.mark.parametrize("check", checks(SHORTAGE))
def test_when_memory_is_out(check: str) -> None:
    assert_holds(SHORTAGE, check)


@pytest.mark.parametrize("check", [name for name in checks(SHORTAGE) if name.startswith("frees_of_")])
def test_a_quarantine_and_long_slabs_keep_the_promise_too(check: str) -> None:
    settings = {"M4ALLOC_STRATEGY": "quarantine=5,slab_bytes=" + "/".join(["1048576"] * 40)}
    assert_holds(SHORTAGE, check, environment=settings)


def test_side_bytes_take_few_mappings() -> None:
    check = "what_is_kept_of_many_blocks_takes_few_mappings"
    assert_holds(SHORTAGE, check, environment={"M4ALLOC_STRATEGY": "side_bytes=256"})


@pytest.mark.parametrize("check", [name for name in checks(REFUSALS) if "moves" in name])
@pytest.mark.parametrize("strategy", ["", HELD])
def test_when_the_system_does_not_move_pages(check: str, strategy: str) -> None:
    assert_holds(REFUSALS, check, "-rdynamic", environment={"M4ALLOC_STRATEGY": strategy})


@pytest.mark.parametrize("strategy", ["", HELD])
def test_when_another_mapping_takes_the_place_of_pages_that_did_not_move(strategy: str) -> None:
    check = "realloc_fails_rather_than_write_to_what_a_stranger_has_mapped"
    assert_holds(REFUSALS, check, "-rdynamic", environment={"M4ALLOC_STRATEGY": strategy})


def test_when_the_system_does_not_make_pages_accessible_again() -> None:
    check = "what_cannot_be_made_accessible_again_is_not_handed_out"
    assert_holds(REFUSALS, check, "-rdynamic", environment={"M4ALLOC_STRATEGY": HELD})


def test_when_the_system_takes_no_pages_back() -> None:
    check = "pages_that_the_system_does_not_take_back_are_used_again"
    assert_holds(REFUSALS, check, "-rdynamic", environment={"M4ALLOC_STRATEGY": "retain_bytes=0"})


def test_when_the_program_has_taken_every_thread_specific_key() -> None:
    check = "a_program_that_uses_every_key_keeps_their_values"
    assert_holds(KEYS, check, environment={"TAKE_ALL_KEYS": "1"})


def test_when_a_destructor_of_a_key_allocates_after_the_library_has_seen_its_thread_exit() -> None:
    assert_holds(KEYS, "a_destructor_that_allocates_each_time_it_runs_costs_no_heap_a_thread")


@pytest.mark.parametrize("strategy", ["", Strategy.hardened().to_environment(), "sample_rate=50"])
def test_when_exiting_threads_allocate(strategy: str) -> None:
    check = "blocks_of_exiting_threads_keep_their_bytes_and_can_be_freed_by_any"
    assert_holds(KEYS, check, environment={"M4ALLOC_STRATEGY": strategy})


@pytest.mark.parametrize("strategy", ["sample_rate=1", "sample_rate=1,zero_on_free=64"])
def test_when_samples_are_wanted_of_exiting_threads(strategy: str) -> None:
    check = "no_stack_is_unwound_under_the_lock_that_exiting_threads_share"
    assert_holds(KEYS, check, environment={"M4ALLOC_STRATEGY": strategy})


@pytest.mark.parametrize("mebibytes", [64, 256])
def test_slabs_are_shorter_than_the_strategy_wants_rather_than_none(mebibytes: int) -> None:
    check = "a_quarter_of_the_limit_can_be_had_in_any_size"
    limits = {resource.RLIMIT_AS: mebibytes * MIB, resource.RLIMIT_STACK: MIB}
    assert_holds(PRELOAD / "limits.c", check, environment={"M4ALLOC_STRATEGY": LONG_SLABS}, limits=limits)
