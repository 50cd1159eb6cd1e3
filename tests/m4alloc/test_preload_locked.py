"""Blocks that a program has locked in memory are as good as any, also where pages are made inaccessible."""

import pytest

from m4alloc import Strategy
from tests.m4alloc.native import PRELOAD, assert_holds, checks

STRATEGIES = {
    "default": "",
    "hardened": Strategy.hardened().to_environment(),
    "every block a sample": "sample_rate=1",
}


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("check", checks(PRELOAD / "locked.c"))
def test_locked_memory(check: str, strategy: str) -> None:
    assert_holds(PRELOAD / "locked.c", check, environment={"M4ALLOC_STRATEGY": STRATEGIES[strategy]})
