"""Narrowing a capability's bounds, and what lengths and alignments come out exact.

A format rounds outward what it cannot hold. The rounded bounds never reach beyond the parent's, because the parent's
own bounds are multiples of a unit at least as large.
"""

from __future__ import annotations

from capability.cheri.bounds import Encoding
from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.format import Format
from capability.cheri.isa import Isa
from capability.word import WidthError, mask, unsigned


def set_bounds(capability: Capability, length: int, isa: Isa) -> Capability:
    """Narrow to [address, address + length), rounding outward to what the format can hold.

    length: bytes, 0 <= length <= 2**address_bits. Illegal (untagged, sealed, or beyond the old bounds): the tag is
    cleared; ISAv8 raises Fault TAG, SEAL or LENGTH.  Raises WidthError.
    Source: ISAv9 CSetBounds, Morello SCBNDS with a register, RISC-V SCBNDSR.

    >>> from capability.cheri.isa import ISAV9_128, MORELLO
    >>> for isa in (ISAV9_128, MORELLO):
    ...     set_bounds(Capability.root(isa.format, address=0x1000), 4097, isa).bounds
    [0x1000, 0x2008)
    [0x1000, 0x2001)
    """
    return _set_bounds(capability, length, isa, exactly=False)


def set_bounds_exactly(capability: Capability, length: int, isa: Isa) -> Capability:
    """Narrow to [address, address + length), or clear the tag where the format would round.

    Illegal: as `set_bounds`, and inexact; ISAv8 raises Fault LENGTH for that.
    Source: ISAv9 CSetBoundsExact, Morello SCBNDSE and SCBNDS with an immediate, RISC-V SCBNDS.
    """
    return _set_bounds(capability, length, isa, exactly=True)


def _set_bounds(capability: Capability, length: int, isa: Isa, *, exactly: bool) -> Capability:
    isa.require(capability)
    base = requested_base(capability)
    result, encoding = narrowed(capability, length, base)
    bounds = capability.decoded
    outside = not (bounds.valid and bounds.base <= base and base + length <= bounds.top)
    refusals = (
        (not capability.tag, Cause.TAG),
        (capability.sealed, Cause.SEAL),
        (outside or _loses_flags(capability, result), Cause.LENGTH),
        (exactly and not encoding.exact, Cause.INEXACT_BOUNDS),
    )
    return isa.settle(result, refusals)


def narrowed(capability: Capability, length: int, base: int | None = None) -> tuple[Capability, Encoding]:
    """The capability with new bounds and its old tag, legal or not, and how the bounds were encoded.

    The field update that all instructions which set bounds share. base: `requested_base` of it, if that is known.
    Raises WidthError.
    """
    format = capability.format
    if not 0 <= length <= 1 << format.address_bits:
        raise WidthError(f"length {length}: 0 <= length <= 2**{format.address_bits}")
    base = requested_base(capability) if base is None else base
    encoding = format.bounds.encode(base, base + length)
    upper = capability.pesbt >> format.bounds.width << format.bounds.width | encoding.bits
    return capability.with_bits(upper, capability.address, True), encoding


def requested_base(capability: Capability) -> int:
    """Where new bounds begin: at the address, without Morello's flags where the old bounds depend on it.

    Source: sail-morello, CapSetBounds.
    """
    codec = capability.format.bounds
    counted = codec.counted(capability.address)
    if counted != capability.address and not codec.depends_on_address(capability.pesbt & mask(codec.width)):
        return capability.address
    return counted


def _loses_flags(capability: Capability, result: Capability) -> bool:
    """Morello: from bounds that do not depend on the address to bounds that do, with flags set in the address.

    Source: sail-morello, CapSetBounds (from_large and to_small).
    """
    codec = capability.format.bounds
    bits = mask(codec.width)
    return (
        codec.counted(capability.address) != capability.address
        and codec.depends_on_address(result.pesbt & bits)
        and not codec.depends_on_address(capability.pesbt & bits)
    )


def representable_mask(length: int, isa: Isa) -> int:
    """What to mask an address with, so that a block of the representable length there has exact bounds.

    length: 0 <= length < 2**address_bits.  Raises WidthError.
    Morello works it out for a block that ends at the last address, where rounding up the top costs a unit more: for
    some lengths just below a step its mask is coarser than needed.
    Source: ISAv9 and RISC-V CRAM, Morello RRMASK (sail-morello, CapGetRepresentableMask).

    >>> from capability.cheri.isa import ISAV9_128, MORELLO
    >>> hex(representable_mask(4097, ISAV9_128)), hex(representable_mask(32760, MORELLO))
    ('0xfffffffffffffff8', '0xfffffffffffffff0')
    """
    space = mask(isa.format.address_bits)
    unsigned(length, isa.format.address_bits)
    alignment = _alignment(isa.format, space - length if isa.mask_from_top else 0, length)
    return -alignment & space


def representable_length(length: int, isa: Isa) -> int:
    """`length` rounded up to what has exact bounds at an aligned base; 0 when that is the whole address space or more.

    Source: ISAv9 and RISC-V CRRL, Morello RRLEN.

    >>> from capability.cheri.isa import ISAV9_128, MORELLO
    >>> representable_length(4097, ISAV9_128), representable_length(2**64 - 1, ISAV9_128)
    (4104, 0)
    >>> [representable_length(length, MORELLO) for length in (32753, 32760)]
    [32760, 32768]
    """
    kept = representable_mask(length, isa)
    return (length + (~kept & mask(isa.format.address_bits))) & kept


def required_alignment(format: Format, length: int) -> int:
    """The least power of two that base and length must be multiples of for a block of about this length to be exact.

    >>> from capability.cheri.formats import FORMATS
    >>> [required_alignment(FORMATS[name], 65537) for name in ("128", "128m", "64", "64r")]
    [128, 32, 8192, 1024]
    """
    unsigned(length, format.address_bits)
    return _alignment(format, 0, length)


def _alignment(format: Format, base: int, length: int) -> int:
    return format.bounds.encode(base, base + length).alignment if length else 1
