"""What the formulas must know of an instruction set: its codec, its fields, its refusals; also scaled-down ones."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from capability.cheri.concentrate import Concentrate, OutOfRange, StoredExponent
from capability.cheri.field import Field
from capability.cheri.isa import Check, Illegal, Isa, Rebuild
from capability.cheri.permission import MorelloPerms, RiscvPerms
from capability.cheri.permission_codec import InPlace
from capability.cheri.riscv_perms import RiscvBits
from capability.perms import Perms
from m4alloc.superopt.cheri.term import TermError


@dataclass(frozen=True)
class Rights:
    """The bits, in the layout that the instruction set reports, that the semantics ask for; -1 where there is none."""

    is_global: int
    execute: int
    load: int
    store: int
    load_cap: int
    store_cap: int
    store_local: int
    seal: int
    unseal: int


@dataclass(frozen=True)
class Layout:
    """One instruction set, as formulas see it.

    upper_bits: of the word beside the address. parts: fields of permissions, with the lowest reported bit of each.
    shuffled: the reported bit of each stored one, where they are in an order of their own (RISC-V), which also has
    rules for sets that make no sense. filters: (without, unsealed, sealed) masks of what a loaded capability loses.
    """

    name: str
    format: str
    codec: Concentrate
    upper_bits: int
    otype: Field
    unsealed: int
    sentry: int
    reserved: tuple[int, int]
    sealable: tuple[int, int]
    parts: tuple[tuple[Field, int], ...]
    rights: Rights
    trapping: bool
    increment: Check
    set_address: Check
    null: int
    xor: int = 0
    shuffled: tuple[tuple[int, int], ...] = ()
    filters: tuple[tuple[int, int, int], ...] = ()
    rebuild: Rebuild = Rebuild.ABSENT
    reserved_mask: int = 0
    capability_store_traps: bool = True
    local_store_traps: bool = True
    sealed_perms_survive: bool = False
    seals: bool = True
    unseals_reserved: bool = False
    sentry_needs_execute: bool = False
    mask_from_top: bool = False
    is_scaled: bool = False

    @property
    def address_bits(self) -> int:
        """Of the codec."""
        return self.codec.address_bits


_ISAV9_RIGHTS = Rights(
    *(
        perm.bit_length() - 1
        for perm in (
            Perms.GLOBAL,
            Perms.PERMIT_EXECUTE,
            Perms.PERMIT_LOAD,
            Perms.PERMIT_STORE,
            Perms.PERMIT_LOAD_CAP,
            Perms.PERMIT_STORE_CAP,
            Perms.PERMIT_STORE_LOCAL_CAP,
            Perms.PERMIT_SEAL,
            Perms.PERMIT_UNSEAL,
        )
    )
)
_MORELLO_RIGHTS = Rights(
    *(
        perm.bit_length() - 1
        for perm in (
            MorelloPerms.GLOBAL,
            MorelloPerms.EXECUTE,
            MorelloPerms.LOAD,
            MorelloPerms.STORE,
            MorelloPerms.LOAD_CAP,
            MorelloPerms.STORE_CAP,
            MorelloPerms.STORE_LOCAL,
            MorelloPerms.SEAL,
            MorelloPerms.UNSEAL,
        )
    )
)
_RISCV_RIGHTS = Rights(4, 17, 18, 0, 5, 5, 3, -1, -1)
_RISCV_ORDER = (
    RiscvPerms.C,
    RiscvPerms.W,
    RiscvPerms.R,
    RiscvPerms.X,
    RiscvPerms.ASR,
    RiscvPerms.LM,
    RiscvPerms.EL,
    RiscvPerms.SL,
)


@lru_cache(maxsize=32)
def layout_of(isa: Isa) -> Layout:
    """The layout of an instruction set.  Raises TermError for formats whose permissions are a table, and CHERIoT's."""
    format, codec = isa.format, isa.format.permissions
    if not isinstance(format.bounds, Concentrate) or not isinstance(codec, InPlace | RiscvBits):
        raise TermError(
            f"{isa} has no proofs: its permissions or its bounds are in a form that only the concrete model speaks"
        )
    otypes = format.otypes
    first = Layout(
        name=str(isa),
        format=format.name,
        codec=format.bounds,
        upper_bits=format.address_bits,
        otype=format.otype,
        unsealed=otypes.unsealed,
        sentry=otypes.sentry,
        reserved=(min(otypes.reserved), max(otypes.reserved) + 1),
        sealable=(min(otypes.sealable, default=0), max(otypes.sealable, default=-1) + 1),
        parts=(),
        rights=_RISCV_RIGHTS,
        trapping=isa.illegal is Illegal.TRAPS,
        increment=isa.increment,
        set_address=isa.set_address,
        null=format.null,
        xor=format.xor,
        filters=tuple((int(f.without), int(f.unsealed), int(f.sealed)) for f in isa.load_filters),
        rebuild=isa.rebuild,
        reserved_mask=format.reserved_mask,
        capability_store_traps=isa.capability_store is Illegal.TRAPS,
        local_store_traps=isa.local_store is Illegal.TRAPS,
        sealed_perms_survive=isa.sealed_perms_survive,
        seals=isa.seals,
        unseals_reserved=isa.unseals_reserved,
        sentry_needs_execute=isa.sentry_needs_execute,
        mask_from_top=isa.mask_from_top,
    )
    if isinstance(codec, InPlace):
        rights = _MORELLO_RIGHTS if codec.kind is MorelloPerms else _ISAV9_RIGHTS
        return replace(first, parts=tuple((part, shift) for _, part, shift in codec.parts), rights=rights)
    bits = [(codec.architectural.low + number, int(perm).bit_length() - 1) for number, perm in enumerate(_RISCV_ORDER)]
    bits.append((codec.level.low, int(RiscvPerms.LEVEL).bit_length() - 1))
    return replace(first, parts=((codec.software, 6),), shuffled=tuple(bits))


