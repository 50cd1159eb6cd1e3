"""Arithmetic on arrays of machine words: iN as uint64 arrays with the bits above N clear."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Words: TypeAlias = npt.NDArray[np.uint64]
Signed: TypeAlias = npt.NDArray[np.int64]
Mask: TypeAlias = npt.NDArray[np.bool_]

ONE = np.uint64(1)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def ones(width: int) -> np.uint64:
    """The word with `width` low bits set; width 1 to 64.

    >>> int(ones(8))
    255
    """
    return np.uint64((1 << width) - 1)


def signed(a: Words, width: int) -> Signed:
    """The words in two's complement.

    >>> signed(np.array([127, 128], np.uint64), 8).tolist()
    [127, -128]
    """
    if width == 64:
        return a.view(np.int64)
    return (a << np.uint64(64 - width)).view(np.int64) >> np.int64(64 - width)


def wrapped(a: Signed, width: int) -> Words:
    """Signed numbers cut to `width` bits.

    >>> wrapped(np.array([-1, 256], np.int64), 8).tolist()
    [255, 0]
    """
    words: Words = a.view(np.uint64)
    return words if width == 64 else words & ones(width)


def is_negative(a: Words, width: int) -> Mask:
    """The sign bit.

    >>> is_negative(np.array([7, 8], np.uint64), 4).tolist()
    [False, True]
    """
    mask: Mask = a >= np.uint64(1 << (width - 1))
    return mask


def is_within(a: Words, bounds: tuple[int, int], width: int) -> Mask:
    """The words are in a half-open range, which may wrap around.

    >>> is_within(np.array([255, 1, 2], np.uint64), (-1, 2), 8).tolist()
    [True, True, False]
    """
    low, high = bounds[0] & int(ones(width)), bounds[1] & int(ones(width))
    above: Mask = a >= np.uint64(low)
    below: Mask = a < np.uint64(high)
    return above & below if low < high else above | below


def high_product(a: Words, b: Words) -> Words:
    """The upper 64 bits of the unsigned 128-bit product.

    >>> high_product(np.array([2**63], np.uint64), np.array([6], np.uint64)).tolist()
    [3]
    """
    a_low, a_high, b_low, b_high = a & _LOW, a >> _HALF, b & _LOW, b >> _HALF
    low, cross, other = a_low * b_low, a_high * b_low, a_low * b_high
    middle = (low >> _HALF) + (cross & _LOW) + (other & _LOW)
    high: Words = a_high * b_high + (cross >> _HALF) + (other >> _HALF) + (middle >> _HALF)
    return high


def product_overflows(a: Words, b: Words, width: int) -> Mask:
    """The unsigned product needs more than `width` bits.

    >>> product_overflows(np.array([15, 16], np.uint64), np.array([17, 16], np.uint64), 8).tolist()
    [False, True]
    """
    if width <= 32:
        mask: Mask = (a * b) > ones(width)
        return mask
    beyond: Mask = high_product(a, b) != 0
    return beyond if width == 64 else beyond | ((a * b) > ones(width))


def signed_product_overflows(a: Words, b: Words, width: int) -> Mask:
    """The signed product is outside of -2**(width-1) to 2**(width-1) - 1.

    >>> signed_product_overflows(np.array([128, 255], np.uint64), np.array([255, 255], np.uint64), 8).tolist()
    [True, False]
    """
    x, y = signed(a, width), signed(b, width)
    if width <= 32:
        exact = x * y
        differs: Mask = exact != signed(wrapped(exact, width), width)
        return differs
    p, q = x.view(np.uint64), y.view(np.uint64)
    low = p * q
    high = high_product(p, q) - np.where(x < 0, q, np.uint64(0)) - np.where(y < 0, p, np.uint64(0))
    result = signed(low & ones(width), width)
    beyond: Mask = (result.view(np.uint64) != low) | (high.view(np.int64) != (result >> np.int64(63)))
    return beyond


def population(a: Words) -> Words:
    """How many bits are set.

    >>> population(np.array([0, 255, 2**64 - 1], np.uint64)).tolist()
    [0, 8, 64]
    """
    a = a - ((a >> ONE) & np.uint64(0x5555555555555555))
    a = (a & np.uint64(0x3333333333333333)) + ((a >> np.uint64(2)) & np.uint64(0x3333333333333333))
    a = (a + (a >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return (a * np.uint64(0x0101010101010101)) >> np.uint64(56)


def trailing_zeros(a: Words, width: int) -> Words:
    """How many zeros stand below the lowest one; `width` for 0.

    >>> trailing_zeros(np.array([0, 1, 8], np.uint64), 8).tolist()
    [8, 0, 3]
    """
    return population((~a & (a - ONE)) & ones(width))


def leading_zeros(a: Words, width: int) -> Words:
    """How many zeros stand above the highest one; `width` for 0.

    >>> leading_zeros(np.array([0, 1, 128], np.uint64), 8).tolist()
    [8, 7, 0]
    """
    for shift in (1, 2, 4, 8, 16, 32):
        if shift < width:
            a = a | (a >> np.uint64(shift))
    return np.uint64(width) - population(a)


def bytes_swapped(a: Words, width: int) -> Words:
    """The bytes in reverse order; the width is a multiple of 16.

    >>> hex(bytes_swapped(np.array([0x1234], np.uint64), 16)[0])
    '0x3412'
    """
    return a.byteswap() >> np.uint64(64 - width)


def bits_reversed(a: Words, width: int) -> Words:
    """The bits in reverse order.

    >>> bits_reversed(np.array([0b0010], np.uint64), 4).tolist()
    [4]
    """
    for shift, pattern in ((1, 0x5555555555555555), (2, 0x3333333333333333), (4, 0x0F0F0F0F0F0F0F0F)):
        kept = np.uint64(pattern)
        a = ((a >> np.uint64(shift)) & kept) | ((a & kept) << np.uint64(shift))
    return a.byteswap() >> np.uint64(64 - width)
