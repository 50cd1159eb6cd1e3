"""The permissions of each instruction set, with its own names and the bits that its own instruction reports.

CHERI-RISC-V ISAv9's are `capability.perms.Perms`, which are also the names that an allocator uses with any of them.
"""

from __future__ import annotations

from enum import IntFlag


class MorelloPerms(IntFlag):
    """What Morello's GCPERM returns.  Source: sail-morello, src/v8_base.sail, CAP_PERM_*.

    >>> MorelloPerms(0x3FFFF).bit_count()
    18
    """

    GLOBAL = 1 << 0
    EXECUTIVE = 1 << 1
    USER0 = 1 << 2
    USER1 = 1 << 3
    USER2 = 1 << 4
    USER3 = 1 << 5
    MUTABLE_LOAD = 1 << 6
    SET_CID = 1 << 7
    BRANCH_SEALED_PAIR = 1 << 8
    SYSTEM = 1 << 9
    UNSEAL = 1 << 10
    SEAL = 1 << 11
    STORE_LOCAL = 1 << 12
    STORE_CAP = 1 << 13
    LOAD_CAP = 1 << 14
    EXECUTE = 1 << 15
    STORE = 1 << 16
    LOAD = 1 << 17


class RiscvPerms(IntFlag):
    """What GCPERM of the RISC-V draft returns; bits that mean nothing are ones there.

    EL is called LG (load global) in later drafts, and LEVEL is the flag GL.
    Source: riscv-cheri, "Capability permissions bit field"; cheri-compressed-cap, cheri_compressed_cap_128r.h.
    """

    W = 1 << 0
    LM = 1 << 1
    EL = 1 << 2
    SL = 1 << 3
    LEVEL = 1 << 4
    C = 1 << 5
    SDP0 = 1 << 6
    SDP1 = 1 << 7
    SDP2 = 1 << 8
    SDP3 = 1 << 9
    ASR = 1 << 16
    X = 1 << 17
    R = 1 << 18


class CheriotPerms(IntFlag):
    """What CHERIoT's CGetPerm returns.  Source: cheriot-sail, src/cheri_cap_common.sail, getCapPerms."""

    GLOBAL = 1 << 0
    LOAD_GLOBAL = 1 << 1
    STORE = 1 << 2
    LOAD_MUTABLE = 1 << 3
    STORE_LOCAL_CAP = 1 << 4
    LOAD = 1 << 5
    LOAD_STORE_CAP = 1 << 6
    ACCESS_SYSTEM_REGS = 1 << 7
    EXECUTE = 1 << 8
    UNSEAL = 1 << 9
    SEAL = 1 << 10
    USER0 = 1 << 11
