"""CHERI Concentrate as formulas over words: what `capability.cheri.concentrate` computes, for proofs.

Tests hold every formula to that module: on integers at full width, and on every encoding of a scaled-down format.
"""

from __future__ import annotations

from typing import NamedTuple

from capability.cheri.concentrate import Concentrate, OutOfRange, StoredExponent
from m4alloc.superopt.cheri.words import FALSE, TRUE, Truth, Word, choose, every, joined, some

_EXPONENT = 8
"""Bits in which exponents are computed: above any format's largest, and any stored one."""


class Taken(NamedTuple):
    """The stored bounds taken apart, as `capability.cheri.bounds.Mantissas`; negative: the exponent is below zero."""

    exponent: Word
    negative: Truth
    internal: Truth
    bottom: Word
    top: Word


class Decoded(NamedTuple):
    """base in address bits, top in one more, and whether the encoding means anything."""

    base: Word
    top: Word
    valid: Truth


class Encoded(NamedTuple):
    """The bits, whether nothing was rounded, and by how many bits base and top were."""

    bits: Word
    exact: Truth
    shift: Word


def split(codec: Concentrate, bits: Word) -> Taken:
    """E, B and T, with the two top bits of T inferred from B."""
    width, low = codec.mantissa, codec.split_bits
    bottom, stored_top = bits.bits(width - 1, 0), bits.bits(2 * width - 3, width)
    internal = bits.bits(codec.width - 1, codec.width - 1).eq(codec.internal_flag)
    field = joined(stored_top.bits(low - 1, 0), bottom.bits(low - 1, 0))
    length_bit = bits.bits(2 * width - 2, 2 * width - 2) if codec.length_bit else Word(0, 1)
    if codec.length_bit:
        field = joined(length_bit, field)
    exponent, negative = field.to(_EXPONENT), FALSE
    if codec.exponent is StoredExponent.INVERTED:
        exponent = Word(63, _EXPONENT) - exponent
    elif codec.exponent is StoredExponent.FROM_LARGEST:
        negative = internal & (Word(codec.largest, _EXPONENT) < exponent)
        exponent = Word(codec.largest, _EXPONENT) - exponent
    exponent = choose(internal, exponent, Word(0, _EXPONENT))
    keep = ((1 << width) - 1) & ~((1 << low) - 1)
    bottom = choose(internal, bottom & keep, bottom)
    stored_top = choose(internal, stored_top & (keep & ((1 << (width - 2)) - 1)), stored_top)
    carry = (stored_top < bottom.bits(width - 3, 0)).word().to(2)
    length = choose(internal, Word(1, 2), length_bit.to(2))
    top = joined(bottom.bits(width - 1, width - 2) + carry + length, stored_top)
    return Taken(exponent, negative, internal, bottom, top)


def decode(codec: Concentrate, bits: Word, address: Word) -> Decoded:
    """Base and top beside this address."""
    taken = split(codec, bits)
    return decode_taken(codec, taken, address)


def decode_taken(codec: Concentrate, taken: Taken, address: Word) -> Decoded:
    """`decode` of bounds that are taken apart, so that a proof can fix the exponent."""
    exponent, bottom, top = taken.exponent, taken.bottom, taken.top
    largest, width, bits = codec.largest, codec.mantissa, codec.address_bits
    over = Word(largest, _EXPONENT) < exponent
    if codec.out_of_range is OutOfRange.CLAMPED:
        exponent = choose(over, Word(largest, _EXPONENT), exponent)
    wide = bits + 1
    shift = exponent.to(wide)
    seen = counted(codec, address).to(wide)
    drop = width - codec.top_bits
    b, t = bottom.bits(width - 1, drop), top.bits(width - 1, drop)
    edge = b - (1 << (codec.top_bits - 2) if codec.top_bits > 3 else 1)
    moved = seen >> shift
    high = ((moved >> drop).to(codec.top_bits) < edge).word().to(wide)
    upper = (moved >> width) - high
    base = (((upper + (b < edge).word().to(wide)) << width) | bottom.to(wide)) << shift
    end = (((upper + (t < edge).word().to(wide)) << width) | top.to(wide)) << shift
    ends = end.bits(bits, bits - 1) - base.bits(bits - 1, bits - 1).to(2)
    flip = (exponent < Word(largest - 1, _EXPONENT)) & (Word(1, 2) < ends)
    end = choose(flip, end ^ (1 << bits), end)
    base = base.to(bits)
    valid = TRUE
    if codec.out_of_range is OutOfRange.WHOLE_SPACE:
        base = choose(over, Word(0, bits), base)
        end = choose(over, Word(1 << bits, wide), end)
        valid = ~over | exponent.eq(63)
    elif codec.out_of_range is OutOfRange.EMPTY:
        valid = ~malformed(codec, taken)
        base = choose(valid, base, Word(0, bits))
        end = choose(valid, end, Word(0, wide))
    return Decoded(base, end, valid)


def malformed(codec: Concentrate, taken: Taken) -> Truth:
    """Of the RISC-V draft: an exponent below zero, or mantissas that reach beyond the address space."""
    exponent, bottom = taken.exponent, taken.bottom
    small = exponent.eq(0) if codec.length_bit else FALSE
    beyond = exponent.eq(codec.largest) & bottom.any()
    nearly = exponent.eq(codec.largest - 1) & bottom.bit(codec.mantissa - 1)
    return taken.internal & some(taken.negative, small, beyond, nearly)


