"""The heap at one call in characters, for a terminal or a log."""

from __future__ import annotations

import textwrap

from m4alloc.view.heap_at import Axis
from m4alloc.view.quantity import plural
from m4alloc.view.scene import Scene, Shape, State, offsets, stretches
from m4alloc.view.text import printable, table

_BAR = 48
_NAME = 12


def heap_at_text(scene: Scene, *, width: int = 100) -> list[str]:
    """The scene as lines: a row for each block with a bar along the addresses, then what is shared, and the script.

    In the bars `#` is a byte requested, `+` a usable byte beyond, `-` a byte of a freed block, `=` the reply, `X` a
    byte shared, `!` an address that a mark points at; widths are not to scale.
    width: characters of a line, 60 or more.  Cost: O(n^2) in the few blocks drawn.

    >>> scene = Scene("result-disjoint", "", "", "", "b = malloc 24", "returned NULL", (Shape("a", 0x1000, 8, 16),))
    >>> print(heap_at_text(scene)[2])
    0x1000  ########################++++++++++++++++++++++++  a  8 bytes, 16 usable
    """
    near = scene.near()
    drawn = [*near, *([scene.reply] if scene.reply is not None else [])]
    lines = [printable(f"{scene.rule}: {scene.call} {scene.said}"), ""]
    parts = stretches(drawn, scene.marks)
    if parts:
        axis = Axis(parts, 0, _BAR)
        rows = [
            [f"{shape.base:#x}", _bar(scene, shape, axis), shape.name[:_NAME], _about(scene, shape)] for shape in drawn
        ]
        lines += table(rows)
        lines.append("")
    for block, low, high in scene.overlaps():
        if scene.reply is not None:
            are = "is" if high - low == 1 else "are"
            lines += [f"{offsets(block, low, high)} {are} {offsets(scene.reply, low, high)}", ""]
    for mark in scene.marks:
        lines.append(f"{mark.address:#x}: {mark.text}")
    lines += [""] if scene.marks else []
    others = len(scene.live) - sum(shape.state is not State.FREED for shape in near)
    lines += [f"and {plural(others, 'other live block')}", ""] if others else []
    for line in scene.lines:
        lines.append(printable(f"{'>' if line.broke else ' '}{line.number:>5}  {line.text}")[:width])
    lines.append("")
    for text in (scene.message, f"{scene.sentence} ({scene.clause})"):
        lines += textwrap.wrap(printable(text), width) if text.strip(" ()") else []
    return lines


def _bar(scene: Scene, shape: Shape, axis: Axis) -> str:
    """Where a block lies along the axis."""
    reply = shape is scene.reply
    cells = [" "] * _BAR
    middle = min(shape.base + shape.size, shape.top)
    for low, high, sign in (
        (shape.base, middle, "=" if reply else "-" if shape.state is State.FREED else "#"),
        (middle, shape.top, "-" if shape.state is State.FREED else "+"),
        *((low, high, "X") for block, low, high in scene.overlaps() if reply or block is shape),
        *((mark.address, mark.address + 1, "!") for mark in scene.marks if mark.byte),
    ):
        first, last = round(axis.place(low)), round(axis.place(high))
        if shape.base <= low < shape.top and low < high:
            first = min(first, _BAR - 1)
            cells[first : max(last, first + 1)] = sign * (max(last, first + 1) - first)
    return "".join(cells)


def _about(scene: Scene, shape: Shape) -> str:
    """A block in words."""
    words = [plural(shape.size, "byte")]
    words += [f"{shape.extent:,d} usable"] if shape.slack > 0 else []
    words += ["the reply"] if shape is scene.reply else []
    words += [shape.state.value] if shape.state is not State.LIVE else []
    words += ["harmed"] if shape.harmed else []
    return ", ".join(words)
