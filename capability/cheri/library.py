"""What CTSRD-CHERI/cheri-compressed-cap answers where it is not what the instruction sets do.

The library is what emulators and compilers use, and its vectors are what this package is checked against; each
function here is one of its answers, under a name that says so. The architecture's own are in `move` and its siblings.
Source: cheri-compressed-cap 0bd01cc, cheri_compressed_cap_common.h.
"""

from __future__ import annotations

from capability.cheri.capability import Capability
from capability.cheri.format import Format
from capability.cheri.narrow import required_alignment
from capability.cheri.riscv_perms import RiscvTable
from capability.perms import ALL_PERMS, Perms
from capability.word import mask


def library_is_representable(capability: Capability, address: int, *, precise: bool) -> bool:
    """In bounds is always representable, whatever either check says; Morello's own two rules come first.

    >>> from capability.cheri.formats import ISAV9_128
    >>> library_is_representable(Capability.null(ISAV9_128), 2**64 - 1, precise=False)
    True
    """
    format = capability.format
    codec = format.bounds
    bits = capability.pesbt & mask(codec.width)
    if format.flags_from_bit and (
        not capability.decoded.valid or codec.changes_sign(bits, capability.address, address)
    ):
        return False
    if capability.base <= codec.counted(address) < capability.top:
        return True
    return library_precise_check(capability, address) if precise else library_fast_check(capability, address)


def library_precise_check(capability: Capability, address: int) -> bool:
    """The bounds decode the same with both addresses, and are valid."""
    codec = capability.format.bounds
    return codec.keeps_bounds(capability.pesbt & mask(codec.width), capability.address, address)


def library_fast_check(capability: Capability, address: int) -> bool:
    """The hardware's check where there is one; bounds of the whole space always pass."""
    format = capability.format
    if capability.base == 0 and capability.top == 1 << format.address_bits:
        return True
    codec = format.bounds
    return codec.keeps_bounds_fast(capability.pesbt & mask(codec.width), capability.address, address)


def has_no_fast_check(format: Format) -> bool:
    """True for the RISC-V draft, which has the precise check only."""
    return format.name in ("128r", "64r")


def recorded_sail_precise(capability: Capability, address: int) -> bool:
    """The precise check of the compiled Sail models, as the library's test harness calls them.

    It is the architecture's, but for one artefact: the harness hands the exponent over as an unsigned byte, so that a
    negative one (RISC-V, malformed) is near 256 there, where no bit of the bounds is left to change.
    """
    codec = capability.format.bounds
    bits = capability.pesbt & mask(codec.width)
    return codec.split(bits).exponent < 0 or codec.keeps_bounds(bits, capability.address, address)


def library_set_address(capability: Capability, address: int) -> Capability:
    """The fast check for every instruction; a sealed capability loses its tag."""
    moved = capability.with_bits(capability.pesbt, address, True)
    kept = library_is_representable(capability, address, precise=False) and not capability.sealed
    return moved if kept else moved.clear_tag()


def library_alignment(format: Format, base: int, top: int) -> int:
    """The alignment that the library reports for bounds: 1 on Morello for the whole space, which it knows by heart."""
    if format.flags_from_bit and (base, top) == (0, 1 << format.address_bits):
        return 1
    return format.bounds.encode(base, top).alignment


def library_mask(format: Format, length: int) -> int:
    """CRAM, worked out for a block at 0, for Morello too.

    >>> from capability.cheri.formats import MORELLO_128
    >>> hex(library_mask(MORELLO_128, 32760))
    '0xfffffffffffffff8'
    """
    return -required_alignment(format, length) & mask(format.address_bits)


def library_length(format: Format, length: int) -> int:
    """CRRL, worked out for a block at 0, for Morello too."""
    kept = library_mask(format, length)
    return (length + (~kept & mask(format.address_bits))) & kept


def library_set_permissions(capability: Capability, perms: int) -> tuple[Capability, bool]:
    """Exactly these permissions, or none of the architectural ones; and whether there was an encoding.

    The architecture takes away as little as it has to instead: `permit.and_perms`.
    """
    codec = capability.format.permissions
    upper = codec.write(capability.pesbt, perms)
    if upper is not None:
        return capability.with_bits(upper, capability.address, True), True
    assert isinstance(codec, RiscvTable), "every other format has an encoding for every set"
    return capability.with_bits(codec.write_none(capability.pesbt, perms), capability.address, True), False


def library_architectural_permissions(format: Format) -> int:
    """Every permission but those that software gives their meaning.

    For Morello the library forgets to shift the latter to where they are, and leaves out the four lowest instead.
    """
    software = software_permissions(format)
    if format.flags_from_bit:
        software >>= (software & -software).bit_length() - 1
    return format.permissions.mask & ~software


def software_permissions(format: Format) -> int:
    """The permissions that software gives their meaning."""
    codec = format.permissions
    named = Perms.SW_SYSCALL | Perms.SW_VMEM | Perms.SW_2 | Perms.SW_3
    return codec.mask & ~codec.within(Perms(ALL_PERMS & ~named))