def counted(codec: Concentrate, address: Word) -> Word:
    """The address as bounds see it: Morello's is extended from bit 55."""
    if not codec.signed_bits:
        return address
    count = codec.address_bits - codec.signed_bits
    sign = address.bit(codec.signed_bits - 1)
    return joined(choose(sign, Word(-1, count), Word(0, count)), address.to(codec.signed_bits))


def depends_on_address(codec: Concentrate, exponent: Word) -> Truth:
    """False for blocks so large that their bounds have no bits from the address."""
    return exponent < Word(codec.address_bits - codec.mantissa, _EXPONENT)


def encode(codec: Concentrate, base: Word, length: Word) -> Encoded:
    """The smallest exponent at which [base, base + length), rounded outward, fits.

    base: address bits. length: one more, at most 2**address_bits; taken as it is, because z3 then need not find out
    that it is the difference of two sums.
    """
    width, low, wide = codec.mantissa, codec.split_bits, codec.address_bits + 1
    first = base.to(wide)
    top = first + length
    exponent = Word(0, _EXPONENT)
    for number in range(width - 1, wide):
        exponent = choose(length.bit(number), Word(number - width + 2, _EXPONENT), exponent)
    small = exponent.eq(0)
    if not codec.length_bit:
        small = small & ~length.bit(width - 2)
    bottom, end, lost = _cut(first, top, exponent + low)
    kept = width - low
    again = (end - bottom).bit(kept - 1)
    exponent = exponent + again.word().to(_EXPONENT)
    more_bottom, more_end, more_lost = _cut(first, top, exponent + low)
    bottom, end = choose(again, more_bottom, bottom), choose(again, more_end, end)
    lost = (again & more_lost) | (~again & lost)
    stored = exponent
    if codec.exponent is StoredExponent.INVERTED:
        stored = Word(63, _EXPONENT) - exponent
    elif codec.exponent is StoredExponent.FROM_LARGEST:
        stored = Word(codec.largest, _EXPONENT) - exponent
    parts = [
        Word(codec.internal_flag, 1),
        end.bits(width - 3 - low, 0),
        stored.bits(2 * low - 1, low),
        bottom.bits(kept - 1, 0),
        stored.bits(low - 1, 0),
    ]
    exact = [Word(1 - codec.internal_flag, 1), top.bits(width - 3, 0), first.bits(width - 1, 0)]
    if codec.length_bit:
        parts.insert(1, stored.bits(2 * low, 2 * low))
        exact.insert(1, length.bits(width - 2, width - 2))
    bits = choose(small, joined(*exact), joined(*parts))
    return Encoded(bits, small | ~lost, choose(small, Word(0, _EXPONENT), exponent + low))


def _cut(base: Word, top: Word, shift: Word) -> tuple[Word, Word, Truth]:
    """Base rounded down and top up to multiples of 2**shift, in those units, and whether either was no multiple."""
    by = shift.to(base.width)
    bottom, end = base >> by, top >> by
    lost_base, lost_top = (bottom << by).ne(base), (end << by).ne(top)
    return bottom, end + lost_top.word().to(base.width), lost_base | lost_top


def same_bounds(one: Decoded, other: Decoded) -> Truth:
    """Base, top and validity agree."""
    return every(one.base.eq(other.base), one.top.eq(other.top), one.valid.same(other.valid))


def keeps_bounds(codec: Concentrate, bits: Word, old: Word, new: Word) -> Truth:
    """The precise check: the bounds are valid, and the same at the new address."""
    before = decode(codec, bits, old)
    return before.valid & same_bounds(before, decode(codec, bits, new))


def keeps_bounds_fast(codec: Concentrate, bits: Word, old: Word, new: Word) -> Truth:
    """The check that hardware can afford, where a format has one; else the precise one."""
    if codec.top_bits != 3:
        return keeps_bounds(codec, bits, old, new)
    taken = split(codec, bits)
    width, wide = codec.mantissa, codec.address_bits
    shift = taken.exponent.to(wide)
    step = counted(codec, new - old)
    above = arithmetic_shift(step, shift) if width >= wide else arithmetic_shift(arithmetic_shift(step, shift), width)
    middle = (step >> shift).to(width)
    here = (counted(codec, old) >> shift).to(width)
    edge = joined(taken.bottom.bits(width - 1, width - 3) - 1, Word(0, width - 3))
    room = edge - here
    forward = above.eq(0) & (middle < room - 1)
    backward = above.eq(-1) & ~(middle < room) & edge.ne(here)
    return ~(taken.exponent < Word(codec.largest - 2, _EXPONENT)) | forward | backward


def arithmetic_shift(word: Word, by: Word | int) -> Word:
    """A shift to the right that copies the sign."""
    sign = word.bit(word.width - 1)
    return choose(sign, ~(~word >> by), word >> by)


def changes_sign(codec: Concentrate, exponent: Word, old: Word, new: Word) -> Truth:
    """Would the move change the bit that bounds extend the address from?"""
    if not codec.signed_bits:
        return FALSE
    return (old ^ new).bit(codec.signed_bits - 1) & depends_on_address(codec, exponent)
