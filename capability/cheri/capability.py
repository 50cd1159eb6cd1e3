"""Capability: a pointer that carries its own bounds and rights, and a tag that says it was never forged.

Bounds are uncompressed here: any base and any top. What a real 128-bit or 64-bit format can hold, and what it rounds,
comes with the formats; the rules of this file do not change with them.

Manipulation never traps and never adds authority: an operation that is not allowed returns its result with the tag
clear, as in CHERI-RISC-V ISAv9, Morello and the RISC-V standard draft.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from capability.architecture import Range
from capability.perms import ALL_PERMS, NO_PERMS, Perms
from capability.word import WidthError, unsigned, wrap

ADDRESS_BITS = 64
_SPACE = 1 << ADDRESS_BITS


@dataclass(frozen=True, slots=True)
class Capability:
    """Authority over [base, top) with `perms`, pointing at `address`, which may be anywhere.

    otype: the object type it is sealed with, None when unsealed; the numbers belong to the format.
    provenance: which derivation of an allocator it descends from, 0 for none. No hardware holds it and no comparison
    sees it; the model uses it to say which registers a revocation sweep has cleared.

    >>> ROOT.set_address(0x1000).set_bounds(64).and_perms(Perms.PERMIT_LOAD)
    0x1000 [r,0x1000-0x1040]
    """

    tag: bool
    address: int
    base: int
    top: int
    perms: Perms
    otype: int | None = None
    provenance: int = field(default=0, compare=False)

    def __post_init__(self) -> None:
        unsigned(self.address, ADDRESS_BITS)
        unsigned(self.base, ADDRESS_BITS)
        unsigned(self.top, ADDRESS_BITS + 1)
        if self.tag and not self.base <= self.top <= _SPACE:
            bounds = f"[{self.base:#x}, {self.top:#x})"
            raise WidthError(f"a tagged capability has base <= top <= 2**{ADDRESS_BITS}, not {bounds}")

    @classmethod
    def from_integer(cls, address: int) -> Capability:
        """What an integer is in a capability register: NULL with that address.  Raises WidthError.

        >>> Capability.from_integer(0x1000)
        0x1000 [,0x0-0x10000000000000000] (invalid)
        """
        return cls(tag=False, address=address, base=0, top=_SPACE, perms=NO_PERMS)

    @property
    def bounds(self) -> Range:
        """The addresses it has authority over, once it is tagged and unsealed."""
        return Range(self.base, self.top)

    @property
    def length(self) -> int:
        """top - base, in bytes; negative only in an untagged capability."""
        return self.top - self.base

    @property
    def sealed(self) -> bool:
        """True if it gives no access and cannot be changed until it is unsealed."""
        return self.otype is not None

    def covers(self, address: int, size: int) -> bool:
        """True if all of [address, address + size) is in bounds; zero bytes at the top are.

        Source: sail-cheri-riscv, src/cheri_prelude_common.sail, inCapBounds (in unbounded integers: nothing wraps).

        >>> cap = ROOT.set_address(0x1000).set_bounds(64)
        >>> cap.covers(0x103f, 1), cap.covers(0x103f, 2), cap.covers(0x1040, 0)
        (True, False, True)
        """
        return self.base <= address and address + size <= self.top

    def is_subset_of(self, other: Capability) -> bool:
        """True if it has no address and no permission that `other` lacks.  Source: ISAv9, CTestSubset, without tags."""
        return other.base <= self.base and self.top <= other.top and not self.perms & ~other.perms

    def set_address(self, address: int) -> Capability:
        """The same authority, pointing elsewhere, in bounds or not; a sealed capability loses its tag.

        Raises WidthError.  Source: ISAv9, CSetAddr.
        """
        return replace(self, address=address, tag=self.tag and not self.sealed)

    def increment(self, offset: int) -> Capability:
        """The address moved by `offset`, modulo 2**64.  Source: ISAv9, CIncOffset."""
        return self.set_address(wrap(self.address + offset, ADDRESS_BITS))

    def set_bounds(self, length: int) -> Capability:
        """Narrow to [address, address + length).

        length: bytes, 0 <= length <= 2**64. Illegal (untagged, sealed, or outside the old bounds): the tag is cleared.
        Raises WidthError.  Source: ISAv9, CSetBounds, with bounds that are always exact.

        >>> ROOT.set_address(0x1000).set_bounds(64).set_bounds(65).tag
        False
        """
        if not 0 <= length <= _SPACE:
            raise WidthError(f"length {length}: 0 <= length <= 2**{ADDRESS_BITS}")
        legal = self.tag and not self.sealed and self.covers(self.address, length)
        return replace(self, base=self.address, top=self.address + length, tag=legal)

    def and_perms(self, keep: Perms) -> Capability:
        """Keep only the permissions in `keep`; a sealed capability loses its tag.  Source: ISAv9, CAndPerm."""
        return replace(self, perms=self.perms & keep, tag=self.tag and not self.sealed)

    def clear_tag(self) -> Capability:
        """The same bits as plain data.  Source: ISAv9, CClearTag."""
        return replace(self, tag=False)

    def __repr__(self) -> str:
        letters = "".join(letter for perm, letter in _LETTERS if perm in self.perms)
        notes = [note for note, holds in (("invalid", not self.tag), ("sealed", self.sealed)) if holds]
        tail = f" ({','.join(notes)})" if notes else ""
        return f"{self.address:#x} [{letters},{self.base:#x}-{self.top:#x}]{tail}"


_LETTERS = (
    (Perms.PERMIT_LOAD, "r"),
    (Perms.PERMIT_STORE, "w"),
    (Perms.PERMIT_EXECUTE, "x"),
    (Perms.PERMIT_LOAD_CAP, "R"),
    (Perms.PERMIT_STORE_CAP, "W"),
)
"""How CHERI's debuggers and printf("%#p") abbreviate permissions."""

ROOT = Capability(tag=True, address=0, base=0, top=_SPACE, perms=ALL_PERMS)
"""All addresses, all permissions: where every capability descends from."""
