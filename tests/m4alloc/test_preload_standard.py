"""The preloaded malloc keeps the promises of ISO C, POSIX and glibc: sizes, alignment, errno, contents."""

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, checks


@pytest.mark.parametrize("check", checks(PRELOAD / "standard.c"))
def test_standard(check: str) -> None:
    assert_holds(PRELOAD / "standard.c", check)


@pytest.mark.parametrize("check", checks(PRELOAD / "contents.c"))
def test_contents(check: str) -> None:
    assert_holds(PRELOAD / "contents.c", check)
