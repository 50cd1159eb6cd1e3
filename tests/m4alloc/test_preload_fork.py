"""fork, from any thread and in the middle of any call of any other, leaves parent and child with a working heap."""

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, checks


@pytest.mark.parametrize("part", ["4", pytest.param("1", marks=pytest.mark.campaign)], ids=["part", "all"])
@pytest.mark.parametrize("check", checks(PRELOAD / "fork.c"))
def test_fork(check: str, part: str) -> None:
    assert_holds(PRELOAD / "fork.c", check, environment={"CHECK_PART": part}, timeout=90 if part == "4" else 600)
