"""Cause: the capability exception codes of CHERI-RISC-V."""

from __future__ import annotations

from enum import IntEnum


class Cause(IntEnum):
    """Why a capability instruction faulted.

    Source: sail-cheri-riscv, src/cheri_types.sail, CapEx (ISAv9).

    >>> Cause.PERMIT_STORE
    <Cause.PERMIT_STORE: 19>
    """

    LENGTH = 0x01
    TAG = 0x02
    SEAL = 0x03
    TYPE = 0x04
    USER_DEFINED = 0x08
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
