"""What an integer can be: bits that are known, with an unsigned and a signed range; and what operations make of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extent:
    """Values v of `width` bits with v & zeros == 0, v & ones == ones, low <= v <= high, slow <= signed(v) <= shigh.

    It speaks of a value that is not poison, and of each value that an undef may take.
    """

    width: int
    zeros: int
    ones: int
    low: int
    high: int
    slow: int
    shigh: int

    @property
    def mask(self) -> int:
        """All bits."""
        return (1 << self.width) - 1

    @property
    def value(self) -> int | None:
        """The only value, where there is one."""
        return self.low if self.low == self.high else None

    @property
    def is_empty(self) -> bool:
        """No value is left: the code is not reached, or its value is always poison."""
        return self.low > self.high or self.slow > self.shigh or bool(self.zeros & self.ones)

    @property
    def trailing(self) -> int:
        """Bits at the bottom that are known to be 0."""
        return trailing_ones(self.zeros, self.width)

    def __and__(self, other: Extent) -> Extent:
        """Both hold."""
        return tightened(
            Extent(
                self.width, self.zeros | other.zeros, self.ones | other.ones, max(self.low, other.low),
                min(self.high, other.high), max(self.slow, other.slow), min(self.shigh, other.shigh),
            )
        )  # fmt: skip

    def __or__(self, other: Extent) -> Extent:
        """One of both holds."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Extent(
            self.width, self.zeros & other.zeros, self.ones & other.ones, min(self.low, other.low),
            max(self.high, other.high), min(self.slow, other.slow), max(self.shigh, other.shigh),
        )  # fmt: skip


def trailing_ones(bits: int, width: int) -> int:
    """Bits at the bottom that are all 1.

    >>> trailing_ones(0b1011, 8)
    2
    """
    inverted = ~bits & ((1 << width) - 1)
    return (inverted & -inverted).bit_length() - 1 if inverted else width


def top(width: int) -> Extent:
    """Any value."""
    mask = (1 << width) - 1
    return Extent(width, 0, 0, 0, mask, -(1 << width - 1), mask >> 1)


def exactly(width: int, value: int) -> Extent:
    """One value."""
    mask = (1 << width) - 1
    value &= mask
    signed = value - (value >> width - 1 << width)
    return Extent(width, ~value & mask, value, value, value, signed, signed)


def of_bits(width: int, zeros: int, ones: int) -> Extent:
    """Some bits are known."""
    whole = top(width)
    return tightened(Extent(width, zeros & whole.mask, ones & whole.mask, 0, whole.mask, whole.slow, whole.shigh))


def between(width: int, low: int, high: int) -> Extent:
    """low <= v <= high, unsigned; everything where the range leaves the type."""
    whole = top(width)
    if low < 0 or high > whole.mask:
        return whole
    return tightened(Extent(width, 0, 0, low, high, whole.slow, whole.shigh))


def signed_between(width: int, low: int, high: int) -> Extent:
    """low <= signed(v) <= high; everything where the range leaves the type."""
    whole = top(width)
    if low < whole.slow or high > whole.shigh:
        return whole
    return tightened(Extent(width, 0, 0, 0, whole.mask, low, high))


def tightened(extent: Extent) -> Extent:
    """The same values with each of the three views narrowed by the others.

    >>> tightened(Extent(8, 0b11110000, 0, 0, 255, -128, 127)).high
    15
    """
    width, zeros, ones, low, high, slow, shigh = (
        extent.width, extent.zeros, extent.ones, extent.low, extent.high, extent.slow, extent.shigh,
    )  # fmt: skip
    mask, half = (1 << width) - 1, 1 << width - 1
    for _ in range(2):
        low, high = max(low, ones), min(high, mask & ~zeros)
        if low > high or slow > shigh or zeros & ones:
            break
        if high < half:
            slow, shigh = max(slow, low), min(shigh, high)
        elif low >= half:
            slow, shigh = max(slow, low - 2 * half), min(shigh, high - 2 * half)
        if slow > shigh:
            break
        if slow >= 0:
            low, high = max(low, slow), min(high, shigh)
        elif shigh < 0:
            low, high = max(low, slow + 2 * half), min(high, shigh + 2 * half)
        if low > high:
            break
        same = mask & ~((1 << (low ^ high).bit_length()) - 1)
        ones |= low & same
        zeros |= ~low & same & mask
    return Extent(width, zeros, ones, low, high, slow, shigh)


def _added(a: Extent, b: Extent, carry: int) -> tuple[int, int]:
    most = (a.mask & ~a.zeros) + (b.mask & ~b.zeros) + carry
    least = a.ones + b.ones + carry
    no_carry = ~(most ^ a.zeros ^ b.zeros)
    carries = least ^ a.ones ^ b.ones
    known = (a.zeros | a.ones) & (b.zeros | b.ones) & (no_carry | carries) & a.mask
    return known & ~most, known & least