_SCALED_RIGHTS = Rights(0, 1, 2, 2, 2, 2, 0, 1, 1)
_PLAIN = Concentrate(8, 5, 2, 1, StoredExponent.PLAIN, OutOfRange.CLAMPED, 3)
_SIGNED = Concentrate(8, 5, 2, 0, StoredExponent.PLAIN, OutOfRange.WHOLE_SPACE, 3, signed_bits=7)
_INTACT = Concentrate(8, 5, 2, 0, StoredExponent.FROM_LARGEST, OutOfRange.EMPTY, 5)


def scaled(isa: Isa) -> Layout:
    """The same rules over 8-bit addresses, a 5-bit mantissa, two bits of otype and three of permissions.

    >>> from capability.cheri.isa import ISAV9_128
    >>> scaled(ISAV9_128).name
    'ISAv9 128 at 8 bits'
    """
    full = layout_of(isa)
    codec = _SIGNED if full.codec.signed_bits else _INTACT if full.codec.top_bits > 3 else _PLAIN
    otype = Field(codec.width + 1, codec.width)
    plain = full.unsealed != 0
    return replace(
        full,
        name=f"{full.name} at {codec.address_bits} bits",
        format=f"{full.format} at {codec.address_bits} bits",
        codec=codec,
        upper_bits=codec.width + 5,
        otype=otype,
        unsealed=3 if plain else 0,
        sentry=2 if plain else 1,
        reserved=(2, 4) if plain else (0, 2),
        sealable=((0, 2) if plain else (0, 4)) if full.seals else (0, 0),
        parts=((Field(codec.width + 4, codec.width + 2), 0),),
        rights=_SCALED_RIGHTS,
        null=0,
        xor=0,
        shuffled=(),
        filters=(),
        reserved_mask=0,
        is_scaled=True,
    )
