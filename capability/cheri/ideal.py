"""CHERI Concentrate in arithmetic on whole numbers: slower than `concentrate`, and close to what it means.

No bit is compared here. The representable region is a window on the number line, base and top are the numbers in it
that end in the stored bits, and set-bounds tries exponents until the rounded length fits. A property test holds the
fast form to this one for every format.
Source: Woodruff et al., "CHERI Concentrate", IEEE Transactions on Computers 68(10), 2019, sections 4.1 to 4.4.
"""

from __future__ import annotations

from capability.cheri.bounds import Bounds, Encoding, Mantissas
from capability.cheri.concentrate import Concentrate, OutOfRange, StoredExponent
from capability.word import mask


def decode(codec: Concentrate, bits: int, address: int) -> Bounds:
    """The bounds that `bits` mean beside `address`.

    The window begins at the greatest number, not above the address, that is the edge's mantissa at bit E and above,
    modulo 2**(E+MW). Base is the least number in the window that is B there, and top the least that is T.

    >>> from capability.cheri.formats import ISAV9_128
    >>> decode(ISAV9_128.bounds, 0x0101000, 0x1010)
    [0x1000, 0x1040)
    """
    exponent, internal, bottom, top = codec.split(bits)
    space, largest = 1 << codec.address_bits, codec.largest
    if codec.out_of_range is OutOfRange.WHOLE_SPACE and exponent > largest:
        return Bounds(0, space, exponent == mask(6))
    if codec.out_of_range is OutOfRange.EMPTY and internal and not _fits(codec, exponent, bottom):
        return Bounds(0, 0, False)
    exponent = min(exponent, largest)
    unit = 1 << exponent
    window = unit << codec.mantissa

    def at_or_below(mantissa: int, limit: int) -> int:
        return limit - (limit - mantissa * unit) % window

    def at_or_above(mantissa: int, limit: int) -> int:
        return limit + (mantissa * unit - limit) % window

    first = at_or_below(codec.edge(bottom), codec.counted(address))
    base = at_or_above(bottom, first) % space
    end = at_or_above(top, first) % (2 * space)
    if exponent < largest - 1:
        # Of the two tops that agree modulo the address space, the one in base's half of it or in the half that follows.
        half = space // 2
        end = next(top for top in (end % space, end % space + space) if top // half - base // half in (0, 1))
    return Bounds(base, end)


def _fits(codec: Concentrate, exponent: int, bottom: int) -> bool:
    """False for the encodings of the RISC-V draft whose base is beyond the address space, or could be."""
    if not (1 if codec.length_bit else 0) <= exponent <= codec.largest:
        return False
    return bottom == 0 if exponent == codec.largest else bottom << exponent < 1 << codec.address_bits


def encode(codec: Concentrate, base: int, top: int) -> Encoding:
    """The encoding of [base, top) with the least exponent: exact while short, then outward in growing units.

    >>> from capability.cheri.formats import ISAV9_128
    >>> encode(ISAV9_128.bounds, 0x1000, 0x1000 + 4097) == ISAV9_128.bounds.encode(0x1000, 0x1000 + 4097)
    True
    """
    length = top - base
    exact_below = 1 << (codec.mantissa - (1 if codec.length_bit else 2))
    if length < exact_below:
        return Encoding(assemble(codec, Mantissas(0, False, base, top)), True, 1)
    for exponent in range(1 if codec.length_bit else 0, codec.largest + 1):
        unit = 1 << (exponent + codec.split_bits)
        first, last = base // unit, -(-top // unit)
        if last - first < 1 << (codec.mantissa - codec.split_bits - 1):
            fields = Mantissas(exponent, True, first << codec.split_bits, last << codec.split_bits)
            exact = (first * unit, last * unit) == (base, top)
            return Encoding(assemble(codec, fields), exact, unit)
    raise AssertionError(f"{length} bytes at {base:#x} fit at no exponent")


def assemble(codec: Concentrate, fields: Mantissas) -> int:
    """The bits for these mantissas, of which the upper ones are dropped: `split` finds them again.

    A stored length bit is taken from top - bottom.

    >>> from capability.cheri.formats import MORELLO_128
    >>> fields = MORELLO_128.bounds.split(0x10005)
    >>> hex(assemble(MORELLO_128.bounds, fields))
    '0x10005'
    """
    width, low = codec.mantissa, codec.split_bits
    bottom, top = fields.bottom % (1 << width), fields.top % (1 << (width - 2))
    flag = codec.internal_flag if fields.internal else 1 - codec.internal_flag
    length_bit = ((fields.top - fields.bottom) >> (width - 2)) & 1
    if fields.internal:
        meant = {
            StoredExponent.PLAIN: fields.exponent,
            StoredExponent.INVERTED: mask(6) - fields.exponent,
            StoredExponent.FROM_LARGEST: codec.largest - fields.exponent,
        }
        stored = meant[codec.exponent]
        bottom = bottom - bottom % (1 << low) + stored % (1 << low)
        top = top - top % (1 << low) + (stored >> low) % (1 << low)
        length_bit = stored >> (2 * low)
    bits = flag << (codec.width - 1) | top << width | bottom
    return bits | length_bit << (2 * width - 2) if codec.length_bit else bits
