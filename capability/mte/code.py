"""The numbers that a tag fault carries: Linux's signal codes, and the syndrome that the processor reports."""

from __future__ import annotations

from enum import IntEnum

from capability.fault import Fault, FaultKind


class TagCode(IntEnum):
    """si_code of the SIGSEGV that Linux sends for a tag check fault, or for a tag that may not be stored.

    Source: Linux, include/uapi/asm-generic/siginfo.h.
    """

    SEGV_ACCERR = 2
    """A tag stored to memory whose tags are canonical: a permission fault."""
    SEGV_MTEAERR = 8
    """Asynchronous: found later, no address (si_addr is 0)."""
    SEGV_MTESERR = 9
    """Synchronous: si_addr is the address."""


class DataFaultStatus(IntEnum):
    """ESR_ELx.DFSC, the reason of a data abort.  Source: Arm ARM, ESR_ELx, the ISS encoding of a Data Abort."""

    TRANSLATION = 0x04
    """Translation fault, level 0; the level depends on page tables, which are not modelled."""
    PERMISSION = 0x0C
    """Permission fault, level 0; as above."""
    TAG_CHECK = 0x11
    ALIGNMENT = 0x21


_STATUS = {
    FaultKind.UNMAPPED: DataFaultStatus.TRANSLATION,
    FaultKind.PERMISSION: DataFaultStatus.PERMISSION,
    FaultKind.TAG_MISMATCH: DataFaultStatus.TAG_CHECK,
    FaultKind.ALIGNMENT: DataFaultStatus.ALIGNMENT,
}


def data_fault_status(fault: Fault) -> DataFaultStatus:
    """The DFSC of a fault that this package raises.  Raises KeyError for another architecture's.

    >>> data_fault_status(Fault(FaultKind.ALIGNMENT, 1, 8, "STG at 0x8")).name
    'ALIGNMENT'
    """
    return _STATUS[fault.kind]


def syndrome(fault: Fault, *, writes: bool) -> int:
    """ESR_EL1 of a synchronous data abort taken without a change of exception level: EC 0x25, IL, WnR and DFSC.

    A permission fault here is always that of a tag, so that it has TnD (tag, not data; bit 42) as well.

    >>> hex(syndrome(Fault(FaultKind.TAG_MISMATCH, TagCode.SEGV_MTESERR, 0x1000, "store"), writes=True))
    '0x96000051'
    """
    tag_not_data = fault.kind is FaultKind.PERMISSION
    return tag_not_data << 42 | 0x25 << 26 | 1 << 25 | writes << 6 | data_fault_status(fault)