def inverted(a: Extent) -> Extent:
    """~v."""
    return tightened(Extent(a.width, a.ones, a.zeros, a.mask - a.high, a.mask - a.low, -1 - a.shigh, -1 - a.slow))


def _sum(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    found = of_bits(a.width, *_added(a, b, 0))
    if "nuw" in flags or a.high + b.high <= a.mask:
        found &= between(a.width, min(a.low + b.low, a.mask), min(a.high + b.high, a.mask))
    half = 1 << a.width - 1
    if "nsw" in flags or (-half <= a.slow + b.slow and a.shigh + b.shigh < half):
        found &= signed_between(a.width, min(max(a.slow + b.slow, -half), half - 1), _clamp(a.shigh + b.shigh, half))
    return found


def _clamp(value: int, half: int) -> int:
    return min(max(value, -half), half - 1)


def _difference(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    found = of_bits(a.width, *_added(a, inverted(b), 1))
    if "nuw" in flags or a.low >= b.high:
        found &= between(a.width, max(a.low - b.high, 0), max(a.high - b.low, 0))
    half = 1 << a.width - 1
    if "nsw" in flags or (-half <= a.slow - b.shigh and a.shigh - b.slow < half):
        found &= signed_between(a.width, _clamp(a.slow - b.shigh, half), _clamp(a.shigh - b.slow, half))
    return found


def _product(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    found = of_bits(a.width, (1 << min(a.trailing + b.trailing, a.width)) - 1, 0)
    if "nuw" in flags or a.high * b.high <= a.mask:
        found &= between(a.width, min(a.low * b.low, a.mask), min(a.high * b.high, a.mask))
    half = 1 << a.width - 1
    corners = [x * y for x in (a.slow, a.shigh) for y in (b.slow, b.shigh)]
    if "nsw" in flags or (-half <= min(corners) and max(corners) < half):
        found &= signed_between(a.width, _clamp(min(corners), half), _clamp(max(corners), half))
    return found


def _shifted_left(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    least, most = b.low, min(b.high, a.width - 1)
    if least >= a.width:
        return top(a.width)
    found = of_bits(a.width, (1 << min(a.trailing + least, a.width)) - 1, 0)
    if b.value is not None:
        found &= of_bits(a.width, a.zeros << least | (1 << least) - 1, a.ones << least)
    if "nuw" in flags or a.high << most <= a.mask:
        found &= between(a.width, min(a.low << least, a.mask), min(a.high << most, a.mask))
    return found


def _shifted_right(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    least, most = b.low, min(b.high, a.width - 1)
    if least >= a.width:
        return top(a.width)
    found = between(a.width, a.low >> most, a.high >> least)
    if b.value is not None:
        found &= of_bits(a.width, a.zeros >> least | a.mask & ~(a.mask >> least), a.ones >> least)
    return found


def _shifted_right_signed(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    least, most = b.low, min(b.high, a.width - 1)
    if least >= a.width:
        return top(a.width)
    corners = [value >> shift for value in (a.slow, a.shigh) for shift in (least, most)]
    return signed_between(a.width, min(corners), max(corners))


def _quotient(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return between(a.width, a.low // max(b.high, 1), a.high // max(b.low, 1))


def _quotient_signed(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    if a.slow >= 0 and b.slow >= 0:
        return signed_between(a.width, a.slow // max(b.shigh, 1), a.shigh // max(b.slow, 1))
    return top(a.width)


def _remainder(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    if a.high < b.low:
        return a
    found = between(a.width, 0, min(a.high, max(b.high - 1, 0)))
    low = (1 << b.trailing) - 1
    return found & of_bits(a.width, a.zeros & low, a.ones & low)


def _remainder_signed(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    most = max(abs(b.slow), abs(b.shigh), 1) - 1
    low = 0 if a.slow >= 0 else -min(most, -a.slow)
    high = min(most, max(a.shigh, 0))
    return signed_between(a.width, low, high)


def _and(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return of_bits(a.width, a.zeros | b.zeros, a.ones & b.ones) & between(a.width, 0, min(a.high, b.high))


def _or(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return of_bits(a.width, a.zeros & b.zeros, a.ones | b.ones) & between(a.width, max(a.low, b.low), a.mask)


def _xor(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return of_bits(a.width, a.zeros & b.zeros | a.ones & b.ones, a.zeros & b.ones | a.ones & b.zeros)


def _umin(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return (a | b) & between(a.width, 0, min(a.high, b.high))


def _umax(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return (a | b) & between(a.width, max(a.low, b.low), a.mask)


def _smin(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return (a | b) & signed_between(a.width, top(a.width).slow, min(a.shigh, b.shigh))


def _smax(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return (a | b) & signed_between(a.width, max(a.slow, b.slow), top(a.width).shigh)


def _added_saturating(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return between(a.width, min(a.low + b.low, a.mask), min(a.high + b.high, a.mask))


def _subtracted_saturating(a: Extent, b: Extent, flags: frozenset[str]) -> Extent:
    return between(a.width, max(a.low - b.high, 0), max(a.high - b.low, 0))


BINARY_EXTENTS = {
    "add": _sum, "sub": _difference, "mul": _product, "shl": _shifted_left, "lshr": _shifted_right,
    "ashr": _shifted_right_signed, "udiv": _quotient, "sdiv": _quotient_signed, "urem": _remainder,
    "srem": _remainder_signed, "and": _and, "or": _or, "xor": _xor, "umin": _umin, "umax": _umax, "smin": _smin,
    "smax": _smax, "uadd.sat": _added_saturating, "usub.sat": _subtracted_saturating,
}  # fmt: skip
"""Opcode, or name of an intrinsic, to what it makes of two extents and its flags."""


def cast(opcode: str, a: Extent, width: int) -> Extent:
    """zext, sext or trunc to `width` bits."""
    mask = (1 << width) - 1
    if opcode == "zext":
        return tightened(
            Extent(width, a.zeros | mask & ~a.mask, a.ones, a.low, a.high, top(width).slow, top(width).shigh)
        )
    if opcode == "sext":
        return signed_between(width, a.slow, a.shigh) & of_bits(width, a.zeros & a.mask >> 1, a.ones & a.mask >> 1)
    found = of_bits(width, a.zeros & mask, a.ones & mask)
    return found & between(width, a.low, a.high) if a.high <= mask else found


def counted(opcode: str, a: Extent) -> Extent:
    """ctpop, ctlz or cttz."""
    match opcode:
        case "ctpop":
            low, high = a.ones.bit_count(), a.width - a.zeros.bit_count()
            low = max(low, int(a.low > 0))
        case "ctlz":
            low, high = a.width - a.high.bit_length(), a.width - a.low.bit_length()
        case _:
            low = a.trailing
            high = (a.ones & -a.ones).bit_length() - 1 if a.ones else a.width - int(a.low > 0)
    return between(a.width, low, high) if high <= a.mask else top(a.width)


def compared(predicate: str, a: Extent, b: Extent) -> bool | None:
    """What an icmp gives for all these values, None where both are possible."""
    if predicate in ("ne", "ule", "uge", "sle", "sge"):
        found = compared({"ne": "eq", "ule": "ugt", "uge": "ult", "sle": "sgt", "sge": "slt"}[predicate], a, b)
        return None if found is None else not found
    if predicate in ("ugt", "sgt"):
        return compared({"ugt": "ult", "sgt": "slt"}[predicate], b, a)
    if predicate == "eq":
        if a.value is not None and a.value == b.value:
            return True
        apart = a.high < b.low or b.high < a.low or a.shigh < b.slow or b.shigh < a.slow
        return False if apart or a.zeros & b.ones or a.ones & b.zeros else None
    low, high, other_low, other_high = (
        (a.low, a.high, b.low, b.high) if predicate == "ult" else (a.slow, a.shigh, b.slow, b.shigh)
    )
    return True if high < other_low else False if low >= other_high else None


def where(predicate: str, width: int, bounds: Extent) -> Extent:
    """The values v for which `icmp predicate v w` can be true with some w within `bounds`."""
    whole = top(width)
    match predicate:
        case "eq":
            return bounds
        case "ult" | "ule":
            high = bounds.high - (predicate == "ult")
            return _between_or_empty(width, 0, high, signed=False)
        case "ugt" | "uge":
            return _between_or_empty(width, bounds.low + (predicate == "ugt"), whole.mask, signed=False)
        case "slt" | "sle":
            return _between_or_empty(width, whole.slow, bounds.shigh - (predicate == "slt"), signed=True)
        case "sgt" | "sge":
            return _between_or_empty(width, bounds.slow + (predicate == "sgt"), whole.shigh, signed=True)
    if bounds.value == 0:
        return between(width, min(1, whole.mask), whole.mask)
    if bounds.value == whole.mask:
        return between(width, 0, whole.mask - 1)
    return whole


def _between_or_empty(width: int, low: int, high: int, *, signed: bool) -> Extent:
    whole = top(width)
    if low > high:
        return Extent(width, whole.mask, whole.mask, 1, 0, 1, 0)
    return signed_between(width, low, high) if signed else between(width, low, high)


def united(extents: Sequence[Extent]) -> Extent:
    """One of them holds."""
    found = extents[0]
    for extent in extents[1:]:
        found |= extent
    return found
