"""Capability: a pointer that carries its own bounds and rights, and a tag that says it was never forged.

The value is what a register holds: an upper word in the layout of a format, an address, and the tag. This file only
reads it. What may be made of it depends on the instruction set: `move`, `narrow`, `permit`, `seal`, `rebuild`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from capability.architecture import Range
from capability.cheri import text
from capability.cheri.bounds import Bounds
from capability.cheri.format import Format
from capability.perms import Perms
from capability.word import WidthError, mask, unsigned


@dataclass(frozen=True, slots=True, repr=False)
class Capability:
    """Bits of a format: `pesbt` (permissions, exponent, seal, bottom, top) in register form, `address`, and the tag.

    provenance: which derivation of an allocator it descends from, 0 for none. No hardware holds it and no comparison
    sees it; the model uses it to say which registers a revocation sweep has cleared.
    Raises WidthError when a word does not fit the format.

    >>> from capability.cheri.formats import ISAV9_128
    >>> root = Capability.root(ISAV9_128)
    >>> root
    0x0 [rwxRW,0x0-0x10000000000000000]
    >>> hex(root.pesbt), root.to_memory().hex()
    ('0xffff1ffffc018004', '0000000000000000000000000000ffff')
    """

    format: Format
    pesbt: int
    address: int
    tag: bool
    provenance: int = field(default=0, compare=False)
    _decoded: Bounds | None = field(default=None, init=False, compare=False)

    def __post_init__(self) -> None:
        width = self.format.address_bits
        if not (0 <= self.pesbt >> width == 0 and 0 <= self.address >> width == 0):
            unsigned(self.pesbt, width)
            unsigned(self.address, width)

    # Where capabilities come from

    @classmethod
    def root(cls, format: Format, which: str | None = None, address: int = 0) -> Capability:
        """All addresses, all permissions: where capabilities descend from.

        which: of the format's roots; the first, which is for data, when None.  Raises KeyError, WidthError.
        """
        return cls(format, format.root if which is None else format.roots[which], address, True)

    @classmethod
    def null(cls, format: Format, address: int = 0) -> Capability:
        """What an integer is in a capability register: NULL with that address.  Raises WidthError.

        >>> from capability.cheri.formats import ISAV9_64
        >>> Capability.null(ISAV9_64, 0x1000)
        0x1000 [,0x0-0x100000000] (invalid)
        """
        return cls(format, format.null, address, False)

    @classmethod
    def from_memory(cls, format: Format, image: bytes, tag: bool) -> Capability:
        """The capability that these bytes, and the tag beside them, are in memory.  Raises WidthError.

        Source: sail-cheri-riscv, memBitsToCapability.
        """
        size = format.capability_bytes
        if len(image) != size:
            raise WidthError(f"a capability of format {format.name} is {size} bytes, not {len(image)}")
        upper = int.from_bytes(image[size // 2 :], "little")
        return cls(format, upper ^ format.xor, int.from_bytes(image[: size // 2], "little"), tag)

    # What it says

    @property
    def decoded(self) -> Bounds:
        """Base and top as its bits and its address say, and whether the bits mean anything.  Cost: O(1), once."""
        known = self._decoded
        if known is None:
            known = self.format.bounds.decode(self.pesbt & mask(self.format.bounds.width), self.address)
            object.__setattr__(self, "_decoded", known)
        return known

    @property
    def base(self) -> int:
        """The first address it has authority over, once it is tagged and unsealed."""
        return self.decoded.base

    @property
    def top(self) -> int:
        """The first address beyond its authority, up to 2**address_bits; anything in untagged garbage."""
        return self.decoded.top

    @property
    def bounds(self) -> Range:
        """[base, top)."""
        return Range(self.decoded.base, self.decoded.top)

    @property
    def length(self) -> int:
        """top - base in bytes, modulo twice the address space: only an untagged capability can wrap."""
        return (self.decoded.top - self.decoded.base) & mask(self.format.address_bits + 1)

    @property
    def offset(self) -> int:
        """How far the address is above base, modulo the address space."""
        return (self.address - self.decoded.base) & mask(self.format.address_bits)

    @property
    def perms(self) -> int:
        """The permissions as the format's own instruction reports them, a flag set of `format.permissions.kind`.

        Bits that always read as one are left out.
        """
        codec = self.format.permissions
        return codec.kind(codec.read(self.pesbt) & codec.mask)

    @property
    def rights(self) -> Perms:
        """What the permissions allow, by the names that all formats share."""
        return _rights(self.format, self.format.permissions.read(self.pesbt))

    @property
    def otype(self) -> int:
        """The object type it is sealed with, or the number that means unsealed."""
        return self.format.otypes.meant(self.format.otype.get(self.pesbt), Perms.PERMIT_EXECUTE in self.rights)

    @property
    def sealed(self) -> bool:
        """True if it gives no access and cannot be changed until it is unsealed."""
        return self.format.otype.get(self.pesbt) != self.format.otypes.unsealed

    @property
    def is_sentry(self) -> bool:
        """True if jumping to it unseals it."""
        return self.format.otype.get(self.pesbt) == self.format.otypes.sentry

    @property
    def flags(self) -> int:
        """The execution mode as stored, or Morello's top byte of the address; 0 where a format has neither."""
        if self.format.flags is not None:
            return self.format.flags.get(self.pesbt)
        return self.address >> self.format.flags_from_bit if self.format.flags_from_bit else 0

    @property
    def level(self) -> int:
        """1 for global, 0 for local: whether it may be stored through a capability that may store global ones only."""
        return 1 if Perms.GLOBAL in self.rights else 0

    @property
    def reserved(self) -> int:
        """The bits with no meaning, in place; zero in everything that is derived."""
        return self.pesbt & self.format.reserved_mask

    def covers(self, address: int, size: int) -> bool:
        """True if all of [address, address + size) is in bounds; zero bytes at the top are.

        Source: sail-cheri-riscv, src/cheri_cap_common.sail, inCapBounds (in unbounded integers: nothing wraps);
        sail-morello, CapIsRangeInBounds.

        >>> from capability.cheri.formats import ISAV9_128
        >>> root = Capability.root(ISAV9_128)
        >>> root.covers(2**64 - 1, 1), root.covers(2**64 - 1, 2), root.covers(2**64, 0)
        (True, False, True)
        """
        base, top, valid = self.decoded
        return valid and base <= address and address + size <= top

    def to_memory(self) -> bytes:
        """Its bytes in memory, address first; NULL is all zeros.  Source: sail-cheri-riscv, capToMemBits."""
        half = self.format.capability_bytes // 2
        return self.address.to_bytes(half, "little") + (self.pesbt ^ self.format.xor).to_bytes(half, "little")

    def register_bits(self) -> int:
        """Upper word and address as one number, in register form."""
        return self.pesbt << self.format.address_bits | self.address

    # Copies that add no authority, whatever the instruction set

    def clear_tag(self) -> Capability:
        """The same bits as plain data.  Source: ISAv9, CClearTag."""
        return self.with_bits(self.pesbt, self.address, False)

    def with_bits(self, pesbt: int, address: int, tag: bool) -> Capability:
        """Other bits with the same provenance; what may keep its tag is for the caller to know.  Raises WidthError."""
        return Capability(self.format, pesbt, address, tag and self.tag, self.provenance)

    def issued(self, provenance: int) -> Capability:
        """The same value, with the number of the derivation that it begins."""
        return Capability(self.format, self.pesbt, self.address, self.tag, provenance)

    # For people

    def __str__(self) -> str:
        notes = ["invalid"] if not self.tag else []
        if self.sealed:
            notes.append("sentry" if self.is_sentry else "sealed")
        return text.line(self.address, text.letters(self.rights), self.base, self.top, notes)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """For notebooks: its bits with their names, and its bounds on a line of addresses."""
        from capability.cheri.picture import picture

        return picture(self)

    def _repr_svg_(self) -> str:
        """The same where nobody says what the page looks like."""
        from capability.picture import alone

        return alone(self._repr_html_())


@lru_cache(maxsize=1 << 12)
def _rights(format: Format, perms: int) -> Perms:
    return format.permissions.rights(perms)
