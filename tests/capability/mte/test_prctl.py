"""How Linux turns a prctl argument into settings."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.mte.control import Mode
from capability.mte.prctl import AFTER_EXEC, TaggedAddrCtrl, control_from_prctl, include

SYNC, ASYNC = TaggedAddrCtrl.PR_MTE_TCF_SYNC, TaggedAddrCtrl.PR_MTE_TCF_ASYNC


@given(st.integers(0, 0xFFFF))
def test_the_include_mask_is_the_complement_of_the_exclude_mask(mask: int) -> None:
    assert control_from_prctl(include(mask)).exclude == 0xFFFF ^ mask


@pytest.mark.parametrize(
    ("flags", "preferred", "mode"),
    [
        (0, Mode.SYNC, Mode.NONE),
        (SYNC, Mode.ASYNC, Mode.SYNC),
        (ASYNC, Mode.SYNC, Mode.ASYNC),
        (SYNC | ASYNC, Mode.ASYNC, Mode.ASYNC),
        (SYNC | ASYNC, Mode.SYNC, Mode.SYNC),
        (SYNC | ASYNC, Mode.ASYMMETRIC, Mode.ASYMMETRIC),
        (ASYNC, Mode.ASYMMETRIC, Mode.ASYNC),
    ],
)
def test_a_thread_that_allows_both_modes_gets_the_preferred_one(flags: int, preferred: Mode, mode: Mode) -> None:
    assert control_from_prctl(flags, preferred).mode is mode


def test_after_exec_nothing_is_included_or_checked() -> None:
    assert control_from_prctl(0) == AFTER_EXEC
    assert not AFTER_EXEC.is_checked(0x0500_0000_0000_1000, writes=True)


def test_no_flag_gives_user_space_a_tag_that_matches_all() -> None:
    assert control_from_prctl(0x80007 | include(0xFFFF)).tcma == (False, False)
    assert control_from_prctl(0x80007).store_only


@pytest.mark.parametrize("argument", [-1, 1 << 20, 1 << 63])
def test_undefined_bits_are_refused(argument: int) -> None:
    with pytest.raises(ValueError, match="EINVAL"):
        control_from_prctl(argument)


def test_no_preference_is_refused() -> None:
    with pytest.raises(ValueError, match="sync, async or asymmetric"):
        control_from_prctl(SYNC | ASYNC, Mode.NONE)
