"""The numbers with which SGX answers: error codes in RAX, exception vectors, page fault error codes."""

from __future__ import annotations

from enum import IntEnum, IntFlag

from capability.fault import Fault, FaultKind


class Code(IntEnum):
    """What a leaf returns in RAX; SUCCESS also clears ZF.  Source: SDM, "Error codes" of ENCLS, ENCLU and ENCLV."""

    SUCCESS = 0
    SGX_BLKSTATE = 3
    SGX_INVALID_MEASUREMENT = 4
    SGX_NOTBLOCKABLE = 5
    SGX_PG_INVLD = 6
    SGX_MAC_COMPARE_FAIL = 9
    SGX_PAGE_NOT_BLOCKED = 10
    SGX_NOT_TRACKED = 11
    SGX_VA_SLOT_OCCUPIED = 12
    SGX_CHILD_PRESENT = 13
    SGX_ENCLAVE_ACT = 14
    SGX_PREV_TRK_INCMPL = 17
    SGX_PG_IS_SECS = 18
    SGX_PAGE_ATTRIBUTES_MISMATCH = 19
    SGX_PAGE_NOT_MODIFIABLE = 20


class Vector(IntEnum):
    """The code of a Fault that is not a page fault: the exception's vector.  Source: SDM, volume 3A, "Interrupts"."""

    UD = 6
    GP = 13


class PageFault(IntFlag):
    """The code of a Fault that is a page fault: the error code that #PF pushes.  Source: SDM, volume 3A, "#PF"."""

    NOT_PRESENT = 0
    P = 1 << 0
    """The page is present, and its rights or its EPCM entry refused."""
    W = 1 << 1
    U = 1 << 2
    I = 1 << 4  # noqa: E741 - the manual's name
    SGX = 1 << 15
    """The EPCM refused, not the page tables."""


def general_protection(leaf: str, what: str) -> Fault:
    """#GP(0): the leaf was given what it cannot work on."""
    return Fault(FaultKind.OPERAND, Vector.GP, None, f"{leaf}: {what}: #GP(0)")


def bad_page(leaf: str, frame: int, what: str) -> Fault:
    """#PF for an EPC page that is not in the state that the leaf needs."""
    return Fault(FaultKind.ENCLAVE_PAGE, PageFault.P | PageFault.SGX, None, f"{leaf}: frame {frame} {what}: #PF")
