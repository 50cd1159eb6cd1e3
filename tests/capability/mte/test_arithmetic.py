"""Tag arithmetic against definitions that are written another way than the pseudocode."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability.mte.arithmetic import addg, choose_tag, gmi, subg, subp, subps
from capability.mte.control import Control
from capability.mte.tag import address_of, tag_of, with_tag
from capability.word import WidthError, signed

words = st.integers(0, (1 << 64) - 1)
masks = st.integers(0, 0xFFFF)
tags = st.integers(0, 15)


@given(tags, tags, masks)
def test_choose_tag_walks_the_ring_of_allowed_tags(start: int, offset: int, exclude: int) -> None:
    allowed = [tag for tag in range(16) if not exclude >> tag & 1]
    if not allowed:
        assert choose_tag(start, offset, exclude) == 0
        return
    ring = sorted(allowed, key=lambda tag: (tag - start) % 16)
    # From an allowed start, offset 0 is the start itself; an excluded one is not on the ring, so one step is its first.
    skipped = 1 if start not in allowed and offset else 0
    assert choose_tag(start, offset, exclude) == ring[(offset - skipped) % len(ring)]


@given(words, st.integers(0, 63), tags, masks)
def test_addg_and_subg_move_the_address_apart_and_the_tag_alike(xn: int, granules: int, offset: int, mask: int) -> None:
    control = Control(exclude=mask)
    up, down = addg(control, xn, granules, offset), subg(control, xn, granules, offset)
    assert with_tag(up, 0) == with_tag((xn + 16 * granules) % (1 << 64), 0)
    assert with_tag(down, 0) == with_tag((xn - 16 * granules) % (1 << 64), 0)
    assert tag_of(up) == tag_of(down) == choose_tag(tag_of(xn), offset, mask)


@given(words, words)
def test_gmi_sets_one_bit_and_keeps_the_rest(xn: int, xm: int) -> None:
    assert gmi(xn, xm) & ~xm in (0, 1 << tag_of(xn)) and gmi(xn, xm) & xm == xm and gmi(xn, xm) >> tag_of(xn) & 1


@given(words, words)
def test_subps_is_the_signed_difference_of_56_bits(xn: int, xm: int) -> None:
    left, right = signed(xn % (1 << 56), 56), signed(xm % (1 << 56), 56)
    difference = subps(xn, xm)
    assert signed(difference.xd, 64) == left - right and subp(xn, xm) == difference.xd
    assert bool(difference.nzcv & 8) == (left < right) and bool(difference.nzcv & 4) == (left == right)
    assert bool(difference.nzcv & 2) == (left % (1 << 64) >= right % (1 << 64))
    assert not difference.nzcv & 1, "the difference of two 56-bit numbers never overflows 64 bits"


@given(words, tags)
def test_a_tag_replaces_four_bits_and_leaves_the_address(pointer: int, tag: int) -> None:
    tagged = with_tag(pointer, tag)
    assert tag_of(tagged) == tag and address_of(tagged) == address_of(pointer) and tagged >> 60 == pointer >> 60


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: addg(Control(), 0, 64, 0), "64 granules: 0 <= uimm6 <= 63"),
        (lambda: subg(Control(), 0, 0, 16), "tag offset 16: 0 <= offset <= 15"),
        (lambda: subg(Control(), 1 << 64, 0, 0), "does not fit in 64 bits"),
        (lambda: gmi(0, -1), "does not fit in 64 bits"),
        (lambda: choose_tag(16, 0, 0), "tag 16: 0 <= tag <= 15"),
        (lambda: Control(exclude=0x10000), "0 <= mask <= 0xffff"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_range(call: object, message: str) -> None:
    with pytest.raises(WidthError, match=message):
        call()  # type: ignore[operator]
