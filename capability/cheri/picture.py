"""A capability as a picture: its bits with the names of their fields, and its bounds on a line of addresses.

Plain SVG text, so that this layer needs nothing to draw with. Colours are the page's own, at different strengths.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from capability.cheri.bounds import Mantissas
from capability.cheri.capability import Capability
from capability.cheri.cheriot_bounds import CheriotBounds
from capability.cheri.concentrate import Concentrate
from capability.cheri.field import Field
from capability.cheri.format import Format
from capability.word import mask

_WIDTH, _ROW, _LEFT = 960, 34, 20
_BELOW = 15
"""Between two names that stand below a row, because their fields are too narrow for them."""
_LETTER = 6.6
"""Pixels that a letter of the labels takes, about."""


def picture(capability: Capability) -> str:
    """The capability as an SVG element.

    >>> from capability.cheri.formats import ISAV9_128
    >>> drawing = picture(Capability.root(ISAV9_128, address=0x1000))
    >>> drawing[:4], "HWPERMS" in drawing, "representable" in drawing
    ('<svg', True, True)
    """
    format = capability.format
    upper = [*_upper_fields(format, capability.pesbt)]
    names = [_hangs(name, field, capability.pesbt, format.address_bits) for name, field in upper]
    second = 40 + _ROW + 34 + _BELOW * sum(names)
    line = second + _ROW + 76
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" viewBox="0 0 {_WIDTH + 2 * _LEFT} {line + 70}" '
        'style="max-width:100%;font:11px monospace;fill:currentColor">',
        f"<title>{escape(str(capability))}</title>",
        _text(_LEFT, 16, f"{format.title}: {capability}", "start"),
    ]
    address = [("address", Field(format.address_bits - 1, 0))]
    if format.flags_from_bit:
        first = format.flags_from_bit
        address = [("flags", Field(format.address_bits - 1, first)), ("address", Field(first - 1, 0))]
    parts += _row(40, format.address_bits, upper, capability.pesbt)
    parts += _row(second, format.address_bits, address, capability.address)
    parts.append(_text(_LEFT, second + _ROW + 26, f"tag {int(capability.tag)}, beside the bits", "start"))
    parts += _line(line, capability)
    return "".join([*parts, "</svg>"])


def _upper_fields(format: Format, word: int) -> Iterator[tuple[str, Field]]:
    """The fields of the upper word, the bounds taken apart as this word's flag says."""
    for name, field in format.fields.items():
        if name != "EBT":
            yield name, field
    yield from bounds_fields(format, format.bounds.split(word & mask(format.bounds.width)))


def bounds_fields(format: Format, split: Mantissas) -> Iterator[tuple[str, Field]]:
    """The parts of the stored bounds from the top down: the flag, then T and B, whose low bits may be the exponent.

    >>> from capability.cheri.formats import ISAV9_64
    >>> [name for name, _ in bounds_fields(ISAV9_64, ISAV9_64.bounds.split(0x4302))]
    ['internal', 'T', 'E high', 'B', 'E low']
    """
    codec = format.bounds
    if isinstance(codec, CheriotBounds):
        yield from (("E", Field(21, 18)), ("T", Field(17, 9)), ("B", Field(8, 0)))
        return
    assert isinstance(codec, Concentrate)
    width, low = codec.mantissa, codec.split_bits
    yield "internal", Field(codec.width - 1, codec.width - 1)
    if codec.length_bit:
        yield "E[4]" if split.internal else "L[8]", Field(2 * width - 2, 2 * width - 2)
    if not split.internal:
        yield from (("T", Field(2 * width - 3, width)), ("B", Field(width - 1, 0)))
        return
    yield from (("T", Field(2 * width - 3, width + low)), ("E high", Field(width + low - 1, width)))
    yield from (("B", Field(width - 1, low)), ("E low", Field(low - 1, 0)))


def _labels(name: str, field: Field, word: int) -> tuple[str, str, str]:
    """Name, value and place of a field."""
    place = f"{field.high}:{field.low}" if field.width > 1 else str(field.low)
    return name, f"{field.get(word):#x}", place


