"""Fixed-width integers: Python's integers have no width, hardware's do, and every slip between the two is silent.

Nothing here truncates by accident. `wrap` is the only function that drops bits, and its name says so; every other
function refuses a value that does not fit, with the range in the message.
"""

from __future__ import annotations


class WidthError(ValueError):
    """A value, a position or an alignment is outside the range that the word allows."""


def mask(width: int) -> int:
    """A word of `width` ones.

    width: bits, at least 0.  Raises WidthError.

    >>> hex(mask(12))
    '0xfff'
    """
    if width < 0:
        raise WidthError(f"width {width} is negative: a word has 0 bits or more")
    return (1 << width) - 1


def wrap(value: int, width: int) -> int:
    """`value` modulo 2**width: the low `width` bits, the rest dropped on purpose.

    >>> wrap(-1, 8), wrap(0x1FF, 8)
    (255, 255)
    """
    return value & mask(width)


def unsigned(value: int, width: int) -> int:
    """`value` itself, once it is certain that it fits in `width` bits without a sign.

    Raises WidthError.

    >>> unsigned(255, 8)
    255
    >>> unsigned(256, 8)
    Traceback (most recent call last):
    capability.word.WidthError: 0x100 does not fit in 8 bits: 0 <= value <= 0xff
    """
    if not 0 <= value <= mask(width):
        raise WidthError(f"{value:#x} does not fit in {width} bits: 0 <= value <= {mask(width):#x}")
    return value


def signed(value: int, width: int) -> int:
    """The number that the `width`-bit word `value` means in two's complement.

    value: 0 <= value < 2**width.  Raises WidthError.

    >>> signed(0x7F, 8), signed(0x80, 8), signed(0xFF, 8)
    (127, -128, -1)
    """
    if width < 1:
        raise WidthError(f"width {width} leaves no bit for the sign: a signed word has 1 bit or more")
    unsigned(value, width)
    sign_bit = 1 << (width - 1)
    return (value ^ sign_bit) - sign_bit


def sign_extend(value: int, width: int, to: int) -> int:
    """The `to`-bit word that means the same number as the `width`-bit word `value`.

    1 <= width <= to; 0 <= value < 2**width.  Raises WidthError.

    >>> hex(sign_extend(0x80, 8, 16)), hex(sign_extend(0x7F, 8, 16))
    ('0xff80', '0x7f')
    """
    if to < width:
        raise WidthError(f"a {width}-bit word cannot be extended to {to} bits: to >= {width}")
    return wrap(signed(value, width), to)


def bit(value: int, position: int) -> int:
    """Bit `position` of `value`, counted from 0 at the low end.

    >>> bit(0b100, 2), bit(0b100, 1)
    (1, 0)
    """
    return field(value, position, position)


def field(value: int, high: int, low: int) -> int:
    """Bits high:low of `value`, both ends included, as the architecture manuals write them.

    value >= 0; high >= low >= 0.  Raises WidthError.

    >>> hex(field(0xABCD, 11, 4))
    '0xbc'
    """
    width = _field_width(value, high, low)
    return (value >> low) & mask(width)


def with_field(value: int, high: int, low: int, part: int) -> int:
    """`value` with bits high:low replaced by `part`, which has to fit in them.

    value >= 0; high >= low >= 0; 0 <= part < 2**(high - low + 1).  Raises WidthError.

    >>> hex(with_field(0xABCD, 11, 4, 0x12))
    '0xa12d'
    """
    width = _field_width(value, high, low)
    if not 0 <= part <= mask(width):
        raise WidthError(f"{part:#x} does not fit in bits {high}:{low}: 0 <= part <= {mask(width):#x}")
    return (value & ~(mask(width) << low)) | (part << low)


def _field_width(value: int, high: int, low: int) -> int:
    if not high >= low >= 0:
        raise WidthError(f"bits {high}:{low} are not a field: high >= low >= 0")
    if value < 0:
        raise WidthError(f"{value} has no fields: value >= 0 (wrap it to a width first)")
    return high - low + 1


def is_power_of_two(value: int) -> bool:
    """True for 1, 2, 4, 8 and so on; false for 0 and for negative numbers.

    >>> [n for n in range(-2, 10) if is_power_of_two(n)]
    [1, 2, 4, 8]
    """
    return value > 0 and value & (value - 1) == 0


def align_down(value: int, alignment: int) -> int:
    """The greatest multiple of `alignment` that is not above `value`.

    value >= 0; alignment a power of two.  Raises WidthError.

    >>> hex(align_down(0x1237, 16))
    '0x1230'
    """
    _check_alignment(value, alignment)
    return value & -alignment


def align_up(value: int, alignment: int) -> int:
    """The least multiple of `alignment` that is not below `value`; it may need one bit more than `value` has.

    value >= 0; alignment a power of two.  Raises WidthError.

    >>> hex(align_up(0x1237, 16)), hex(align_up(0x1230, 16))
    ('0x1240', '0x1230')
    """
    _check_alignment(value, alignment)
    return (value + alignment - 1) & -alignment


def is_aligned(value: int, alignment: int) -> bool:
    """True if `value` is a multiple of `alignment`.

    value >= 0; alignment a power of two.  Raises WidthError.

    >>> is_aligned(0x1230, 16), is_aligned(0x1238, 16)
    (True, False)
    """
    _check_alignment(value, alignment)
    return value & (alignment - 1) == 0


def _check_alignment(value: int, alignment: int) -> None:
    if not is_power_of_two(alignment):
        raise WidthError(f"alignment {alignment} is not a power of two: 1, 2, 4, 8, ...")
    if value < 0:
        raise WidthError(f"{value} is not an address or a length: value >= 0")
