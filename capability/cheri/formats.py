"""The six formats.

Sources: facts of each are in sail-cheri-riscv 74a9da1 (128, 64), sail-morello 2305f65 (128m), cheri-compressed-cap
0bd01cc (128r, 64r: the RISC-V draft of 2025; later drafts move the permissions), cheriot-sail 114e78a (cheriot).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntFlag
from types import MappingProxyType

from capability.cheri.cheriot_bounds import CheriotBounds
from capability.cheri.cheriot_perms import CheriotCompressed
from capability.cheri.concentrate import Concentrate, OutOfRange, StoredExponent
from capability.cheri.field import Field
from capability.cheri.format import Format
from capability.cheri.otype import ObjectTypes
from capability.cheri.permission import MorelloPerms
from capability.cheri.permission_codec import InPlace
from capability.cheri.riscv_perms import RiscvBits, RiscvTable
from capability.perms import Perms


def _names(**names: int) -> MappingProxyType[int, str]:
    return MappingProxyType({otype: name.replace("_", " ") for name, otype in names.items()})


def _isav9_types(bits: int) -> ObjectTypes:
    top = (1 << bits) - 1
    names = _names(unsealed=top, sentry=top - 1, indirect_pair=top - 2, indirect_sentry=top - 3)
    return ObjectTypes(top, top - 1, range(top - 3, top + 1), range(top - 3), names)


_ISAV9_NAMES: Mapping[IntFlag, Perms] = MappingProxyType({perm: perm for perm in Perms})

ISAV9_128 = Format(
    name="128",
    title="CHERI-RISC-V ISAv9, 128 bits",
    bounds=Concentrate(64, 14, 3, 1, StoredExponent.PLAIN, OutOfRange.CLAMPED, 3),
    permissions=InPlace(Perms, (("UPERMS", Field(63, 60), 15), ("HWPERMS", Field(59, 48), 0)), _ISAV9_NAMES),
    otypes=_isav9_types(18),
    otype=Field(44, 27),
    flags=Field(45, 45),
    reserved=(Field(47, 46),),
    null=0x00001FFFFC018004,
    roots=MappingProxyType({"all": 0xFFFF1FFFFC018004}),
    xor=0x00001FFFFC018004,
)

ISAV9_64 = Format(
    name="64",
    title="CHERI-RISC-V ISAv9, 64 bits",
    bounds=Concentrate(32, 8, 3, 1, StoredExponent.PLAIN, OutOfRange.CLAMPED, 3),
    permissions=InPlace(
        Perms,
        (("HWPERMS", Field(31, 20), 0),),
        MappingProxyType({perm: perm for perm in Perms if perm < Perms.SW_SYSCALL}),
    ),
    otypes=_isav9_types(4),
    otype=Field(18, 15),
    flags=Field(19, 19),
    reserved=(),
    null=0x0007C302,
    roots=MappingProxyType({"all": 0xFFF7C302}),
    xor=0x0007C302,
)

MORELLO_128 = Format(
    name="128m",
    title="Arm Morello",
    bounds=Concentrate(64, 16, 3, 0, StoredExponent.INVERTED, OutOfRange.WHOLE_SPACE, 3, signed_bits=56),
    permissions=InPlace(
        MorelloPerms,
        (("ALL_PERMS", Field(63, 46), 0),),
        MappingProxyType(
            {
                MorelloPerms.GLOBAL: Perms.GLOBAL,
                MorelloPerms.USER0: Perms.SW_SYSCALL,
                MorelloPerms.USER1: Perms.SW_VMEM,
                MorelloPerms.USER2: Perms.SW_2,
                MorelloPerms.USER3: Perms.SW_3,
                MorelloPerms.SET_CID: Perms.PERMIT_SET_CID,
                MorelloPerms.BRANCH_SEALED_PAIR: Perms.PERMIT_CINVOKE,
                MorelloPerms.SYSTEM: Perms.ACCESS_SYSTEM_REGS,
                MorelloPerms.UNSEAL: Perms.PERMIT_UNSEAL,
                MorelloPerms.SEAL: Perms.PERMIT_SEAL,
                MorelloPerms.STORE_LOCAL: Perms.PERMIT_STORE_LOCAL_CAP,
                MorelloPerms.STORE_CAP: Perms.PERMIT_STORE_CAP,
                MorelloPerms.LOAD_CAP: Perms.PERMIT_LOAD_CAP,
                MorelloPerms.EXECUTE: Perms.PERMIT_EXECUTE,
                MorelloPerms.STORE: Perms.PERMIT_STORE,
                MorelloPerms.LOAD: Perms.PERMIT_LOAD,
            }
        ),
        of_use_with=MappingProxyType({MorelloPerms.EXECUTIVE: Perms.PERMIT_EXECUTE}),
    ),
    otypes=ObjectTypes(0, 1, range(4), range(0x8000), _names(unsealed=0, sentry=1, load_pair_branch=2, load_branch=3)),
    otype=Field(45, 31),
    flags=None,
    reserved=(),
    null=0,
    roots=MappingProxyType({"all": 0xFFFFC00000010005}),
    flags_from_bit=56,
)

_RISCV_TYPES = ObjectTypes(0, 1, range(2), range(0), _names(unsealed=0, sentry=1))

RISCV_128 = Format(
    name="128r",
    title="RISC-V draft, 128 bits",
    bounds=Concentrate(64, 14, 3, 0, StoredExponent.FROM_LARGEST, OutOfRange.EMPTY, 14),
    permissions=RiscvBits(Field(51, 44), Field(56, 53), Field(43, 43), levels=True),
    otypes=_RISCV_TYPES,
    otype=Field(27, 27),
    flags=Field(52, 52),
    reserved=(Field(63, 57), Field(42, 28)),
    null=0,
    roots=MappingProxyType({"all": 0x01FFF80000000000}),
)

RISCV_64 = Format(
    name="64r",
    title="RISC-V draft, 64 bits",
    bounds=Concentrate(32, 10, 2, 0, StoredExponent.FROM_LARGEST, OutOfRange.EMPTY, 10, length_bit=True),
    permissions=RiscvTable(Field(29, 25), Field(31, 30), Field(24, 24), levels=True),
    otypes=_RISCV_TYPES,
    otype=Field(20, 20),
    flags=Field(25, 25),
    reserved=(Field(23, 23), Field(22, 21)),
    null=0,
    roots=MappingProxyType({"all": 0xD3000000}),
)

_WHOLE_SPACE = 0xF << 18 | 0x100 << 9
CHERIOT = Format(
    name="cheriot",
    title="CHERIoT",
    bounds=CheriotBounds(),
    permissions=CheriotCompressed(Field(30, 25)),
    otypes=ObjectTypes(
        0,
        1,
        range(6),
        range(9, 16),
        _names(
            unsealed=0,
            sentry=1,
            sentry_disabling_interrupts=2,
            sentry_enabling_interrupts=3,
            return_disabling_interrupts=4,
            return_enabling_interrupts=5,
        ),
        code_sealable=(1, 2, 3, 6, 7),
        data_from=8,
    ),
    otype=Field(24, 22),
    flags=None,
    reserved=(Field(31, 31),),
    null=0,
    roots=MappingProxyType(
        {
            "memory": 0b1_11_111 << 25 | _WHOLE_SPACE,
            "executable": 0b1_01_111 << 25 | _WHOLE_SPACE,
            "sealing": 0b1_00_111 << 25 | _WHOLE_SPACE,
        }
    ),
)
"""From published descriptions alone: no reference vectors back this format. The upper bit of an object type is not
stored: types 1 to 7 are of executable capabilities, 9 to 15 of the others."""

FORMATS: Mapping[str, Format] = MappingProxyType(
    {format.name: format for format in (ISAV9_128, MORELLO_128, RISCV_128, ISAV9_64, RISCV_64, CHERIOT)}
)
"""By the names that the reference vectors use."""
