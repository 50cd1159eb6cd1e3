"""What has broken other allocators in programs does not break this one."""

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, checks


@pytest.mark.parametrize("check", checks(PRELOAD / "hazards.c"))
def test_hazards(check: str) -> None:
    assert_holds(PRELOAD / "hazards.c", check)
