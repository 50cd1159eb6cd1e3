"""Figures of the chapter on capabilities: 128 bits and what they mean, drawn from the models' own answers."""

from __future__ import annotations

from itertools import pairwise

from capability.cheri.capability import Capability
from capability.cheri.concentrate import Concentrate
from capability.cheri.formats import FORMATS, ISAV9_128
from capability.cheri.isa import ISAS
from capability.cheri.isa import ISAV9_128 as ISA
from capability.cheri.move import set_address
from capability.cheri.narrow import required_alignment, set_bounds_exactly
from capability.cheri.permit import limit_rights
from capability.cheri.picture import bounds_fields
from capability.perms import DATA
from capability.word import mask
from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, arrow, binary, box, brace, caption, cell, code, line, words
from m4alloc.view.palette import variable
from m4alloc.view.quantity import number
from m4alloc.view.svg import Child, Element, coordinate, element, picture

BASE, LENGTH = 0x4032F080, 100_096
"""The block that the chapter works out by hand: malloc(100000), padded to what ISAv9 can represent."""
PARTS = {"T": "series-1", "E high": "series-3", "B": "series-4", "E low": "series-3", "internal": "muted"}


def worked() -> Capability:
    """The capability to that block, as an allocator hands it out.

    >>> worked()
    0x4032f080 [rwRW,0x4032f080-0x40347780]
    """
    root = Capability.root(ISAV9_128, address=BASE)
    return limit_rights(set_bounds_exactly(root, LENGTH, ISA), DATA, ISA)


@figure("capability-bits")
def bits() -> Element:
    """The 128 bits of the worked capability: the fields, and the 27 bits of bounds one by one."""
    capability = worked()
    parts: list[Child] = [caption("upper word: bits 127 to 64 of the capability", 14)]
    unit = WIDTH / 64
    names = {"UPERMS": "sw", "HWPERMS": "permissions", "OTYPE": "object type", "EBT": "bounds: E, B, T"}
    for name, field in ISAV9_128.fields.items():
        x, width = (63 - field.high) * unit, field.width * unit
        role = "series-2" if name == "EBT" else "line"
        parts.append(box(x, 24, width, 40, role, title=f"{name}, bits {field.high}:{field.low} of the upper word"))
        if field.width > 3:
            parts.append(words(names.get(name, name), x + width / 2, 41, anchor="middle", size=11))
            parts.append(code(f"{field.get(capability.pesbt):#x}", x + width / 2, 57, anchor="middle"))
        parts.append(words(f"{field.width}", x + width / 2, 76, anchor="middle", size=10, class_="muted"))
    note = "bits; sw: software permissions; 2 are reserved, 1 is the execution mode"
    parts.append(words(note, WIDTH, 14, anchor="end", size=11, class_="muted"))
    parts += _zoom(capability, 122)
    parts += [
        caption("lower word: bits 63 to 0", 222),
        *cell(0, 232, WIDTH, 30, "", "line"),
        code(f"address {capability.address:#018x}", WIDTH / 2, 251, anchor="middle", size=12),
        *cell(0, 280, 92, 24, f"tag: {int(capability.tag)}", "series-1"),
        words("one bit more, kept beside memory; no store can write it", 102, 296),
    ]
    text = "64 bits of permissions, type and bounds above 64 bits of address; the bounds are 27 bits."
    return picture(parts, WIDTH, 310, "The 128 bits of a capability", text)


