"""Charts as SVG: curves over a common axis, and bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from m4alloc.view import ticks
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, element, group, path, picture

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 84, 16, 34, 42
"""Room, in picture units, for the tick labels, the legend above and the axis label below."""


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from `low` to `high` with a label and a way to write its numbers; of things that are counted (`whole`),
    only whole numbers are written."""

    label: str
    low: float
    high: float
    show: Callable[[float], str]
    whole: bool = False

    def place(self, value: float, start: float, stop: float) -> float:
        """The coordinate of `value` when low is drawn at `start` and high at `stop`."""
        return start + (value - self.low) / (self.high - self.low) * (stop - start)


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: a label, a colour role, one value for each x, drawn as a filled area or as a line."""

    label: str
    role: str
    values: Sequence[float]
    kind: Literal["area", "line"] = "area"


@dataclass(frozen=True, slots=True)
class Mark:
    """A vertical line at an x with a word beside it."""

    x: float
    label: str


def curves(
    title: str,
    xs: Sequence[float],
    series: Sequence[Series],
    x_axis: Axis,
    y_axis: Axis,
    *,
    height: int = 300,
    marks: Sequence[Mark] = (),
    description: str = "",
) -> Element:
    """Curves over one x axis; the series given first is drawn first, so give the largest area first.

    Every series has one value for each x; xs rise. Cost: O(points).
    """
    if any(len(one.values) != len(xs) for one in series):
        raise ValueError("each series needs exactly one value for each x")
    right, bottom = WIDTH - RIGHT, height - BOTTOM
    parts: list[Child] = [element("rect", x=LEFT, y=TOP, width=right - LEFT, height=bottom - TOP, class_="panel")]
    parts += _grid(x_axis, y_axis, right, bottom)
    across = [x_axis.place(x, LEFT, right) for x in xs]
    for one in series:
        line = list(zip(across, (y_axis.place(y, bottom, TOP) for y in one.values), strict=True))
        if not line:
            continue
        if one.kind == "area":
            outline = [(line[0][0], float(bottom)), *line, (line[-1][0], float(bottom))]
            parts.append(path(outline, close=True, fill=variable(one.role)))
        else:
            parts.append(path(line, fill="none", stroke=variable(one.role), stroke_width=1.75, stroke_linejoin="round"))
    for mark in marks:
        parts += _mark(mark, x_axis, right, bottom)
    parts.append(element("line", x1=LEFT, y1=bottom, x2=right, y2=bottom, class_="axis"))
    parts.append(legend([(one.label, one.role) for one in series], LEFT, 16))
    parts.append(element("text", y_axis.label, x=LEFT - 8, y=16, text_anchor="end", class_="muted"))
    return picture(parts, WIDTH, height, title, description)


def _grid(x_axis: Axis, y_axis: Axis, right: int, bottom: int) -> list[Child]:
    parts: list[Child] = []
    for value in ticks.linear(y_axis.low, y_axis.high, 6):
        y = y_axis.place(value, bottom, TOP)
        parts.append(element("line", x1=LEFT, y1=y, x2=right, y2=y, class_="grid"))
        parts.append(element("text", y_axis.show(value), x=LEFT - 8, y=y + 4, text_anchor="end"))
    parts += x_labels(x_axis, LEFT, right, bottom)
    return parts


def x_labels(axis: Axis, left: float, right: float, bottom: float) -> list[Child]:
    """Ticks, numbers and the label of a horizontal axis drawn from `left` to `right` at the height `bottom`."""
    parts: list[Child] = []
    for value in ticks.linear(axis.low, axis.high, 9):
        if axis.whole and not value.is_integer():
            continue
        x = axis.place(value, left, right)
        # A number centred at the very end would stick out of the picture.
        anchor = "end" if x > right - 20 else "middle"
        parts.append(element("line", x1=x, y1=bottom, x2=x, y2=bottom + 4, class_="axis"))
        parts.append(element("text", axis.show(value), x=x, y=bottom + 17, text_anchor=anchor))
    parts.append(element("text", axis.label, x=right, y=bottom + 35, text_anchor="end", class_="muted"))
    return parts


def _mark(mark: Mark, axis: Axis, right: int, bottom: int) -> list[Child]:
    x = axis.place(mark.x, LEFT, right)
    end = x > (LEFT + right) / 2
    return [
        element("line", x1=x, y1=TOP, x2=x, y2=bottom, class_="mark"),
        element("text", mark.label, x=x + (-6 if end else 6), y=TOP + 13, text_anchor="end" if end else "start"),
    ]


def legend(entries: Sequence[tuple[str, str]], x: float, y: float) -> Element:
    """A row of colour patches with their words, from (x, y) rightwards."""
    parts: list[Child] = []
    for label, role in entries:
        patch = element("rect", x=x, y=y - 9, width=11, height=11, rx=2, fill=variable(role))
        parts += [patch, element("text", label, x=x + 16, y=y + 1)]
        x += 34 + 6.6 * len(label)
    return group(parts)


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its name under the axis, its length, and what to say about it."""

    label: str
    value: float
    note: str
    role: str = "series-1"


def bars(title: str, entries: Sequence[Bar], x_label: str, y_axis: Axis, *, height: int = 240) -> Element:
    """Upright bars side by side, the value's note as a tooltip; every second label is dropped when they crowd.

    A value above zero is always at least one unit high, so that it shows. Cost: O(bars).
    """
    right, bottom = WIDTH - RIGHT, height - BOTTOM
    parts: list[Child] = [element("rect", x=LEFT, y=TOP, width=right - LEFT, height=bottom - TOP, class_="panel")]
    for value in ticks.linear(y_axis.low, y_axis.high, 5):
        y = y_axis.place(value, bottom, TOP)
        parts.append(element("line", x1=LEFT, y1=y, x2=right, y2=y, class_="grid"))
        parts.append(element("text", y_axis.show(value), x=LEFT - 8, y=y + 4, text_anchor="end"))
    pitch = (right - LEFT) / max(1, len(entries))
    every = 1 + int(max((len(bar.label) for bar in entries), default=1) * 7 / pitch)
    for index, bar in enumerate(entries):
        middle = LEFT + (index + 0.5) * pitch
        if bar.value > 0:
            top = min(y_axis.place(bar.value, bottom, TOP), bottom - 1)
            width = min(pitch * 0.72, 56)
            rectangle = element(
                "rect", x=middle - width / 2, y=top, width=width, height=bottom - top, fill=variable(bar.role)
            )
            parts.append(group([element("title", f"{bar.label}: {bar.note}"), rectangle]))
        if index % every == 0:
            parts.append(element("text", bar.label, x=middle, y=bottom + 17, text_anchor="middle", class_="small"))
    parts.append(element("line", x1=LEFT, y1=bottom, x2=right, y2=bottom, class_="axis"))
    parts.append(element("text", x_label, x=right, y=bottom + 35, text_anchor="end", class_="muted"))
    parts.append(element("text", y_axis.label, x=LEFT, y=16))
    return picture(parts, WIDTH, height, title)
