"""operator new and delete in every form, bad_alloc, new_handler, containers and thread_local objects in C++."""

import pytest

from tests.m4alloc.native import PRELOAD, assert_holds, checks


@pytest.mark.parametrize("check", checks(PRELOAD / "cplusplus.cc"))
def test_cplusplus(check: str) -> None:
    assert_holds(PRELOAD / "cplusplus.cc", check)


@pytest.mark.parametrize("check", ["new_of_too_much_throws_bad_alloc", "the_new_handler_is_called_until_it_gives_up"])
def test_a_program_with_its_own_copy_of_the_cplusplus_runtime(check: str) -> None:
    assert_holds(PRELOAD / "cplusplus.cc", check, "-static-libstdc++", "-static-libgcc")
