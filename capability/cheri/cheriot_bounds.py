"""CHERIoT's bounds: no inferred bits and no exponent inside the mantissas, for a small core.

Each of base and top keeps nine bits and the exponent four, so that lengths up to 511 are exact. The
representable region begins at base itself: an address below base is never representable.
Source: cheriot-sail, src/cheri_cap_common.sail, getCapBoundsBits and setCapBounds. No reference vectors back this.
"""

from __future__ import annotations

from dataclasses import dataclass

from capability.cheri.bounds import Bounds, Encoding, Mantissas
from capability.word import WidthError, mask, unsigned

_MANTISSA = 9
_WHOLE_SPACE = 24
_LARGEST_STORED = 14


@dataclass(frozen=True, slots=True)
class CheriotBounds:
    """cE, T and B in bits 21:18, 17:9 and 8:0; cE = 15 means exponent 24, and 15 to 23 cannot be stored.

    >>> codec = CheriotBounds()
    >>> codec.decode(codec.encode(0x20000100, 0x20000140).bits, 0x20000120)
    [0x20000100, 0x20000140)
    """

    address_bits: int = 32

    @property
    def width(self) -> int:
        return 22

    def split(self, bits: int) -> Mantissas:
        stored = (bits >> (2 * _MANTISSA)) & 15
        exponent = _WHOLE_SPACE if stored == 15 else stored
        return Mantissas(exponent, False, bits & mask(_MANTISSA), (bits >> _MANTISSA) & mask(_MANTISSA))

    def decode(self, bits: int, address: int) -> Bounds:
        exponent, _, bottom, top = self.split(bits)
        middle = (address >> exponent) & mask(_MANTISSA)
        upper = (address >> (exponent + _MANTISSA)) - (middle < bottom)
        base = (upper << _MANTISSA | bottom) << exponent
        end = (upper + (top < bottom) << _MANTISSA | top) << exponent
        return Bounds(base & mask(self.address_bits), end & mask(self.address_bits + 1))

    def encode(self, base: int, top: int) -> Encoding:
        unsigned(base, self.address_bits)
        if not base <= top <= base + (1 << self.address_bits):
            raise WidthError(f"bounds of {top - base} bytes: 0 <= length <= 2**{self.address_bits}")
        exponent = ((top - base) >> _MANTISSA).bit_length()
        for candidate in (exponent, exponent + 1):
            exponent = _WHOLE_SPACE if candidate > _LARGEST_STORED else candidate
            first, last = base >> exponent, -(-top >> exponent)
            if last - first <= mask(_MANTISSA):
                break
        stored = 15 if exponent == _WHOLE_SPACE else exponent
        bits = (stored << _MANTISSA | last & mask(_MANTISSA)) << _MANTISSA | first & mask(_MANTISSA)
        return Encoding(bits, (first << exponent, last << exponent) == (base, top), 1 << exponent)

    def keeps_bounds(self, bits: int, old: int, new: int) -> bool:
        return self.decode(bits, old) == self.decode(bits, new)

    def keeps_bounds_fast(self, bits: int, old: int, new: int) -> bool:
        """CHERIoT has no fast check; this is the precise one."""
        return self.keeps_bounds(bits, old, new)

    def depends_on_address(self, bits: int) -> bool:
        return self.split(bits).exponent + _MANTISSA < self.address_bits

    def changes_sign(self, bits: int, old: int, new: int) -> bool:
        """Addresses are unsigned."""
        return False

    def counted(self, address: int) -> int:
        return address

    def reach(self, bits: int, address: int) -> tuple[int, int]:
        exponent, _, bottom, _ = self.split(bits)
        size = 1 << (exponent + _MANTISSA)
        if size >= 1 << self.address_bits:
            return 0, 1 << self.address_bits
        first = (bottom << exponent) + ((address - (bottom << exponent)) // size) * size
        # It ends with the address space: beyond, the address wraps to 0 but the 33-bit top does not, and bounds change.
        return max(first, 0), min(first + size, 1 << self.address_bits)
