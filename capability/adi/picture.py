"""Lines and their versions, to look at: a row of text, or an SVG drawing. Pure: strings from values."""

from __future__ import annotations

from capability.adi.mcd import load_version
from capability.adi.version import LINE, UNIVERSAL
from capability.memory import TaggedMemory
from capability.word import align_down

_WIDTH, _HEIGHT, _ROW = 28, 28, 16


def text(memory: TaggedMemory, base: int, size: int, *, row: int = _ROW) -> str:
    """The versions of the lines of a range, in hexadecimal, `row` lines a row; a dot is a line that matches everything.

    base, size: in memory; rounded outward to whole lines. row: at least 1.  Cost: O(lines).

    >>> memory = TaggedMemory()
    >>> _ = memory.set_allocation_tag(0x1000, 128, 5), memory.set_allocation_tag(0x1080, 64, 12)
    >>> print(text(memory, 0x1000, 512, row=4))
    0x1000  5 5 c .
    0x1100  . . . .
    """
    lines = range(align_down(base, LINE), base + size, LINE)
    rows = (lines[at : at + row] for at in range(0, len(lines), row))
    return "\n".join(f"{cut[0]:#x}  " + " ".join(_mark(memory, line) for line in cut) for cut in rows)


def svg(memory: TaggedMemory, base: int, size: int, *, row: int = _ROW) -> str:
    """The same as a drawing: a square a line, its colour and its number the version; white matches everything.

    >>> memory = TaggedMemory()
    >>> _ = memory.set_allocation_tag(0x1000, 64, 5)
    >>> drawing = svg(memory, 0x1000, 128)
    >>> drawing.startswith("<svg "), drawing.count("<rect "), ">5</text>" in drawing
    (True, 2, True)
    """
    lines = range(align_down(base, LINE), base + size, LINE)
    height = -(-len(lines) // row) * _HEIGHT
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{110 + row * _WIDTH}" height="{height}" role="img" '
        f'aria-label="ADI versions of the lines from {lines[0]:#x}" font-family="monospace" font-size="13">'
    ]
    for number, line in enumerate(lines):
        x, y = 100 + number % row * _WIDTH, number // row * _HEIGHT
        if number % row == 0:
            parts.append(f'<text x="0" y="{y + 19}">{line:#x}</text>')
        parts.append(
            f'<rect x="{x}" y="{y + 2}" width="{_WIDTH - 2}" height="{_HEIGHT - 4}" fill="{_colour(memory, line)}" '
            f'stroke="#444"><title>line {line:#x}, version {_version(memory, line)}</title></rect>'
            f'<text x="{x + 9}" y="{y + 19}">{_mark(memory, line)}</text>'
        )
    return "".join([*parts, "</svg>"])


def _version(memory: TaggedMemory, line: int) -> int:
    return load_version(memory, max(line, memory.base))


def _mark(memory: TaggedMemory, line: int) -> str:
    version = _version(memory, line)
    return "." if version in UNIVERSAL else f"{version:x}"


def _colour(memory: TaggedMemory, line: int) -> str:
    version = _version(memory, line)
    return "#fff" if version in UNIVERSAL else f"hsl({version * 360 // 15},60%,80%)"
