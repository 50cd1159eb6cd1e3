"""What the figures of the hardware chapters are drawn with: boxes with words in them, arrows, braces, marks.

Everything is in picture units, of which the column of text has about 740. No meaning is carried by colour alone.
"""

from __future__ import annotations

from collections.abc import Sequence

from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, coordinate, element

WIDTH = 740
LETTER = 6.2
"""Width of a letter of 12 units' height, on average."""


def words(text: str, x: float, y: float, *, anchor: str = "start", size: float = 12, **more: str) -> Element:
    """A line of text whose baseline is at y; anchor: start, middle or end. more: attributes, as `class_="muted"`."""
    if size != 12:
        more["style"] = f"font-size:{coordinate(size)}px;{more.get('style', '')}"
    return element("text", text, x=x, y=y, text_anchor=anchor, **more)


def code(text: str, x: float, y: float, *, anchor: str = "start", size: float = 11, **more: str) -> Element:
    """The same in a fixed pitch, for addresses and bits."""
    return words(
        text, x, y, anchor=anchor, size=size, style="font-family:ui-monospace,DejaVu Sans Mono,monospace", **more
    )


def box(
    x: float,
    y: float,
    width: float,
    height: float,
    role: str = "line",
    *,
    strength: float = 0.25,
    dashed: bool = False,
    title: str = "",
) -> Element:
    """A rectangle with a frame of a role's colour and a fill that leaves text readable.

    strength: of the fill, 0 to 1. dashed: of the frame. title: what a reader who points at it is told.
    """
    colour = variable(role)
    inside: list[Child] = [element("title", title)] if title else []
    pattern = {"stroke_dasharray": "4 3"} if dashed else {}
    return element(
        "rect",
        inside,
        x=x,
        y=y,
        width=width,
        height=height,
        fill=colour,
        fill_opacity=strength,
        stroke=colour,
        **pattern,
    )


def cell(
    x: float, y: float, width: float, height: float, text: str, role: str = "line", *, size: float = 12, **how: object
) -> list[Child]:
    """A box with one line of text in its middle.  how: as of `box`."""
    frame = box(x, y, width, height, role, **how)  # type: ignore[arg-type]
    return [frame, words(text, x + width / 2, y + height / 2 + size * 0.36, anchor="middle", size=size)]


def line(
    x1: float, y1: float, x2: float, y2: float, role: str = "muted", *, thick: float = 1, dashes: str = ""
) -> Element:
    """A straight line; dashes: as SVG's stroke-dasharray, or none."""
    pattern = {"stroke_dasharray": dashes} if dashes else {}
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=variable(role), stroke_width=thick, **pattern)


def arrow(points: Sequence[tuple[float, float]], role: str = "muted", *, dashed: bool = False) -> list[Child]:
    """A path through the points with a head at the last one; at least two points."""
    (x0, y0), (x1, y1) = points[-2:]
    length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5
    dx, dy = (x1 - x0) / length, (y1 - y0) / length
    shaft = [*points[:-1], (x1 - 5 * dx, y1 - 5 * dy)]
    steps = "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in shaft)
    head = [(x1, y1), (x1 - 8 * dx - 4 * dy, y1 - 8 * dy + 4 * dx), (x1 - 8 * dx + 4 * dy, y1 - 8 * dy - 4 * dx)]
    tip = "L".join(f"{coordinate(x)} {coordinate(y)}" for x, y in head)
    pattern = {"stroke_dasharray": "4 3"} if dashed else {}
    colour = variable(role)
    return [
        element("path", d=f"M{steps}", fill="none", stroke=colour, stroke_width=1.25, **pattern),
        element("path", d=f"M{tip}Z", fill=colour),
    ]


def brace(left: float, right: float, y: float, text: str, *, below: bool = True) -> list[Child]:
    """A bracket under (or over) a stretch, with what it measures."""
    depth = 5 if below else -5
    steps = [(left, y), (left, y + depth), (right, y + depth), (right, y)]
    path = "L".join(f"{coordinate(x)} {coordinate(at)}" for x, at in steps)
    return [
        element("path", d=f"M{path}", fill="none", stroke=variable("muted")),
        words(text, (left + right) / 2, y + (18 if below else -9), anchor="middle", size=11, class_="muted"),
    ]


def caption(text: str, y: float, x: float = 0) -> Element:
    """A heading of a part of a figure."""
    return words(text, x, y, size=13, style="font-weight:600")


def binary(value: int, width: int) -> str:
    """So many bits of a number, grouped in fours from the right.

    >>> binary(0b1011101, 7)
    '101 1101'
    """
    digits = f"{value:0{width}b}"
    first = width % 4
    groups = [digits[:first], *(digits[at : at + 4] for at in range(first, width, 4))]
    return " ".join(group for group in groups if group)
