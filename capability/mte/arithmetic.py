"""Tag arithmetic: ADDG, SUBG, GMI, SUBP and SUBPS, the instructions that touch registers only.

Source of each: Arm ARM (DDI 0487), the instruction's own page; the pseudocode functions are named where they are used.
"""

from __future__ import annotations

from typing import NamedTuple

from capability.mte.control import Control
from capability.mte.tag import ALL_TAGS, TAGS, address_of, check_mask, check_tag, tag_of, with_tag
from capability.word import WidthError, bit, unsigned, wrap


def choose_tag(start: int, offset: int, exclude: int) -> int:
    """The tag that is `offset` allowed tags after `start`; 0 when no tag is allowed.

    start, offset: 0 to 15. exclude: a bit for each tag that is not allowed.  Raises WidthError.
    An excluded start is moved to the next allowed tag only when the offset is 0. Otherwise stepping begins from the
    start as it is: one step from an excluded tag already arrives at the next allowed one.
    Source: AArch64.ChooseNonExcludedTag.

    >>> choose_tag(3, 2, 0), choose_tag(3, 0, 0b1000), choose_tag(3, 1, 0b1000), choose_tag(3, 2, ALL_TAGS)
    (5, 4, 4, 0)
    """
    tag = check_tag(start)
    if not 0 <= offset < TAGS:
        raise WidthError(f"tag offset {offset}: 0 <= offset <= {TAGS - 1}")
    if check_mask(exclude) == ALL_TAGS:
        return 0
    if offset == 0:
        while exclude >> tag & 1:
            tag = (tag + 1) % TAGS
    for _ in range(offset):
        tag = (tag + 1) % TAGS
        while exclude >> tag & 1:
            tag = (tag + 1) % TAGS
    return tag


def addg(control: Control, xn: int, uimm6: int, uimm4: int) -> int:
    """ADDG: the address plus `uimm6` granules, with the tag `uimm4` allowed tags further on.

    xn: 64 bits. uimm6: granules, 0 to 63. uimm4: 0 to 15.  Raises WidthError.
    The sum is of all 64 bits: a carry runs through the tag field into bits 63:60, and then the tag is replaced.

    >>> hex(addg(Control(), 0x0500_0000_0000_1000, 2, 1))
    '0x600000000001020'
    >>> hex(addg(Control(), 0x0FFF_FFFF_FFFF_FFF0, 1, 0))
    '0x1f00000000000000'
    """
    return _moved(control, xn, _granules(uimm6), uimm4)


def subg(control: Control, xn: int, uimm6: int, uimm4: int) -> int:
    """SUBG: the address minus `uimm6` granules; the tag, however, still goes `uimm4` allowed tags *up*.

    As `addg`.

    >>> hex(subg(Control(), 0x0500_0000_0000_1000, 2, 1))
    '0x600000000000fe0'
    """
    return _moved(control, xn, -_granules(uimm6), uimm4)


def _moved(control: Control, xn: int, distance: int, uimm4: int) -> int:
    tag = choose_tag(tag_of(xn), uimm4, control.effective_exclude)
    return with_tag(wrap(xn + distance, 64), tag)


def _granules(uimm6: int) -> int:
    """The immediate in bytes."""
    if not 0 <= uimm6 <= 63:
        raise WidthError(f"address offset of {uimm6} granules: 0 <= uimm6 <= 63, which is 0 to 1008 bytes")
    return uimm6 * 16


def gmi(xn: int, xm: int) -> int:
    """GMI: the mask `xm` with the bit of `xn`'s tag set; all 64 bits of `xm` survive.

    This is how a pointer's own tag is kept out of an IRG. GCR has no part in it, nor has ATA.

    >>> hex(gmi(0x0500_0000_0000_1000, 0x8001))
    '0x8021'
    """
    return unsigned(xm, 64) | 1 << tag_of(xn)


class Difference(NamedTuple):
    """What SUBPS writes: Xd, and the flags N, Z, C, V as one number (8, 4, 2, 1)."""

    xd: int
    nzcv: int


def subps(xn: int, xm: int) -> Difference:
    """SUBPS: the distance of two pointers, whatever their tags, with flags. CMPP is SUBPS that drops Xd.

    xn, xm: 64 bits, of which 55:0 are sign-extended and subtracted.  Raises WidthError.
    Source: SUBPS, AddWithCarry.

    >>> subps(0x0500_0000_0000_1010, 0x0900_0000_0000_1000)
    Difference(xd=16, nzcv=2)
    """
    left, right = address_of(xn), address_of(xm)
    xd = wrap(left - right, 64)
    negative, overflow = bit(xd, 63), bit((left ^ right) & (left ^ xd), 63)
    return Difference(xd, negative << 3 | (xd == 0) << 2 | (left >= right) << 1 | overflow)


def subp(xn: int, xm: int) -> int:
    """SUBP: the distance of two pointers, whatever their tags.

    >>> hex(subp(0x0500_0000_0000_1000, 0x0900_0000_0000_1010))
    '0xfffffffffffffff0'
    """
    return subps(xn, xm).xd