def _zoom(capability: Capability, y: float) -> list[Child]:
    """The stored bounds, a cell a bit, under their field in the row above."""
    codec = ISAV9_128.bounds
    assert isinstance(codec, Concentrate)
    low = capability.pesbt & mask(codec.width)
    unit = WIDTH / codec.width
    first = WIDTH / 64 * (64 - codec.width)
    parts: list[Child] = [line(first, 64, 0, y), line(WIDTH, 64, WIDTH, y)]
    split = codec.split(low)
    meaning = {"T": "T without its top two bits", "internal": "1", "B": "B", "E high": "E", "E low": "E"}
    for name, field in bounds_fields(ISAV9_128, split):
        role = PARTS[name]
        left, width = (codec.width - 1 - field.high) * unit, field.width * unit
        for bit in range(field.high, field.low - 1, -1):
            parts += cell((codec.width - 1 - bit) * unit, y, unit, 26, str(low >> bit & 1), role)
        place = f"{field.high}:{field.low}" if field.width > 1 else str(field.low)
        parts.append(words(place, left + width / 2, y - 5, anchor="middle", size=10, class_="muted"))
        if name == "internal":
            parts.append(words("E is stored here", left, y + 58, size=11, class_="muted"))
            parts += arrow([(left + 12, y + 47), (left + 12, y + 29)])
        else:
            parts += brace(left + 1, left + width - 1, y + 28, meaning[name] if name[0] != "E" else f"{name}")
    note = f"E = {split.exponent}: the two halves side by side, {binary(split.exponent, 6)}"
    parts.append(words(note, WIDTH, y + 66, anchor="end", size=11, class_="muted"))
    return parts


@figure("capability-assembly")
def assembly() -> Element:
    """How base and top are put together from the address and the mantissas, for two addresses in one block."""
    capability = worked()
    parts: list[Child] = []
    for number_, address in enumerate((BASE, 0x40340000)):
        parts += _assembled(set_address(capability, address, ISA), number_ * 206)
    text = "The upper bits come from the address, corrected by at most one; the middle bits are B and T; the rest is 0."
    return picture(parts, WIDTH, 398, "How base and top are put together", text)


def _assembled(capability: Capability, y: float) -> list[Child]:
    codec = ISAV9_128.bounds
    assert isinstance(codec, Concentrate)
    split = codec.split(capability.pesbt & mask(codec.width))
    exponent, width = split.exponent, codec.mantissa
    bounds, address = capability.decoded, capability.address
    upper = address >> (exponent + width)
    middle = address >> exponent & mask(width)
    edge = codec.edge(split.bottom)
    parts: list[Child] = [caption(f"a pointer at {address:#x}", y + 14)]
    rows = (
        ("address", upper, middle, address & mask(exponent), address, "line"),
        ("base", bounds.base >> (exponent + width), split.bottom, 0, bounds.base, "series-4"),
        ("top", bounds.top >> (exponent + width), split.top, 0, bounds.top, "series-1"),
    )
    left, columns = 70, (170, 270, 80)
    heads = (f"bits 63 to {exponent + width}", f"14 bits from bit E = {exponent}", f"{exponent} bits")
    x = float(left)
    for head, wide in zip(heads, columns, strict=True):
        parts.append(words(head, x + wide / 2, y + 36, anchor="middle", size=10, class_="muted"))
        x += wide
    for row, (name, above, mantissa, rest, value, role) in enumerate(rows):
        top = y + 42 + row * 36
        parts.append(words(name, left - 8, top + 18, anchor="end"))
        change = above - upper
        added = f"{upper:#x}" if name == "address" else f"{upper:#x} {'-' if change < 0 else '+'} {abs(change)}"
        letter = {"address": "A", "base": "B", "top": "T"}[name]
        texts = (added, f"{letter} = {binary(mantissa, width)}", binary(rest, exponent))
        x = float(left)
        for place, (text, wide) in enumerate(zip(texts, columns, strict=True)):
            parts.append(box(x, top, wide, 28, role if place == 1 else "line"))
            parts.append(code(text, x + wide / 2, top + 18, anchor="middle"))
            x += wide
        parts.append(code(f"= {value:#x}", x + 10, top + 18, size=12))
    said = [
        f"{letter} is {'below' if value < edge else 'not below'} R"
        for letter, value in (("A", middle), ("B", split.bottom), ("T", split.top))
    ]
    parts.append(words(f"R = {binary(edge, width)}:  {',  '.join(said)}", left, y + 168, size=11, class_="muted"))
    return parts


