"""Pictures made of characters: tables, bars, sparklines and the heap map, for a terminal or a log."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from m4alloc.view.raster import Raster

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_LEVELS = "▁▂▃▄▅▆▇█"
_SHADES = "·░▒▓█"
SHADES = "· none  ░ to 1/4  ▒ to 1/2  ▓ to 3/4  █ more"
"""How much of a cell of `heap_map` is in use, for a legend."""


def printable(text: str) -> str:
    """The text on one line and without control characters, so that it cannot move a terminal's cursor.

    >>> printable("a\\tb\\x1b[31m")
    'a b\\ufffd[31m'
    """
    return "".join(
        " " if char.isspace() else "\ufffd" if unicodedata.category(char) in ("Cc", "Cf", "Cs") else char
        for char in text
    )


def table(rows: Sequence[Sequence[str]], header: Sequence[str] = (), *, right: Sequence[int] = ()) -> list[str]:
    """Lines of aligned columns, two spaces apart; the columns listed in `right` are set flush right.

    A header is underlined. Rows must have equal lengths. Cost: O(characters).

    >>> for line in table([["16 B", "1,204"], ["256 B", "7"]], ["size", "count"], right=[1]): print(line)
    size   count
    -----  -----
    16 B   1,204
    256 B      7
    """
    body = [[printable(cell) for cell in row] for row in rows]
    lines = [list(header), *body] if header else body
    if len({len(line) for line in lines}) > 1:
        raise ValueError("the rows of a table must have equal lengths")
    if not lines:
        return []
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    if header:
        lines.insert(1, ["-" * width for width in widths])
    return [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    ]


def bar(fraction: float, width: int = 20) -> str:
    """A horizontal bar that fills `fraction` of `width` characters, exact to an eighth of a character.

    Anything above zero shows. The fraction is clipped to [0, 1].

    >>> bar(0.5, 4), bar(1, 4), bar(0.0001, 4), bar(0, 4)
    ('██  ', '████', '▏   ', '    ')
    """
    fraction = min(1.0, max(0.0, fraction))
    eighths = round(fraction * width * 8)
    if fraction > 0:
        eighths = max(1, eighths)
    full, rest = divmod(eighths, 8)
    return ("█" * full + (_EIGHTHS[rest] if rest else "")).ljust(width)


def sparkline(values: Sequence[float], width: int = 60, high: float | None = None) -> str:
    """A line of block characters, one a value, or one a group of values (its largest) when there are too many.

    The lowest character is zero, the highest is `high`, by default the largest value.

    >>> sparkline([0, 1, 2, 4, 8]), sparkline([])
    ('▁▂▃▅█', '')
    """
    if not values:
        return ""
    if len(values) > width:
        edges = [index * len(values) // width for index in range(width + 1)]
        values = [max(values[low:up]) for low, up in pairwise(edges)]
    top = max(values) if high is None else high
    if top <= 0:
        return _LEVELS[0] * len(values)
    return "".join(_LEVELS[min(7, max(0, round(value / top * 7)))] for value in values)


def heap_map(raster: Raster) -> list[str]:
    """The grid in characters, highest address first: · is empty, then up to a quarter, half, three quarters, full.

    Each line begins with the address of its row; a line of dots stands for addresses left out.
    """
    if len(raster.axis.rows) == 0:
        return ["(no block ever lived)"]
    gaps = dict(raster.axis.gaps())
    width = len(f"{raster.axis.base(len(raster.axis.rows) - 1):#x}")
    lines = []
    for index in reversed(range(len(raster.axis.rows))):
        cells = "".join(_shade(float(value)) for value in raster.fill[index])
        lines.append(f"{raster.axis.base(index):#0{width}x}  {cells}")
        if index in gaps:
            lines.append(f"{'...':>{width}}")
    return lines


def _shade(fill: float) -> str:
    return _SHADES[0] if fill <= 0 else _SHADES[min(4, math.ceil(fill * 4))]
