"""Moving a capability's address: free inside the representable region, at the price of the tag outside it.

The bounds take their upper bits from the address, so a new address may change what they mean. The tag is then cleared,
the address is set all the same, and the bounds are whatever the bits mean beside it.
"""

from __future__ import annotations

from capability.cheri.capability import Capability
from capability.cheri.cause import Cause
from capability.cheri.isa import Check, Isa
from capability.word import mask, wrap


def set_address(capability: Capability, address: int, isa: Isa) -> Capability:
    """The same authority, pointing at `address`.

    Illegal (sealed, or the bounds would change): the tag is cleared; ISAv8 raises Fault SEAL.  Raises WidthError.
    Source: ISAv9 CSetAddr, Morello SCVALUE, RISC-V SCADDR: all check precisely.

    >>> from capability.cheri.isa import ISAV9_128
    >>> root = Capability.root(ISAV9_128.format)
    >>> set_address(root, 0x1000, ISAV9_128)
    0x1000 [rwxRW,0x0-0x10000000000000000]
    """
    isa.require(capability)
    moved = capability.with_bits(capability.pesbt, address, True)
    kept = bounds_survive(capability, address, isa.set_address)
    return isa.settle(moved, ((capability.tag and capability.sealed, Cause.SEAL), (not kept, None)))


def increment(capability: Capability, offset: int, isa: Isa) -> Capability:
    """The address moved by `offset` bytes, modulo the address space.

    Illegal: as `set_address`, but ISAv9 and Morello check fast here, and may clear a tag that they could have kept.
    Source: ISAv9 CIncOffset, Morello ADD, RISC-V CADD.
    """
    isa.require(capability)
    address = wrap(capability.address + offset, capability.format.address_bits)
    moved = capability.with_bits(capability.pesbt, address, True)
    kept = bounds_survive(capability, address, isa.increment)
    return isa.settle(moved, ((capability.tag and capability.sealed, Cause.SEAL), (not kept, None)))


def set_offset(capability: Capability, offset: int, isa: Isa) -> Capability:
    """The address set to base + `offset`, modulo the address space, as an increment.

    Source: ISAv9 CSetOffset, Morello SCOFF; both check fast.
    """
    return increment(capability, capability.base + offset - capability.address, isa)


def bounds_survive(capability: Capability, address: int, check: Check) -> bool:
    """Do the bounds stay as they are at `address`, as far as this check can tell?

    Without valid bounds there is nothing to keep. Morello also refuses whenever bit 55 changes and the bounds depend
    on the address at all.  Source: sail-morello, CapAdd and CapSetValue.
    """
    codec = capability.format.bounds
    bits = capability.pesbt & mask(codec.width)
    if not capability.decoded.valid or codec.changes_sign(bits, capability.address, address):
        return False
    if check is Check.FAST:
        return codec.keeps_bounds_fast(bits, capability.address, address)
    return codec.keeps_bounds(bits, capability.address, address)
