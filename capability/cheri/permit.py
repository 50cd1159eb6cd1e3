"""Taking permissions away, and setting the flags and the level beside them."""

from __future__ import annotations

from enum import IntFlag

from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.isa import Isa
from capability.cheri.permission import RiscvPerms
from capability.perms import Perms
from capability.word import WidthError, mask, unsigned


def and_perms(capability: Capability, keep: int, isa: Isa) -> Capability:
    """Keep only the permissions in `keep`, a mask in the layout that the instruction set reports.

    A set that the format cannot hold, or that makes no sense, becomes the part of it that the architecture's rules
    leave. Illegal (sealed; in the RISC-V draft only if a permission goes): the tag is cleared; ISAv8 raises Fault TAG
    or SEAL.  Raises WidthError when `keep` is not a register's value.
    Source: ISAv9 CAndPerm, CHERIoT CAndPerm; RISC-V's older ACPERM.

    >>> from capability.cheri.isa import ISAV9_128, RISCV_64
    >>> and_perms(Capability.root(ISAV9_128.format), Perms.PERMIT_LOAD | Perms.GLOBAL, ISAV9_128)
    0x0 [r,0x0-0x10000000000000000]
    >>> and_perms(Capability.root(RISCV_64.format), RiscvPerms.X | RiscvPerms.W, RISCV_64)      # no row for that
    0x0 [w,0x0-0x100000000]
    """
    isa.require(capability)
    unsigned(keep, capability.format.address_bits)
    codec = capability.format.permissions
    old = codec.read(capability.pesbt) & codec.mask
    new = codec.legalise(old & keep)
    upper = codec.write(capability.pesbt, new)
    assert upper is not None, f"{codec.kind(new)!r} was legalised and has no encoding"
    changed = old ^ new
    if isa.sealed_perms_survive and codec.kind is RiscvPerms:
        changed &= ~int(RiscvPerms.LEVEL)  # a sealed capability may become local
    sealed = capability.sealed and (not isa.sealed_perms_survive or changed != 0)
    result = capability.with_bits(upper, capability.address, True)
    return isa.settle(result, ((not capability.tag, Cause.TAG), (sealed, Cause.SEAL)))


def clear_perms(capability: Capability, drop: int, isa: Isa) -> Capability:
    """Take away the permissions in `drop`; otherwise as `and_perms`.

    Source: Morello CLRPERM, RISC-V CLRPERM: both take the mask of what goes, not of what stays.
    """
    unsigned(drop, capability.format.address_bits)
    return and_perms(capability, ~drop & mask(capability.format.address_bits), isa)


def limit_rights(capability: Capability, rights: Perms, isa: Isa) -> Capability:
    """Keep only permissions that allow nothing beyond `rights`, whatever the format calls them.

    >>> from capability.cheri.isa import RISCV_128
    >>> from capability.perms import DATA
    >>> limit_rights(Capability.root(RISCV_128.format), DATA, RISCV_128)
    0x0 [rwRW,0x0-0x10000000000000000]
    """
    return and_perms(capability, capability.format.permissions.within(rights), isa)


def set_flags(capability: Capability, flags: int, isa: Isa) -> Capability:
    """Set the execution mode (ISAv9, RISC-V) or the top byte of the address (Morello); neither is authority.

    RISC-V: only code has a mode; elsewhere the capability stays as it is. Illegal (sealed): the tag is cleared; ISAv8
    raises Fault SEAL.  Raises WidthError, and ValueError where the format has no flags.
    Source: ISAv9 CSetFlags, RISC-V SCMODE, Morello CapSetFlags.

    >>> from capability.cheri.isa import MORELLO
    >>> set_flags(Capability.root(MORELLO.format), 0x5A, MORELLO).address == 0x5A << 56
    True
    """
    isa.require(capability)
    format = capability.format
    upper, address = capability.pesbt, capability.address
    if format.flags is None:
        first = format.flags_from_bit
        if not first:
            raise ValueError(f"format {format.name} has no flags")
        unsigned(flags, format.address_bits - first)
        address = address & mask(first) | flags << first
    elif format.permissions.kind is not RiscvPerms or Perms.PERMIT_EXECUTE in capability.rights:
        upper = format.flags.put(upper, flags)
    elif not 0 <= flags <= format.flags.mask >> format.flags.low:
        raise WidthError(f"flags {flags}: 0 or 1")
    result = capability.with_bits(upper, address, True)
    return isa.settle(result, ((capability.tag and capability.sealed, Cause.SEAL),))


def after_load(loaded: Capability, through: Capability, isa: Isa) -> Capability:
    """What arrives in a register when `loaded` comes from memory through `through`: weaker, where that one is weak.

    Source: sail-morello, CapSquashPostLoadCap; riscv-cheri, LOAD_CAP and levels; cheriot-sail, LoadCapImm.
    """
    if not loaded.tag:
        return loaded
    if Perms.PERMIT_LOAD_CAP not in through.rights:
        return loaded.clear_tag()
    codec = loaded.format.permissions
    held = codec.read(through.pesbt)
    lost: IntFlag = codec.kind(0)
    for rule in isa.load_filters:
        if not held & rule.without:
            lost |= rule.sealed if loaded.sealed else rule.unsealed
    if not lost:
        return loaded
    upper = codec.write(loaded.pesbt, codec.legalise(codec.read(loaded.pesbt) & codec.mask & ~int(lost)))
    assert upper is not None, "what is legalised has an encoding"
    return loaded.with_bits(upper, loaded.address, True)
