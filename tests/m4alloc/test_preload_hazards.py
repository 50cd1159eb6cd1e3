"""What has broken other allocators in programs does not break this one."""

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, checks


@pytest.mark.parametrize("check", checks(PRELOAD / "hazards.c"))
def test_hazards(check: str) -> None:
    assert_holds(PRELOAD / "hazards.c", check)


def test_a_strategy_does_not_make_threads_that_exit_leave_their_heaps_behind() -> None:
    """Their destructors find the thread's heap only if the arena's thread key was made after the program's own."""
    check = "threads_that_free_one_block_of_anothers_leave_nothing_behind"
    assert_holds(PRELOAD / "hazards.c", check, environment={"M4ALLOC_STRATEGY": "delay_line=16"})
