"""Format: everything that says how one capability format keeps what it keeps, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from capability.cheri.bounds import BoundsCodec
from capability.cheri.field import Field
from capability.cheri.otype import ObjectTypes
from capability.cheri.permission_codec import PermissionCodec
from capability.cheri.riscv_perms import RiscvBits, RiscvTable


@dataclass(frozen=True, slots=True, repr=False)
class Format:
    """A layout of the upper word of a capability, whose lower word is the address; the tag is beside both.

    name: as the reference vectors name it. xor: what memory holds differs from the register by these bits, so that
    NULL is all zeros in memory. null, roots: upper words in register form. flags: the execution mode. reserved:
    bits with no meaning, which a derived capability has as zeros. flags_from_bit: of the address,
    where the flags are there.

    >>> from capability.cheri.formats import FORMATS
    >>> [f"{name}: {format.capability_bytes} bytes" for name, format in FORMATS.items()][:3]
    ['128: 16 bytes', '128m: 16 bytes', '128r: 16 bytes']
    """

    name: str
    title: str
    bounds: BoundsCodec
    permissions: PermissionCodec
    otypes: ObjectTypes
    otype: Field
    flags: Field | None
    reserved: tuple[Field, ...]
    null: int
    roots: Mapping[str, int]
    xor: int = 0
    flags_from_bit: int = 0

    @property
    def address_bits(self) -> int:
        """Bits of an address, and of the upper word."""
        return self.bounds.address_bits

    @property
    def capability_bytes(self) -> int:
        """Bytes of a capability in memory, and what its address must be a multiple of."""
        return self.address_bits // 4

    @property
    def root(self) -> int:
        """The upper word from which data capabilities descend; most formats have one root for everything."""
        return next(iter(self.roots.values()))

    @property
    def fields(self) -> Mapping[str, Field]:
        """Every named field of the upper word, from the top down.

        >>> from capability.cheri.formats import RISCV_64
        >>> list(RISCV_64.fields)
        ['SDP', 'AP_M', 'LEVEL', 'RESERVED1', 'RESERVED0', 'OTYPE', 'EBT']
        """
        named = dict(self.permissions.fields)
        if self.flags is not None and all(self.flags.mask & ~part.mask for part in named.values()):
            named["FLAGS"] = self.flags
        for number, part in enumerate(reversed(self.reserved)):
            named[f"RESERVED{number}" if len(self.reserved) > 1 else "RESERVED"] = part
        named["OTYPE"] = self.otype
        named["EBT"] = Field(self.bounds.width - 1, 0)
        return MappingProxyType(dict(sorted(named.items(), key=lambda item: -item[1].low)))

    @property
    def reserved_mask(self) -> int:
        """The bits with no meaning; without the levels extension the level is one of them."""
        total = 0
        for part in self.reserved:
            total |= part.mask
        if isinstance(self.permissions, RiscvBits | RiscvTable) and not self.permissions.levels:
            total |= self.permissions.level.mask
        return total

    def without_levels(self) -> Format:
        """The same format on a machine without the levels extension.  Raises ValueError where there is no such thing.

        >>> from capability.cheri.formats import RISCV_128
        >>> RISCV_128.without_levels().permissions.levels
        False
        """
        if not isinstance(self.permissions, RiscvBits | RiscvTable):
            raise ValueError(f"{self.title} has no levels extension: it is of the RISC-V formats 128r and 64r")
        return replace(self, permissions=replace(self.permissions, levels=False))

    def __hash__(self) -> int:
        return hash(self.name)

    def __repr__(self) -> str:
        return f"Format({self.name})"
