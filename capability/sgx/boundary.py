"""The boundary checks: is a buffer that the host names within the enclave, or outside of it?

Code in an enclave can write to all of the process. A pointer that comes in from the host must therefore be checked,
and each way to get the check wrong has been somebody's bug: the sum that wraps, the size of zero, the buffer that is
half in. `not is_within` is not `is_outside`.
Source: Intel SGX SDK, trts.cpp: sgx_is_within_enclave, sgx_is_outside_enclave. "A Tale of Two Worlds" (CCS 2019).
"""

from __future__ import annotations

from enum import Enum

from capability.word import unsigned, wrap


class Position(Enum):
    """Where a buffer lies, seen from an enclave."""

    WITHIN = "within"
    OUTSIDE = "outside"
    NEITHER = "neither"
    """It straddles the boundary, or wraps around the end of the address space: refuse it."""


def position(address: int, size: int, base: int, length: int) -> Position:
    """Where the `size` bytes at `address` lie, relative to the enclave at [base, base + length).

    All are words of 64 bits; length at least 1, base + length <= 2**64. A size of 0 counts as 1: the pointer itself
    must lie somewhere.  Raises WidthError.

    >>> [position(at, 16, 0x10000, 0x1000).value for at in (0x10ff0, 0x10ff1, 0x11000)]
    ['within', 'neither', 'outside']
    """
    if is_within(address, size, base, length):
        return Position.WITHIN
    return Position.OUTSIDE if is_outside(address, size, base, length) else Position.NEITHER


def is_within(address: int, size: int, base: int, length: int) -> bool:
    """Every byte is the enclave's.  Arguments, errors: as `position`.

    >>> is_within(0x10ff0, 16, 0x10000, 0x1000), is_within(0x10ff0, 2**64 - 1, 0x10000, 0x1000)
    (True, False)
    """
    last, end = _ends(address, size, base, length)
    return base <= address <= last <= end


def is_outside(address: int, size: int, base: int, length: int) -> bool:
    """No byte is the enclave's, and the buffer does not wrap.  Arguments, errors: as `position`.

    >>> is_outside(0x11000, 16, 0x10000, 0x1000), is_outside(2**64 - 8, 16, 0x10000, 0x1000)
    (True, False)
    """
    last, end = _ends(address, size, base, length)
    return address <= last and (last < base or address > end)


def _ends(address: int, size: int, base: int, length: int) -> tuple[int, int]:
    """The last byte of the buffer, wrapped as the processor's addition wraps, and the last byte of the enclave."""
    unsigned(address, 64)
    unsigned(size, 64)
    unsigned(base, 64)
    unsigned(length - 1, 64)
    last = wrap(address + size - 1, 64) if size else address
    return last, unsigned(base + length - 1, 64)
