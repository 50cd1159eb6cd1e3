"""CHERI Concentrate: bounds as two mantissas and an exponent, beside an address that supplies the upper bits.

A 64-bit base, a 65-bit top and a 64-bit address would take 193 bits. Most pointers point into or near their block, so
the upper bits of all three nearly agree: base and top keep only MW bits each, from bit E upwards, and take the
rest from the address. What is below bit E is zero, which is why large blocks are aligned.
This is the fast form, as hardware does it; `ideal` states the same in arithmetic on whole numbers.
Source: Woodruff et al., "CHERI Concentrate", IEEE Transactions on Computers 68(10), 2019; sail-cheri-riscv,
src/cheri_cap_common.sail (ISAv9); sail-morello, src/v8_base.sail; cheri-compressed-cap 0bd01cc (RISC-V draft).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from capability.cheri.bounds import Bounds, Encoding, Mantissas
from capability.word import WidthError, mask, unsigned


class StoredExponent(Enum):
    """How the exponent field f, the low bits of T above the low bits of B, means E."""

    PLAIN = auto()
    """E = f (ISAv9)."""
    INVERTED = auto()
    """E = 63 - f (Morello): all-zero bits have the largest exponent, so a zeroed word is a NULL with all of memory."""
    FROM_LARGEST = auto()
    """E = maxE - f (RISC-V draft), for the same reason; it is negative when f is above maxE."""


class OutOfRange(Enum):
    """What an encoding means that no set-bounds ever makes."""

    CLAMPED = auto()
    """ISAv9: an exponent above maxE counts as maxE."""
    WHOLE_SPACE = auto()
    """Morello: all of memory; valid for E = 63 alone."""
    EMPTY = auto()
    """RISC-V draft: base = top = 0 and not valid, also for mantissas that would reach beyond the address space."""


@dataclass(frozen=True, slots=True)
class Concentrate:
    """One format's parameters; the bits are numbered from 0: B, T, then the flags.

    mantissa: MW, bits of B; T is stored without its top two. split: how many low bits of each of B and T hold the
    exponent when it is internal. internal_flag: the value of the flag that says internal. top_bits: bits of B that
    place the representable region: 3, or all of them. length_bit: a stored bit of the length takes the place of an
    implied zero, and of the exponent's top bit when internal (RISC-V, 32-bit). signed_bits: the address counts from
    here down, sign-extended (Morello: 56), or all of it.
    """

    address_bits: int
    mantissa: int
    split_bits: int
    internal_flag: int
    exponent: StoredExponent
    out_of_range: OutOfRange
    top_bits: int
    length_bit: bool = False
    signed_bits: int = 0
    largest: int = field(init=False)
    """maxE, the exponent at which a length of the whole address space has its mantissa bits 01."""
    width: int = field(init=False)
    """Bits of the stored bounds: B, T without two bits, the length bit if any, the flag."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "largest", self.address_bits - self.mantissa + 2)
        object.__setattr__(self, "width", 2 * self.mantissa - 1 + self.length_bit)

    def split(self, bits: int) -> Mantissas:
        """E, B and T, with the two top bits of T inferred.

        T = B + length, where the length's two top bits are 01 when the exponent is internal (it was chosen so), and 00
        or the stored bit otherwise. What is left is the carry out of the lower bits.
        Source: sail-cheri-riscv, encCapabilityToCapability.

        >>> from capability.cheri.formats import ISAV9_128
        >>> ISAV9_128.bounds.split(0x4018004)
        Mantissas(exponent=52, internal=True, bottom=0, top=4096)
        """
        width = self.mantissa
        below = (1 << (width - 2)) - 1
        bottom = bits & ((1 << width) - 1)
        top = (bits >> width) & below
        internal = (bits >> (self.width - 1)) & 1 == self.internal_flag
        exponent = 0
        if internal:
            low = (1 << self.split_bits) - 1
            exponent = (top & low) << self.split_bits | (bottom & low)
            if self.length_bit:
                exponent |= ((bits >> (2 * width - 2)) & 1) << (2 * self.split_bits)
            if self.exponent is StoredExponent.INVERTED:
                exponent = 63 - exponent
            elif self.exponent is StoredExponent.FROM_LARGEST:
                exponent = self.largest - exponent
            top &= ~low
            bottom &= ~low
            length = 1
        else:
            length = (bits >> (2 * width - 2)) & 1 if self.length_bit else 0
        carry = top < bottom & below
        upper = ((bottom >> (width - 2)) + carry + length) & 3
        return Mantissas(exponent, internal, bottom, upper << (width - 2) | top)

    def decode(self, bits: int, address: int) -> Bounds:
        """Base and top, each from its mantissa and the address.

        The representable region is the 2**(E+MW) bytes from the edge R upwards, R being a little below B. Base, top and
        address lie in it, in the aligned block that R is in or in the next one; comparing their bits with R says in
        which, hence what to add to the address's upper bits.  Source: sail-cheri-riscv, getCapBoundsBits.

        >>> from capability.cheri.formats import ISAV9_128
        >>> ISAV9_128.bounds.decode(0x0101000, 0x1010)
        [0x1000, 0x1040)
        """
        exponent, internal, bottom, top = self.split(bits)
        largest = self.largest
        if self.out_of_range is OutOfRange.CLAMPED:
            exponent = min(exponent, largest)
        elif self.out_of_range is OutOfRange.WHOLE_SPACE:
            if exponent > largest:
                return Bounds(0, 1 << self.address_bits, exponent == 63)
        elif internal and self._malformed(exponent, bottom):
            return Bounds(0, 0, False)
        width = self.mantissa
        address = self.counted(address)
        drop = width - self.top_bits
        b, t = bottom >> drop, top >> drop
        edge = (b - (1 << (self.top_bits - 2) if self.top_bits > 3 else 1)) & ((1 << self.top_bits) - 1)
        high = (address >> (exponent + drop)) & ((1 << self.top_bits) - 1) < edge
        upper = address >> (exponent + width)
        wrapped = (1 << (self.address_bits + 1)) - 1
        base = (((upper + (b < edge) - high) << width | bottom) << exponent) & wrapped
        end = (((upper + (t < edge) - high) << width | top) << exponent) & wrapped
        # Where the region wraps around the address space, top may come out a whole address space away from base.
        if (
            exponent < largest - 1
            and ((end >> (self.address_bits - 1)) - (base >> (self.address_bits - 1) & 1)) & 3 > 1
        ):
            end ^= 1 << self.address_bits
        return Bounds(base & (wrapped >> 1), end)

    def _malformed(self, exponent: int, bottom: int) -> bool:
        """Source: cheri-compressed-cap, bounds_malformed."""
        if exponent < 0 or (self.length_bit and exponent == 0):
            return True
        if exponent == self.largest:
            return bottom != 0
        return exponent == self.largest - 1 and bottom >> (self.mantissa - 1) == 1

    def encode(self, base: int, top: int) -> Encoding:
        """The smallest exponent at which [base, top), rounded outward, has a length that fits.

        base: an address. top: base <= top <= base + 2**address_bits.  Raises WidthError.
        Source: sail-cheri-riscv, setCapBounds.

        >>> from capability.cheri.formats import ISAV9_128
        >>> ISAV9_128.bounds.encode(0x1000, 0x1040)
        Encoding(bits=1052672, exact=True, alignment=1)
        >>> ISAV9_128.bounds.encode(0x1000, 0x1000 + 4097).alignment
        8
        """
        width, low = self.mantissa, self.split_bits
        length = top - base
        unsigned(base, self.address_bits)
        if not 0 <= length <= 1 << self.address_bits:
            raise WidthError(f"bounds of {length} bytes: 0 <= length <= 2**{self.address_bits}")
        exponent = (length >> (width - 1)).bit_length()
        if not exponent and (self.length_bit or not length >> (width - 2)):
            # Small enough to be exact; the flag, B, T and, where there is one, the stored bit of the length.
            bits = (1 - self.internal_flag) << (self.width - 1) | (top & mask(width - 2)) << width | base & mask(width)
            if self.length_bit:
                bits |= (length >> (width - 2)) << (2 * width - 2)
            return Encoding(bits, True, 1)
        kept = mask(width - low)
        shift = exponent + low
        bottom, end, lost_base, lost_top = base >> shift, top >> shift, base & mask(shift), top & mask(shift)
        end += lost_top != 0
        # Rounding may have made the length a bit too long; one more step of the exponent is then enough.
        if ((end - bottom) & kept) >> (width - low - 1):
            shift += 1
            exponent += 1
            bottom, end, lost_base, lost_top = base >> shift, top >> shift, base & mask(shift), top & mask(shift)
            end += lost_top != 0
        stored = exponent
        if self.exponent is StoredExponent.INVERTED:
            stored = 63 - exponent
        elif self.exponent is StoredExponent.FROM_LARGEST:
            stored = self.largest - exponent
        bits = self.internal_flag << (self.width - 1)
        bits |= ((end << low) & mask(width - 2) | (stored >> low) & mask(low)) << width
        bits |= (bottom & kept) << low | stored & mask(low)
        if self.length_bit:
            bits |= (stored >> (2 * low)) << (2 * width - 2)
        return Encoding(bits, not (lost_base or lost_top), 1 << shift)

    def keeps_bounds(self, bits: int, old: int, new: int) -> bool:
        """Precise: decode with both addresses, and compare; encodings without valid bounds keep none.

        Source: sail-cheri-riscv, setCapAddr; sail-morello, CapIsRepresentable.
        """
        before = self.decode(bits, old)
        return before.valid and before == self.decode(bits, new)

    def keeps_bounds_fast(self, bits: int, old: int, new: int) -> bool:
        """Does the increment stay inside the representable region, judged from MW bits of it and of the address?

        Conservative, because it does not wait for the carry out of the lower bits of the sum. It needs a region whose
        edge has three bits: RISC-V, where it has more, has no such check, and this is the precise one.
        Source: CHERI Concentrate, section 4.5; sail-cheri-riscv, fastRepCheck; sail-morello,
        CapIsRepresentableFast.
        """
        if self.top_bits != 3:
            return self.keeps_bounds(bits, old, new)
        exponent, _, bottom, _ = self.split(bits)
        if exponent >= self.largest - 2:
            return True  # the region is all of the address space
        width = self.mantissa
        ones = mask(width)
        step = self.counted((new - old) & mask(self.address_bits))
        signed_step = step - (1 << self.address_bits) if step >> (self.address_bits - 1) else step
        above = signed_step >> (exponent + width)
        middle = (signed_step >> exponent) & ones
        here = (self.counted(old) >> exponent) & ones
        edge = ((bottom >> (width - 3)) - 1 & 7) << (width - 3)
        room = (edge - here) & ones
        if above == 0:
            return middle < (room - 1) & ones
        return above == -1 and middle >= room and edge != here

    def reach(self, bits: int, address: int) -> tuple[int, int]:
        """The representable region: where the address may go with the bounds staying as they are.

        Before wrapping, so that the first may be negative. Where the region is all of the address space, that.
        """
        exponent, _, bottom, _ = self.split(bits)
        width = self.mantissa
        if exponent >= self.largest - 2 or not self.decode(bits, address).valid:
            return 0, 1 << self.address_bits
        edge = self.edge(bottom) << exponent
        size = 1 << (exponent + width)
        first = edge + ((self.counted(address) - edge) // size) * size
        return first, first + size

    def edge(self, bottom: int) -> int:
        """R, the mantissa at which the representable region begins.

        ISAv9 and Morello: B's top three bits less one, so that only three bits need comparing. RISC-V: a quarter of
        the region below B.

        >>> from capability.cheri.formats import ISAV9_128, RISCV_128
        >>> hex(ISAV9_128.bounds.edge(0x1234)), hex(RISCV_128.bounds.edge(0x1234))
        ('0x800', '0x234')
        """
        if self.top_bits == 3:
            return ((bottom >> (self.mantissa - 3)) - 1 & 7) << (self.mantissa - 3)
        return (bottom - (1 << (self.mantissa - 2))) & mask(self.mantissa)

    def depends_on_address(self, bits: int) -> bool:
        """False for blocks so large that base and top have no bits from the address.

        Source: sail-morello, CapBoundsUsesValue.
        """
        return self.split(bits).exponent + self.mantissa < self.address_bits

    def changes_sign(self, bits: int, old: int, new: int) -> bool:
        """Would the move change the sign bit that bounds extend the address from?  Source: sail-morello, CapAdd."""
        if not self.signed_bits or not ((old ^ new) >> (self.signed_bits - 1)) & 1:
            return False
        return self.depends_on_address(bits)

    def counted(self, address: int) -> int:
        """The address as bounds see it: Morello keeps flags in its top byte and sign-extends from bit 55.

        Source: sail-morello, CapBoundsAddress.
        """
        if not self.signed_bits:
            return address
        address &= (1 << self.signed_bits) - 1
        if address >> (self.signed_bits - 1):
            address |= (1 << self.address_bits) - (1 << self.signed_bits)
        return address
