"""Versions in pointers: the four bits 63:60 of an address, and the address without them.

Source: Linux, Documentation/arch/sparc/adi.rst; arch/sparc/include/asm/uaccess_64.h for the normalisation.
"""

from __future__ import annotations

from capability.word import WidthError, field, sign_extend, unsigned, with_field

LINE = 64
"""Bytes that share one version: a cache line. The kernel says so in AT_ADI_BLKSZ."""
BITS = 4
"""Bits of a version: the top ones of an address. The kernel says so in AT_ADI_NBITS."""
VERSIONS = 1 << BITS
UNIVERSAL = (0, 15)
"""Versions that, on a line, match every pointer. A pointer's version is never universal."""
USEFUL = tuple(version for version in range(VERSIONS) if version not in UNIVERSAL)
"""The versions that protect a line: 1 to 14."""


def version_of(pointer: int) -> int:
    """The version that a pointer carries: bits 63:60.

    pointer: 0 <= pointer < 2**64.  Raises WidthError.

    >>> version_of(0xA000_0000_0000_1230)
    10
    """
    return field(unsigned(pointer, 64), 63, 60)


def with_version(pointer: int, version: int) -> int:
    """The pointer with bits 63:60 replaced, and every other bit as it was.

    pointer: 0 <= pointer < 2**64. version: 0 to 15.  Raises WidthError.

    >>> hex(with_version(0x1230, 10))
    '0xa000000000001230'
    """
    return with_field(unsigned(pointer, 64), 63, 60, check_version(version))


def normalise(pointer: int) -> int:
    """The address that a versioned pointer names: bits 63:60 become copies of bit 59.

    Copies, not zeros: an address of the upper half has ones there, and clearing them would name another address.
    pointer: 0 <= pointer < 2**64.  Raises WidthError.  Source: adi_normalize in adi(3C); Linux, untagged addresses.

    >>> hex(normalise(0xA000_0000_0000_1230)), hex(normalise(0xAFFF_F800_0000_1230))
    ('0x1230', '0xfffff80000001230')
    """
    return sign_extend(field(unsigned(pointer, 64), 59, 0), 60, 64)


def matches(pointer_version: int, line_version: int) -> bool:
    """The hardware lets a pointer of this version reach a line of that one.

    It is the line's version that may be universal. A pointer of version 0 does not reach a line of version 5.
    Source: Linux, adi.rst, "Important notes".

    >>> matches(5, 5), matches(5, 6), matches(5, 0), matches(5, 15), matches(0, 5)
    (True, False, True, True, False)
    """
    check_version(pointer_version)
    return check_version(line_version) in UNIVERSAL or pointer_version == line_version


def check_version(version: int) -> int:
    """`version` itself, once it is certain that it is one.  Raises WidthError.

    >>> check_version(16)
    Traceback (most recent call last):
    capability.word.WidthError: version 16: 0 <= version <= 15
    """
    if not 0 <= version < VERSIONS:
        raise WidthError(f"version {version}: 0 <= version <= {VERSIONS - 1}")
    return version
