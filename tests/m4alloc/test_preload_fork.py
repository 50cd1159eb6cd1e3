"""fork, from any thread and in the middle of any call of any other, leaves parent and child with a working heap."""

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, checks


@pytest.mark.parametrize("check", checks(PRELOAD / "fork.c"))
def test_fork(check: str) -> None:
    assert_holds(PRELOAD / "fork.c", check, timeout=90)
