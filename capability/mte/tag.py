"""Tags in pointers: the four bits 59:56 of an address, and the address without them.

Source: Arm ARM (DDI 0487), "The Memory Tagging Extension": logical address tags; allocation tags and their granule.
"""

from __future__ import annotations

from capability.word import WidthError, field, sign_extend, unsigned, with_field

GRANULE = 16
"""Bytes that share one allocation tag (LOG2_TAG_GRANULE is 4)."""
TAGS = 16
"""How many tags there are: 0 to 15."""
ALL_TAGS = 0xFFFF
"""A mask with a bit for every tag."""


def tag_of(pointer: int) -> int:
    """The logical tag: bits 59:56. Bits 63:60 never take part.

    pointer: 0 <= pointer < 2**64.  Raises WidthError.  Source: AArch64.AllocationTagFromAddress.

    >>> tag_of(0xF5000000_00001230)
    5
    """
    return field(unsigned(pointer, 64), 59, 56)


def with_tag(pointer: int, tag: int) -> int:
    """The pointer with bits 59:56 replaced, and every other bit as it was.

    pointer: 0 <= pointer < 2**64. tag: 0 to 15.  Raises WidthError.  Source: AArch64.AddressWithAllocationTag.

    >>> hex(with_tag(0xF0000000_00001230, 5))
    '0xf500000000001230'
    """
    return with_field(unsigned(pointer, 64), 59, 56, check_tag(tag))


def address_of(pointer: int) -> int:
    """The address that the pointer names where the top byte is ignored: bits 55:0, sign-extended.

    pointer: 0 <= pointer < 2**64.  Raises WidthError.  Source: Arm ARM, "Address tagging" (TBI).

    >>> hex(address_of(0x05000000_00001230)), hex(address_of(0x05FF0000_00001230))
    ('0x1230', '0xffff000000001230')
    """
    return sign_extend(field(unsigned(pointer, 64), 55, 0), 56, 64)


def is_upper(pointer: int) -> bool:
    """True for the half of the address space that bit 55 selects: the kernel's, with settings of its own.

    >>> is_upper(0x1230), is_upper(0xFFFF0000_00001230)
    (False, True)
    """
    return bool(field(unsigned(pointer, 64), 55, 55))


def canonical_tag(pointer: int) -> int:
    """The tag of a pointer that nobody tagged: 0 in the lower half, 15 in the upper.

    >>> canonical_tag(0x05000000_00001230), canonical_tag(0x05FF0000_00001230)
    (0, 15)
    """
    return 15 if is_upper(pointer) else 0


def check_tag(tag: int) -> int:
    """`tag` itself, once it is certain that it is one.  Raises WidthError.

    >>> check_tag(16)
    Traceback (most recent call last):
    capability.word.WidthError: tag 16: 0 <= tag <= 15
    """
    if not 0 <= tag < TAGS:
        raise WidthError(f"tag {tag}: 0 <= tag <= {TAGS - 1}")
    return tag


def check_mask(mask: int) -> int:
    """`mask` itself, once it is certain that it has a bit for no more than the 16 tags.  Raises WidthError.

    >>> check_mask(0x10000)
    Traceback (most recent call last):
    capability.word.WidthError: tag mask 0x10000: 0 <= mask <= 0xffff
    """
    if not 0 <= mask <= ALL_TAGS:
        raise WidthError(f"tag mask {mask:#x}: 0 <= mask <= {ALL_TAGS:#x}")
    return mask


def members(mask: int) -> tuple[int, ...]:
    """The tags whose bit is set in the mask, in order.

    >>> members(0x8005)
    (0, 2, 15)
    """
    check_mask(mask)
    return tuple(tag for tag in range(TAGS) if mask >> tag & 1)


def mask_of(*tags: int) -> int:
    """The mask with a bit for each of the tags.

    >>> hex(mask_of(0, 2, 15))
    '0x8005'
    """
    mask = 0
    for tag in tags:
        mask |= 1 << check_tag(tag)
    return mask
