"""The causes for which capability instructions refuse, and the codes with which each architecture reports them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import NamedTuple

from capability.architecture import Access
from capability.fault import FaultKind


class Cause(IntEnum):
    """Why a capability instruction refused, with the code of CHERI-RISC-V.

    Source: sail-cheri-riscv, src/cheri_types.sail, CapEx; those that ISAv9 no longer raises, before commit 996e14b.

    >>> Cause.PERMIT_STORE
    <Cause.PERMIT_STORE: 19>
    """

    LENGTH = 0x01
    TAG = 0x02
    SEAL = 0x03
    TYPE = 0x04
    USER_DEFINED = 0x08
    INEXACT_BOUNDS = 0x0A
    UNALIGNED_BASE = 0x0B
    GLOBAL = 0x10
    PERMIT_EXECUTE = 0x11
    PERMIT_LOAD = 0x12
    PERMIT_STORE = 0x13
    PERMIT_LOAD_CAP = 0x14
    PERMIT_STORE_CAP = 0x15
    PERMIT_STORE_LOCAL_CAP = 0x16
    PERMIT_SEAL = 0x17
    ACCESS_SYSTEM_REGS = 0x18
    PERMIT_CINVOKE = 0x19
    PERMIT_UNSEAL = 0x1B
    PERMIT_SET_CID = 0x1C


KINDS: Mapping[Cause, FaultKind] = MappingProxyType(
    {
        **dict.fromkeys(Cause, FaultKind.PERMISSION),
        Cause.LENGTH: FaultKind.LENGTH,
        Cause.INEXACT_BOUNDS: FaultKind.LENGTH,
        Cause.UNALIGNED_BASE: FaultKind.ALIGNMENT,
        Cause.TAG: FaultKind.TAG,
        Cause.SEAL: FaultKind.SEAL,
        Cause.TYPE: FaultKind.SEAL,
    }
)
"""The neutral kind of each cause."""


class RiscvMisaligned(IntEnum):
    """RISC-V's exceptions for a misaligned address.  Source: the privileged specification."""

    LOAD = 4
    STORE = 6


class RiscvCapability(IntEnum):
    """The RISC-V draft's exceptions: what the access was, and not what was wrong with it.

    A misaligned capability is an access fault there.  Source: riscv-cheri, exception codes of 2026.
    """

    LOAD_ACCESS = 5
    STORE_ACCESS = 7
    CHERI_FETCH = 32
    CHERI_LOAD = 33
    CHERI_STORE = 34


class MorelloStatus(IntEnum):
    """Morello's fault status codes, reported in ESR_ELx.  Source: sail-morello, src/v8_base.sail, EncodeLDFSC."""

    ALIGNMENT = 0x21
    TAG = 0x28
    SEAL = 0x29
    BOUNDS = 0x2A
    PERMISSION = 0x2B


class Codes(NamedTuple):
    """How an architecture numbers a refused access, and a misaligned one."""

    refused: Callable[[Cause, Access], IntEnum]
    misaligned: Callable[[Access], IntEnum]


_STORES = frozenset({Access.STORE, Access.STORE_CAPABILITY, Access.STORE_LOCAL_CAPABILITY})
_MORELLO = {
    FaultKind.TAG: MorelloStatus.TAG,
    FaultKind.SEAL: MorelloStatus.SEAL,
    FaultKind.LENGTH: MorelloStatus.BOUNDS,
}


def _riscv(cause: Cause, access: Access) -> RiscvCapability:
    if access is Access.FETCH:
        return RiscvCapability.CHERI_FETCH
    return RiscvCapability.CHERI_STORE if access in _STORES else RiscvCapability.CHERI_LOAD


ISAV9_CODES = Codes(
    lambda cause, access: cause, lambda access: RiscvMisaligned.STORE if access in _STORES else RiscvMisaligned.LOAD
)
RISCV_CODES = Codes(
    _riscv, lambda access: RiscvCapability.STORE_ACCESS if access in _STORES else RiscvCapability.LOAD_ACCESS
)
MORELLO_CODES = Codes(
    lambda cause, access: _MORELLO.get(KINDS[cause], MorelloStatus.PERMISSION), lambda access: MorelloStatus.ALIGNMENT
)