def _hangs(name: str, field: Field, word: int, bits: int) -> bool:
    """Whether a field is too narrow for what is said of it."""
    return max(map(len, _labels(name, field, word))) * _LETTER >= field.width * _WIDTH / bits


def _row(top: int, bits: int, fields: list[tuple[str, Field]], word: int) -> Iterator[str]:
    """One word: a box for each field, as wide as its bits, with name, value and the bits it takes.

    What has no room in its box hangs below it, the leftmost deepest, so that no line crosses a text.
    """
    unit = _WIDTH / bits
    below = sum(_hangs(name, field, word, bits) for name, field in fields)
    for number, (name, field) in enumerate(fields):
        left, width = _LEFT + (bits - 1 - field.high) * unit, field.width * unit
        _, value, place = _labels(name, field, word)
        strength = 0.06 if name.startswith("RESERVED") else 0.16 + 0.1 * (number % 2)
        tip = f"<title>{escape(name)} = {value}, bits {place}</title>"
        yield (
            f'<g>{tip}<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{_ROW}" fill="currentColor" '
            f'fill-opacity="{strength:.2f}" stroke="currentColor" stroke-width="0.6"/>'
        )
        middle = left + width / 2
        if not _hangs(name, field, word, bits):
            yield _text(middle, top - 4, place) + _text(middle, top + 14, name) + _text(middle, top + 28, value)
        else:
            deep = top + _ROW + _BELOW * below
            yield f'<path d="M{middle:.1f} {top + _ROW} V{deep - 4} h5" fill="none" stroke="currentColor"/>'
            said = f"{name} {place}: {value}"
            yield _text(min(middle + 8, _LEFT + _WIDTH - len(said) * _LETTER), deep, said, "start")
            below -= 1
        yield "</g>"


def _line(middle: int, capability: Capability) -> Iterator[str]:
    """The addresses: the representable region, the bounds in it, and where the capability points."""
    codec = capability.format.bounds
    base, end, valid = capability.decoded
    first, last = codec.reach(capability.pesbt & mask(codec.width), capability.address)
    space = 1 << capability.format.address_bits
    points = codec.counted(capability.address)
    if not valid or end < base:
        yield _text(_LEFT, middle, "these bits have no bounds to draw", "start")
        return
    # Where the region begins below 0, its addresses are those that wrap to the top of memory, seen from below.
    if base >= last and base - space >= first:
        base, end = base - space, end - space
    if points >= last and points - space >= first:
        points -= space
    low, high = min(first, base, points), max(last, end, points)

    def at(address: int) -> float:
        return _LEFT + (address - low) * _WIDTH / (high - low)

    yield _bar(at(first), at(last), middle, 10, 0.12, f"representable: {_range(first, last)}")
    yield _bar(at(base), at(end), middle - 8, 26, 0.45, f"bounds: {_range(base, end)}")
    yield _text(_LEFT, middle - 22, f"bounds {_range(base, end)}, {end - base:,} bytes", "start")
    yield _text(_LEFT, middle + 40, f"representable {_range(first, last)}, {last - first:,} bytes", "start")
    x = at(points)
    yield f'<path d="M{x:.1f} {middle - 12} v34" stroke="currentColor" stroke-width="2"/>'
    side = "end" if x > _WIDTH / 2 else "start"
    yield _text(min(max(x, _LEFT), _WIDTH + _LEFT), middle + 58, f"address {capability.address:#x}", side)


def _bar(left: float, right: float, top: int, height: int, strength: float, tip: str) -> str:
    width = max(right - left, 2)
    return (
        f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{height}" fill="currentColor" '
        f'fill-opacity="{strength}" stroke="currentColor" stroke-width="0.6"><title>{escape(tip)}</title></rect>'
    )


def _text(x: float, y: float, words: str, anchor: str = "middle") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def _range(base: int, top: int) -> str:
    return f"[{base:#x}, {top:#x})"
