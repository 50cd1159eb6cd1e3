"""Bounds of many capabilities at once: the compiled twin of `concentrate`, for sweeps over traces.

The same formulas on 64-bit words, which have no room for a top of 2**64: its last bit is kept apart. Needs numba (the
extra `fast`); nothing else does, and a test holds every answer to the readable original.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from capability.cheri.concentrate import Concentrate, OutOfRange, StoredExponent
from capability.cheri.format import Format
from capability.cheri.isa import Illegal, Isa
from capability.word import WidthError

try:
    from numba import njit
except ModuleNotFoundError as missing:  # pragma: no cover - the tests run with numba
    raise ModuleNotFoundError("capability.cheri.many needs numba: pip install 'm4alloc[fast]'") from missing

Words = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]
u8 = np.uint64
Function = Callable[..., Any]


class ManyBounds(NamedTuple):
    """base and top as `Bounds`, but for the last bit of top, which is in `beyond`: top + beyond * 2**address_bits."""

    base: Words
    top: Words
    beyond: Flags
    valid: Flags


class ManyNarrowed(NamedTuple):
    """What `set_bounds` makes of each capability: the upper word, the tag, and whether nothing was rounded."""

    pesbt: Words
    tag: Flags
    exact: Flags


def decode_many(format: Format, pesbt: npt.ArrayLike, address: npt.ArrayLike) -> ManyBounds:
    """The bounds of every capability.  Cost: O(n), some tens of nanoseconds each after the first call, which compiles.

    pesbt, address: upper words in register form and addresses, of equal shape.  Raises WidthError, and TypeError for
    formats that are not CHERI Concentrate.

    >>> from capability.cheri.formats import ISAV9_128
    >>> found = decode_many(ISAV9_128, [ISAV9_128.root, 0xFFFF1FFFF8101000], [0, 0x1010])
    >>> [(hex(base), hex(top), bool(beyond)) for base, top, beyond, _ in zip(*found)]
    [('0x0', '0x0', True), ('0x1000', '0x1040', False)]
    """
    words, addresses = _words(format, pesbt), _words(format, address)
    if words.shape != addresses.shape:
        raise WidthError(f"{words.shape} upper words and {addresses.shape} addresses: the shapes must be equal")
    base, top = np.empty_like(words), np.empty_like(words)
    beyond, valid = np.empty(words.shape, np.bool_), np.empty(words.shape, np.bool_)
    parameters = _parameters(_concentrate(format))
    _decode_all(parameters, words.ravel(), addresses.ravel(), base.ravel(), top.ravel(), beyond.ravel(), valid.ravel())
    return ManyBounds(base, top, beyond, valid)


def set_bounds_many(
    isa: Isa, pesbt: npt.ArrayLike, address: npt.ArrayLike, length: npt.ArrayLike, tag: npt.ArrayLike = True
) -> ManyNarrowed:
    """`narrow.set_bounds` of every capability, to its own length; an exact one is where `tag & exact` holds.

    length: bytes, below 2**address_bits, as a register holds it. tag: of each, or of all.  Cost: as `decode_many`.
    Raises WidthError, TypeError, and ValueError for an instruction set that traps: which of many would be ill-defined.

    >>> from capability.cheri.isa import ISAV9_128
    >>> narrowed = set_bounds_many(ISAV9_128, [ISAV9_128.format.root] * 2, [0x1000, 0x1000], [4096, 4097])
    >>> narrowed.tag.tolist(), narrowed.exact.tolist()
    ([True, True], [True, False])
    """
    if isa.illegal is Illegal.TRAPS:
        raise ValueError(f"{isa} traps: it has no result for many capabilities at once")
    format = isa.format
    words, addresses, lengths = _words(format, pesbt), _words(format, address), _words(format, length)
    if not words.shape == addresses.shape == lengths.shape:
        raise WidthError(f"shapes {words.shape}, {addresses.shape} and {lengths.shape}: they must be equal")
    tags = np.ascontiguousarray(np.broadcast_to(np.asarray(tag, np.bool_), words.shape))
    result = np.empty_like(words)
    kept, exact = np.empty(words.shape, np.bool_), np.empty(words.shape, np.bool_)
    _narrow_all(
        _parameters(_concentrate(format)),
        u8(format.otype.mask),
        u8(format.otypes.unsealed << format.otype.low),
        words.ravel(),
        addresses.ravel(),
        lengths.ravel(),
        tags.ravel(),
        result.ravel(),
        kept.ravel(),
        exact.ravel(),
    )
    return ManyNarrowed(result, kept, exact)


def _concentrate(format: Format) -> Concentrate:
    if not isinstance(format.bounds, Concentrate):
        raise TypeError(f"format {format.name} is not CHERI Concentrate: use its own codec")
    return format.bounds


def _words(format: Format, values: npt.ArrayLike) -> Words:
    """The values as an array of words that fit the format.  Raises WidthError."""
    given = values if isinstance(values, np.ndarray) else np.asarray(values, dtype=object)
    if given.dtype != np.uint64:
        if any(not isinstance(value, int | np.integer) or not 0 <= value < 1 << 64 for value in given.flat):
            raise WidthError(f"values do not fit in {format.address_bits} bits: integers, 0 <= value < 2**64")
        given = given.astype(np.uint64)
    if format.address_bits < 64 and given.size and int(given.max()) >> format.address_bits:
        top = (1 << format.address_bits) - 1
        raise WidthError(f"{int(given.max()):#x} does not fit in {format.address_bits} bits: 0 <= value <= {top:#x}")
    return cast(Words, np.ascontiguousarray(given))


class _Parameters(NamedTuple):
    """A codec in a form that compiled code takes: words, so that no arithmetic leaves them, and flags."""

    bits: Any
    width: Any
    low: Any
    largest: Any
    drop: Any
    below_edge: Any
    top_ones: Any
    ones: Any
    b_ones: Any
    t_ones: Any
    low_ones: Any
    flag_at: Any
    internal_flag: Any
    length_at: Any
    sign_at: Any
    sign_ones: Any
    length_bit: bool
    is_signed: bool
    inverted: bool
    from_largest: bool
    clamped: bool
    whole: bool


@cache
def _parameters(codec: Concentrate) -> _Parameters:
    def ones(count: int) -> Any:
        return u8((1 << count) - 1)

    return _Parameters(
        bits=u8(codec.address_bits),
        width=u8(codec.mantissa),
        low=u8(codec.split_bits),
        largest=u8(codec.largest),
        drop=u8(codec.mantissa - codec.top_bits),
        below_edge=u8(1 << (codec.top_bits - 2) if codec.top_bits > 3 else 1),
        top_ones=ones(codec.top_bits),
        ones=ones(codec.address_bits),
        b_ones=ones(codec.mantissa),
        t_ones=ones(codec.mantissa - 2),
        low_ones=ones(codec.split_bits),
        flag_at=u8(codec.width - 1),
        internal_flag=u8(codec.internal_flag),
        length_at=u8(2 * codec.mantissa - 2),
        sign_at=u8(max(codec.signed_bits - 1, 0)),
        sign_ones=ones(codec.signed_bits),
        length_bit=codec.length_bit,
        is_signed=codec.signed_bits > 0,
        inverted=codec.exponent is StoredExponent.INVERTED,
        from_largest=codec.exponent is StoredExponent.FROM_LARGEST,
        clamped=codec.out_of_range is OutOfRange.CLAMPED,
        whole=codec.out_of_range is OutOfRange.WHOLE_SPACE,
    )


_ZERO, _ONE, _TWO, _THREE, _ALL_BITS = u8(0), u8(1), u8(2), u8(3), u8(64)
_LARGEST_ENCODED = u8(63)


def _compiled(function: Function) -> Function:
    """The function, compiled when it is first called; kept on disk if there is a place that can be written."""
    try:
        kept: Function = njit(cache=True)(function)
    except RuntimeError:
        kept = njit(function)
    return kept


@_compiled
def _decode(p: Any, word: Any, address: Any) -> Any:
    """`Concentrate.decode` on words: base, top without its last bit, that bit, validity, the encoded exponent."""
    bottom = word & p.b_ones
    top = (word >> p.width) & p.t_ones
    internal = ((word >> p.flag_at) & _ONE) == p.internal_flag
    exponent, length, negative = _ZERO, _ZERO, False
    if internal:
        exponent = (top & p.low_ones) << p.low | (bottom & p.low_ones)
        if p.length_bit:
            exponent |= ((word >> p.length_at) & _ONE) << (p.low + p.low)
        if p.inverted:
            exponent = _LARGEST_ENCODED - exponent
        if p.from_largest:
            negative = exponent > p.largest
            exponent = _ZERO if negative else p.largest - exponent
        top &= ~p.low_ones
        bottom &= ~p.low_ones
        length = _ONE
    elif p.length_bit:
        length = (word >> p.length_at) & _ONE
    carry = _ONE if top < bottom & p.t_ones else _ZERO
    top |= (((bottom >> (p.width - _TWO)) + carry + length) & _THREE) << (p.width - _TWO)
    encoded = exponent
    if p.clamped:
        exponent = min(exponent, p.largest)
    elif p.whole:
        if exponent > p.largest:
            return _ZERO, _ZERO, True, exponent == _LARGEST_ENCODED, encoded
    elif internal:
        too_small = negative or (p.length_bit and exponent == _ZERO)
        if too_small or (exponent == p.largest and bottom != _ZERO):
            return _ZERO, _ZERO, False, False, encoded
        if exponent == p.largest - _ONE and bottom >> (p.width - _ONE) == _ONE:
            return _ZERO, _ZERO, False, False, encoded
    address = _counted(p, address)
    b, t = bottom >> p.drop, top >> p.drop
    edge = (b - p.below_edge) & p.top_ones
    middle = exponent + p.drop
    high = _ONE if (address >> middle if middle < _ALL_BITS else _ZERO) & p.top_ones < edge else _ZERO
    upper = address >> (exponent + p.width) if exponent + p.width < _ALL_BITS else _ZERO
    base_upper = upper + (_ONE if b < edge else _ZERO) - high
    end_upper = upper + (_ONE if t < edge else _ZERO) - high
    base = ((base_upper << p.width | bottom) << exponent) & p.ones
    end = ((end_upper << p.width | top) << exponent) & p.ones
    # The bit above the address space: of T where the exponent is that large, else of what the address supplied.
    place = p.bits - exponent
    beyond = (end_upper >> (place - p.width) if place >= p.width else top >> place) & _ONE
    if exponent < p.largest - _ONE:
        halves = (beyond << _ONE | end >> (p.bits - _ONE)) - (base >> (p.bits - _ONE))
        if halves & _THREE > _ONE:
            beyond ^= _ONE
    return base, end, beyond == _ONE, True, encoded


@_compiled
def _counted(p: Any, address: Any) -> Any:
    if p.is_signed:
        address &= p.sign_ones
        if address >> p.sign_at:
            address |= ~p.sign_ones
    return address


@_compiled
def _decode_all(p: Any, words: Any, addresses: Any, base: Any, top: Any, beyond: Any, valid: Any) -> None:
    for i in range(words.size):
        base[i], top[i], beyond[i], valid[i], _ = _decode(p, words[i], addresses[i])


@_compiled
def _bit_length(value: Any) -> Any:
    count = _ZERO
    for step in (u8(32), u8(16), u8(8), u8(4), u8(2), u8(1)):
        if value >> step:
            value >>= step
            count += step
    return count + value


@_compiled
def _encode(p: Any, base: Any, length: Any) -> Any:
    """`Concentrate.encode` on words: the bits, whether they are exact, and the exponent."""
    top = (base + length) & p.ones
    wraps = top < base
    exponent = _bit_length(length >> (p.width - _ONE))
    if exponent == _ZERO and (p.length_bit or length >> (p.width - _TWO) == _ZERO):
        bits = (_ONE - p.internal_flag) << p.flag_at | (top & p.t_ones) << p.width | (base & p.b_ones)
        if p.length_bit:
            bits |= (length >> (p.width - _TWO)) << p.length_at
        return bits, True, exponent
    kept = p.b_ones >> p.low
    shift = exponent + p.low
    lost, bottom, end = _rounded(p, base, top, wraps, shift)
    if ((end - bottom) & kept) >> (p.width - p.low - _ONE):
        shift += _ONE
        lost, bottom, end = _rounded(p, base, top, wraps, shift)
    exponent = shift - p.low
    stored = exponent
    if p.inverted:
        stored = _LARGEST_ENCODED - exponent
    if p.from_largest:
        stored = p.largest - exponent
    bits = p.internal_flag << p.flag_at
    bits |= (((end << p.low) & p.t_ones) | ((stored >> p.low) & p.low_ones)) << p.width
    bits |= (bottom & kept) << p.low | (stored & p.low_ones)
    if p.length_bit:
        bits |= (stored >> (p.low + p.low)) << p.length_at
    return bits, lost == _ZERO, exponent


@_compiled
def _rounded(p: Any, base: Any, top: Any, wraps: bool, shift: Any) -> Any:
    """What rounding to 2**shift loses, and base and top in these units, outward."""
    below = (_ONE << shift) - _ONE
    end = (top >> shift) + (_ONE << (p.bits - shift) if wraps else _ZERO)
    return (base | top) & below, base >> shift, end + (_ONE if top & below else _ZERO)


@_compiled
def _narrow_all(
    p: Any,
    otype: Any,
    unsealed: Any,
    words: Any,
    addresses: Any,
    lengths: Any,
    tags: Any,
    result: Any,
    kept: Any,
    exact: Any,
) -> None:
    field = (_ONE << (p.flag_at + _ONE)) - _ONE
    for i in range(words.size):
        word, base, length = words[i], addresses[i], lengths[i]
        old_base, old_top, old_beyond, valid, old_exponent = _decode(p, word, base)
        counted = _counted(p, base)
        depends = old_exponent + p.width < p.bits
        flagged = counted != base and not depends
        if depends:
            base = counted
        bits, exact[i], exponent = _encode(p, base, length)
        top = (base + length) & p.ones
        beyond = top < base
        inside = old_base <= base and (old_beyond > beyond or (old_beyond == beyond and top <= old_top))
        loses_flags = flagged and exponent + p.width < p.bits
        result[i] = (word & ~field) | bits
        kept[i] = tags[i] and valid and inside and not loses_flags and word & otype == unsealed
