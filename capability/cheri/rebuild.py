"""Giving bits their tag back under an authority that covers them, and the comparison that this rests on."""

from __future__ import annotations

from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.isa import Isa, Rebuild
from capability.cheri.move import set_address
from capability.cheri.seal import with_otype
from capability.word import mask


def build_cap(authority: Capability, bits: Capability, isa: Isa) -> Capability:
    """`bits` with a tag, if they ask for nothing that `authority` lacks; seals other than a sentry are taken off.

    ISAv9 and Morello take off the seal first; a sentry survives in ISAv9 and the RISC-V draft.
    Illegal: `bits` with the tag cleared (Morello: left as it was, where nothing had to be unsealed); ISAv8 raises
    Fault.  Raises ValueError where there is no such instruction.
    Source: ISAv9 CBuildCap, Morello BUILD, RISC-V CBLD.

    >>> from capability.cheri.isa import ISAV9_128
    >>> from capability.cheri.narrow import set_bounds
    >>> root = Capability.root(ISAV9_128.format)
    >>> saved = set_bounds(root, 64, ISAV9_128).clear_tag()
    >>> build_cap(root, saved, ISAV9_128)
    0x0 [rwxRW,0x0-0x40]
    """
    isa.require(authority, bits)
    unsealed = bits.format.otypes.unsealed
    if isa.rebuild is Rebuild.ABSENT:
        raise ValueError(f"{isa} has no instruction that builds a capability from bits")
    if isa.rebuild is Rebuild.COPIED:
        asked = with_otype(bits, unsealed)
        if bits.sealed:
            asked = asked.clear_tag()
    else:
        asked = bits if bits.is_sentry else with_otype(bits, unsealed)
    built = Capability(asked.format, asked.pesbt, asked.address, True, authority.provenance)
    refusals = (
        (not authority.tag, Cause.TAG),
        (authority.sealed, Cause.SEAL),
        (not _bounds_within(asked, authority), Cause.LENGTH),
        (asked.base > asked.top, Cause.LENGTH),
        (asked.perms & ~authority.perms != 0, Cause.USER_DEFINED),
        (not _has_integrity(asked, authority, isa), Cause.LENGTH),
    )
    if any(applies for applies, _ in refusals) and isa.rebuild is Rebuild.COPIED:
        return asked
    return isa.settle(built, refusals)


def _has_integrity(asked: Capability, authority: Capability, isa: Isa) -> bool:
    """Could instructions that narrow have made these bits?

    ISAv9: setting the authority's bounds to what they decode to gives the same upper word but for what is copied from
    them. RISC-V: they are no malformed encoding, nothing reserved is set, and their permissions make sense.
    """
    format = asked.format
    if isa.rebuild is Rebuild.COPIED:
        return True
    if isa.rebuild is Rebuild.INTACT:
        codec = format.permissions
        legal = codec.write(asked.pesbt, codec.legalise(asked.perms)) == asked.pesbt
        return asked.decoded.valid and not asked.reserved and legal
    if asked.top - asked.base > 1 << format.address_bits or asked.base > asked.top:
        return False
    same_bounds = format.bounds.encode(asked.base, asked.top).bits == asked.pesbt & mask(format.bounds.width)
    return same_bounds and asked.reserved == authority.reserved


def test_subset(capability: Capability, within: Capability, isa: Isa) -> bool:
    """True if the tags are equal, and `capability` has no address and no permission that `within` lacks.

    Seals do not matter.  Source: ISAv9 CTestSubset, Morello CHKSS, RISC-V SCSS.

    >>> from capability.cheri.isa import ISAV9_128
    >>> from capability.cheri.narrow import set_bounds
    >>> root = Capability.root(ISAV9_128.format)
    >>> part = set_bounds(root, 64, ISAV9_128)
    >>> test_subset(part, root, ISAV9_128), test_subset(root, part, ISAV9_128)
    (True, False)
    """
    isa.require(capability, within)
    return capability.tag == within.tag and is_within(capability, within)


test_subset.__test__ = False  # type: ignore[attr-defined]  # named after the instruction; it is not a test


def is_within(capability: Capability, other: Capability) -> bool:
    """No address and no permission that `other` lacks, whatever the tags."""
    return _bounds_within(capability, other) and not capability.perms & ~other.perms


def _bounds_within(capability: Capability, other: Capability) -> bool:
    valid = capability.decoded.valid and other.decoded.valid
    return valid and other.base <= capability.base and capability.top <= other.top


def is_identical(first: Capability, second: Capability) -> bool:
    """Every bit and the tag the same.  Source: ISAv9 CSEQX, RISC-V SCEQ.

    >>> from capability.cheri.isa import ISAV9_128
    >>> is_identical(Capability.root(ISAV9_128.format), Capability.null(ISAV9_128.format))
    False
    """
    return first == second


def copy_type(authority: Capability, sealed: Capability, isa: Isa) -> Capability:
    """`authority` pointing at the object type of `sealed`, ready for `conditional_seal`.

    Without a type to copy (ISAv9: a reserved one, Morello: unsealed) the address becomes one that seals nothing.
    Source: ISAv9 CCopyType, Morello CPYTYPE.  Raises ValueError where the instruction set seals with sentries only.
    """
    isa.require(authority, sealed)
    if not isa.seals:
        raise ValueError(f"{isa} has no object types to copy")
    format = authority.format
    otype = sealed.otype
    if format.otypes.unsealed == 0:
        return set_address(authority, otype if sealed.sealed else mask(format.address_bits), isa)
    if not format.otypes.is_reserved(otype):
        return set_address(authority, otype, isa)
    # A reserved type is a small negative number, sign-extended to an address.
    upwards = mask(format.address_bits) ^ mask(format.otype.width)
    return set_address(authority, otype | upwards, isa).clear_tag()