@figure("capability-region")
def region() -> Element:
    """One block in four formats: its bounds, and how far the address may leave them."""
    base, length = 0x40320000, 1 << 16
    chosen = ("128", "128m", "128r", "cheriot")
    low, high = base - length * 5 // 4, base + length * 17 // 4
    left = 10

    def at(address: int) -> float:
        return left + (address - low) * (WIDTH - 2 * left) / (high - low)

    parts: list[Child] = []
    for row, name in enumerate(chosen):
        format = FORMATS[name]
        isa = next(isa for isa in ISAS if isa.format is format)
        block = set_bounds_exactly(Capability.root(format, address=base), length, isa)
        first, last = format.bounds.reach(block.pesbt & mask(format.bounds.width), base)
        y = 22 + row * 76
        parts.append(caption(format.title, y))
        parts.append(box(at(first), y + 12, at(last) - at(first), 18, "series-2", strength=0.15, dashed=True))
        parts.append(box(at(base), y + 8, at(base + length) - at(base), 26, "series-1", strength=0.45))
        parts.append(words("bounds", at(base + length // 2), y + 25, anchor="middle", size=11))
        below, above = base - first, last - base - length
        if below:
            parts += brace(at(first), at(base), y + 36, f"{_times(below, length)} below")
        else:
            parts.append(words("nothing below", at(base) - 6, y + 25, anchor="end", size=11, class_="muted"))
        parts += brace(at(base + length), at(last), y + 36, f"{_times(above, length)} above")
    parts.append(
        words(
            "times the length; dashed: where the address may be without loss of the tag",
            left,
            22 + 4 * 76,
            size=11,
            class_="muted",
        )
    )
    text = (
        "The representable region is wider than the bounds on both sides, except on CHERIoT, where it begins at base."
    )
    return picture(parts, WIDTH, 336, "Bounds of 64 KiB, and the representable region", text)


def _times(part: int, whole: int) -> str:
    value = part / whole
    return f"{value:g} x"


@figure("capability-alignment")
def alignment() -> Element:
    """What base and length must be multiples of, against length, in every format."""
    low, high, left, right, top, bottom = 5, 24, 56, WIDTH - 104, 22, 350
    ceiling = 24

    def x(power: float) -> float:
        return left + (power - low) * (right - left) / (high - low)

    def y(power: float) -> float:
        return bottom - power * (bottom - top) / ceiling

    parts: list[Child] = [element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="panel")]
    for power in range(0, ceiling + 1, 4):
        parts.append(element("line", x1=left, y1=y(power), x2=right, y2=y(power), class_="grid"))
        parts.append(words(_bytes(1 << power), left - 6, y(power) + 4, anchor="end", size=11))
    for power in range(6, high, 3):
        parts.append(line(x(power), bottom, x(power), bottom + 4))
        parts.append(words(_bytes(1 << power), x(power), bottom + 18, anchor="middle", size=11))
    parts.append(words("length of the block", right, bottom + 36, anchor="end", size=11, class_="muted"))
    parts.append(words("base and length must be multiples of", left, 12, size=11, class_="muted"))
    looks = {
        "64": ("series-3", ""),
        "64r": ("group-0", "7 3"),
        "cheriot": ("series-4", "2 3"),
        "128": ("series-1", ""),
        "128m": ("bad", "7 3"),
    }
    for name, (role, dash) in looks.items():
        steps = [
            (low + step / 32, required_alignment(FORMATS[name], round(2 ** (low + step / 32))).bit_length() - 1)
            for step in range((high - low) * 32)
        ]
        path = [f"M{coordinate(x(steps[0][0]))} {coordinate(y(steps[0][1]))}"]
        for (_, before), (place, now) in pairwise(steps):
            if now != before:
                path.append(f"H{coordinate(x(place))}V{coordinate(y(now))}")
        path.append(f"H{coordinate(right)}")
        dashes = {"stroke_dasharray": dash} if dash else {}
        parts.append(element("path", d="".join(path), fill="none", stroke=variable(role), stroke_width=2, **dashes))
        label = {"64": "ISAv9, 64 bits", "64r": "RISC-V, 64 bits", "cheriot": "CHERIoT"}.get(name)
        label = label or {"128": "ISAv9, RISC-V", "128m": "Morello"}[name]
        parts.append(words(label, right + 6, y(steps[-1][1]) + 4, size=11))
    text = "Each doubling of the length doubles the unit; formats with longer mantissas begin later."
    return picture(parts, WIDTH, 392, "What base and length must be multiples of", text)


def _bytes(value: int) -> str:
    for unit, size in (("MiB", 1 << 20), ("KiB", 1 << 10)):
        if value >= size:
            return f"{number(value // size)} {unit}"
    return f"{value} B"
