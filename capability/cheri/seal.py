"""Sealing: a capability that can be held and passed on, and neither used nor changed until it is unsealed."""

from __future__ import annotations

from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.isa import Isa
from capability.perms import Perms
from capability.word import mask


def seal(capability: Capability, authority: Capability, isa: Isa) -> Capability:
    """Seal with the object type that `authority` points at.

    Legal if both are tagged and unsealed, the authority has the permission to seal, its address is in its bounds, and
    that number is a type to seal with. Illegal: the tag is cleared; ISAv8 raises Fault TAG, SEAL, PERMISSION or LENGTH.
    Raises ValueError where the instruction set seals with sentries only.
    Source: ISAv9 CSeal, Morello SEAL, CHERIoT CSeal.

    >>> from capability.cheri.isa import ISAV9_128
    >>> root = Capability.root(ISAV9_128.format)
    >>> authority = Capability.root(ISAV9_128.format, address=42)
    >>> sealed = seal(root, authority, ISAV9_128)
    >>> sealed, sealed.otype
    (0x0 [rwxRW,0x0-0x10000000000000000] (sealed), 42)
    """
    _require_authority(isa, capability, authority)
    otype = authority.address
    may = capability.format.otypes.may_seal(otype, Perms.PERMIT_EXECUTE in capability.rights)
    refusals = (
        (not capability.tag, Cause.TAG),
        (not authority.tag, Cause.TAG),
        (capability.sealed, Cause.SEAL),
        (authority.sealed, Cause.SEAL),
        (Perms.PERMIT_SEAL not in authority.rights, Cause.PERMIT_SEAL),
        (not _points_inside(authority), Cause.LENGTH),
        (not may, Cause.LENGTH),
    )
    return isa.settle(with_otype(capability, otype), refusals)


def conditional_seal(capability: Capability, authority: Capability, isa: Isa) -> Capability:
    """Seal, or pass the capability on unchanged where it is not this authority's turn.

    Made for giving swapped-out capabilities their seals back with several authorities, without branches. Passed on:
    an address of all ones, which means "not sealed". ISAv9 also passes on what is sealed, and everything while the
    authority is untagged or points outside its bounds; Morello whatever it may not seal.
    Source: ISAv9 CCSeal, Morello CSEAL.
    """
    _require_authority(isa, capability, authority)
    if authority.address == mask(isa.format.address_bits):
        return capability
    if isa.seals_or_passes:
        sealed = seal(capability, authority, isa)
        return sealed if sealed.tag else capability
    if not authority.tag or capability.sealed or not _points_inside(authority):
        return capability
    otype = authority.address
    refusals = (
        (authority.sealed, Cause.SEAL),
        (Perms.PERMIT_SEAL not in authority.rights, Cause.PERMIT_SEAL),
        (not isa.format.otypes.may_seal(otype, Perms.PERMIT_EXECUTE in capability.rights), Cause.LENGTH),
    )
    return isa.settle(with_otype(capability, otype), refusals)


def unseal(capability: Capability, authority: Capability, isa: Isa) -> Capability:
    """Undo a seal; the result is global only if both were.

    Legal if both are tagged, one is sealed and the other is not, the authority may unseal, points at the object type,
    and that in its bounds. ISAv9 refuses types with a fixed meaning. Illegal: the tag is cleared; ISAv8 raises Fault.
    Raises ValueError where the instruction set seals with sentries only.
    Source: ISAv9 CUnseal, Morello UNSEAL, CHERIoT CUnseal.
    """
    _require_authority(isa, capability, authority)
    format = capability.format
    otype = capability.otype
    refusals = (
        (not capability.tag, Cause.TAG),
        (not authority.tag, Cause.TAG),
        (not capability.sealed, Cause.SEAL),
        (authority.sealed, Cause.SEAL),
        (not isa.unseals_reserved and format.otypes.is_reserved(otype), Cause.TYPE),
        (authority.address != otype, Cause.TYPE),
        (Perms.PERMIT_UNSEAL not in authority.rights, Cause.PERMIT_UNSEAL),
        (not _points_inside(authority), Cause.LENGTH),
    )
    opened = with_otype(capability, format.otypes.unsealed)
    if Perms.GLOBAL not in authority.rights:
        codec = format.permissions
        upper = codec.write(opened.pesbt, codec.read(opened.pesbt) & codec.mask & codec.within(~Perms.GLOBAL))
        assert upper is not None, "without GLOBAL every set of permissions keeps its encoding"
        opened = opened.with_bits(upper, opened.address, True)
    return isa.settle(opened, refusals)


def seal_entry(capability: Capability, isa: Isa) -> Capability:
    """Make a sentry: code that can be jumped to, and nothing else.

    Illegal (sealed; in ISAv8 also not executable): the tag is cleared; ISAv8 raises Fault TAG, SEAL or PERMISSION.
    Source: ISAv9 CSealEntry, Morello SEAL with an immediate, RISC-V SENTRY.

    >>> from capability.cheri.isa import RISCV_128
    >>> seal_entry(Capability.root(RISCV_128.format), RISCV_128)
    0x0 [rwxRW,0x0-0x10000000000000000] (sentry)
    """
    isa.require(capability)
    refusals = (
        (not capability.tag, Cause.TAG),
        (capability.sealed, Cause.SEAL),
        (isa.sentry_needs_execute and Perms.PERMIT_EXECUTE not in capability.rights, Cause.PERMIT_EXECUTE),
    )
    return isa.settle(with_otype(capability, capability.format.otypes.sentry), refusals)


def enter(capability: Capability, isa: Isa) -> Capability:
    """What the program counter becomes when this is jumped to: a sentry is unsealed, any other seal stays on.

    The fetch that follows faults on what is untagged, still sealed, or not code.
    Source: ISAv9 CJALR, Morello RET and BR, RISC-V JALR.
    """
    isa.require(capability)
    return with_otype(capability, capability.format.otypes.unsealed) if capability.is_sentry else capability


def with_otype(capability: Capability, otype: int) -> Capability:
    """The field alone, cut to its width, whether or not that is legal.  Source: sail-cheri-riscv, sealCap."""
    format = capability.format
    stored = format.otypes.stored(otype) & (format.otype.mask >> format.otype.low)
    return capability.with_bits(format.otype.put(capability.pesbt, stored), capability.address, True)


def _points_inside(authority: Capability) -> bool:
    """base <= address < top, the last of which does not hold for one byte past the end."""
    return authority.covers(authority.address, 1)


def _require_authority(isa: Isa, *capabilities: Capability) -> None:
    isa.require(*capabilities)
    if not isa.seals:
        raise ValueError(f"{isa} has no instruction that seals or unseals with an authority: its seals are sentries")
