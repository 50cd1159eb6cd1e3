"""Perms: the rights that a pointer can carry, by name.

The names are CHERI's, which has the finest grain; the bit positions are those that CGetPerm of CHERI-RISC-V ISAv9
returns. A capability format with other positions translates by name. An architecture without rights in its pointers
ignores them.
"""

from __future__ import annotations

from enum import IntFlag


class Perms(IntFlag):
    """A set of rights, ordered by inclusion: `a & b` is the meet, and deriving can only go down.

    Source: sail-cheri-riscv, src/cheri_types.sail (the order of the permission bits).

    >>> Perms.PERMIT_LOAD in DATA, Perms.PERMIT_EXECUTE in DATA
    (True, False)
    """

    GLOBAL = 1 << 0
    PERMIT_EXECUTE = 1 << 1
    PERMIT_LOAD = 1 << 2
    PERMIT_STORE = 1 << 3
    PERMIT_LOAD_CAP = 1 << 4
    PERMIT_STORE_CAP = 1 << 5
    PERMIT_STORE_LOCAL_CAP = 1 << 6
    PERMIT_SEAL = 1 << 7
    PERMIT_CINVOKE = 1 << 8
    PERMIT_UNSEAL = 1 << 9
    ACCESS_SYSTEM_REGS = 1 << 10
    PERMIT_SET_CID = 1 << 11
    SW_SYSCALL = 1 << 15
    """Software permission 0; CheriBSD: the holder may make system calls with it."""
    SW_VMEM = 1 << 16
    """Software permission 1; CheriBSD: the holder may change the mapping, and revocation passes it by."""
    SW_2 = 1 << 17
    SW_3 = 1 << 18


NO_PERMS = Perms(0)
ALL_PERMS = Perms(0x78FFF)
"""Every right there is: what the root capability carries. The mask is that of CGetPerm in ISAv9."""
DATA = (
    Perms.GLOBAL
    | Perms.PERMIT_LOAD
    | Perms.PERMIT_STORE
    | Perms.PERMIT_LOAD_CAP
    | Perms.PERMIT_STORE_CAP
    | Perms.PERMIT_STORE_LOCAL_CAP
)
"""What an allocator hands out: data and pointers may be read and written. Above all without SW_VMEM, whose holder could
unmap the page under the allocator, and without the rights to execute, seal or reach system registers.
Source: CTSRD-CHERI/cheri-c-programming, branch memory-allocators (draft rules for the value malloc returns)."""
