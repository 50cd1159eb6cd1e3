"""What every compression of bounds offers: bits and an address to bounds, bounds to bits."""

from __future__ import annotations

from typing import NamedTuple, Protocol


class Bounds(NamedTuple):
    """The addresses base <= a < top. In untagged garbage top may be below base, or above the address space.

    valid: False when the bits are an encoding that means nothing; then base and top are what the hardware reports.
    """

    base: int
    top: int
    valid: bool = True

    def __repr__(self) -> str:
        return f"[{self.base:#x}, {self.top:#x}){'' if self.valid else ' (malformed)'}"


class Mantissas(NamedTuple):
    """The stored bounds taken apart: B and T are bits of base and top, from bit `exponent` upwards.

    exponent: as encoded, not yet limited to what the format needs; negative in some malformed encodings.
    internal: True when the low bits of B and T gave way to the exponent.
    """

    exponent: int
    internal: bool
    bottom: int
    top: int


class Encoding(NamedTuple):
    """Bounds as bits. exact: nothing was rounded. alignment: a power of two that base and top were rounded to."""

    bits: int
    exact: bool
    alignment: int


class BoundsCodec(Protocol):
    """A way to keep two addresses in fewer bits than they have, beside a third that is near them."""

    @property
    def address_bits(self) -> int: ...
    @property
    def width(self) -> int:
        """Bits that the stored bounds take, from bit 0 of the upper word."""

    def split(self, bits: int) -> Mantissas:
        """The stored bounds taken apart.  Cost: O(1)."""

    def decode(self, bits: int, address: int) -> Bounds:
        """The bounds that `bits` mean beside `address`.  Cost: O(1)."""

    def encode(self, base: int, top: int) -> Encoding:
        """The tightest encoding that covers [base, top), rounding outward.  Cost: O(1)."""

    def keeps_bounds(self, bits: int, old: int, new: int) -> bool:
        """The precise representability check: do the bounds stay the same when the address changes?"""

    def keeps_bounds_fast(self, bits: int, old: int, new: int) -> bool:
        """The check that hardware can afford: never true when the bounds of a valid capability would change."""

    def depends_on_address(self, bits: int) -> bool:
        """False for blocks so large that base and top have no bits from the address."""

    def changes_sign(self, bits: int, old: int, new: int) -> bool:
        """Would the move change the bit that the address is sign-extended from, and the bounds with it?"""

    def counted(self, address: int) -> int:
        """The address as bounds see it."""

    def reach(self, bits: int, address: int) -> tuple[int, int]:
        """The first address of the representable region and the first behind it, before wrapping."""
