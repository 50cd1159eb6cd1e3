"""Panels for pictures: an axis that is linear or logarithmic, lines with markers, points, grouped bars, a legend."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from m4alloc.view import ticks
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, element, group, path

CHARACTER = 6.6
"""Width of a character of the pictures' font, on average."""


@dataclass(frozen=True, slots=True)
class Style:
    """How one allocator looks in every picture: a colour, and a dash for lines."""

    role: str
    dash: str = "none"


KNOWN = {
    "glibc": Style("muted", "3 2"),
    "m4alloc": Style("series-1"),
    "m4alloc:hardened": Style("series-2", "6 3"),
    "m4alloc:sampled": Style("group-0", "6 3"),
    "mimalloc": Style("series-3"),
    "jemalloc": Style("group-7"),
    "tcmalloc": Style("series-4"),
}
"""Those that look the same in every report."""
OTHERS = ("group-6", "group-4", "group-2", "group-5", "group-1", "group-3")


def styles(names: Sequence[str]) -> dict[str, Style]:
    """Every allocator's looks: those of the known ones, and one after the other for the rest.

    >>> styles(["glibc", "m4alloc", "mine"])["mine"]
    Style(role='group-6', dash='2 2')
    """
    others = [name for name in names if name not in KNOWN]
    return {name: KNOWN[name] for name in names if name in KNOWN} | {
        name: Style(OTHERS[index % len(OTHERS)], "2 2") for index, name in enumerate(others)
    }


@dataclass(frozen=True, slots=True)
class Scale:
    """An axis from low to high, low < high; base 0: linear, else logarithmic with ticks at powers of the base."""

    label: str
    low: float
    high: float
    show: Callable[[float], str]
    base: int = 0

    def place(self, value: float, start: float, stop: float) -> float:
        """The coordinate of a value when low is drawn at `start` and high at `stop`; kept within the two."""
        if self.base:
            value, low, high = math.log(max(value, 1e-300)), math.log(self.low), math.log(self.high)
        else:
            low, high = self.low, self.high
        part = min(1.0, max(0.0, (value - low) / (high - low)))
        return start + part * (stop - start)

    def ticks(self, limit: int = 6) -> list[float]:
        """Round positions, at most about `limit`.

        >>> Scale("", 0.5, 2000, str, 10).ticks(), Scale("", 1, 8, str, 2).ticks(), Scale("", 2, 9, str, 10).ticks()
        ([1, 10, 100, 1000], [1, 2, 4, 8], [2, 5])
        """
        if not self.base:
            return list(ticks.linear(self.low, self.high, max(5, limit)))
        first = math.ceil(math.log(self.low, self.base) - 1e-9)
        last = math.floor(math.log(self.high, self.base) + 1e-9)
        if self.base == 10 and last - first < 2:
            steps = [part * 10**power for power in range(first - 1, last + 1) for part in (1, 2, 5)]
            return [step for step in steps if self.low <= step * (1 + 1e-9) and step <= self.high * (1 + 1e-9)]
        every = 1 + max(0, last - first) // limit
        return [self.base**power for power in range(first, last + 1, every)]


def around(values: Sequence[float], base: int) -> tuple[float, float]:
    """The ends of an axis that holds all values, with a little room; of a logarithmic one when base is not 0.

    >>> around([1.0, 100.0], 10), around([0.0, 9.0], 0)
    ((0.8, 125.0), (0.0, 10.0))
    """
    if not base:
        return 0.0, ticks.ceiling(max(values, default=0.0))
    known = [value for value in values if value > 0] or [1.0]
    low, high = min(known) * 0.8, max(known) * 1.25
    return low, high


@dataclass(frozen=True, slots=True)
class Curve:
    """One allocator's points, joined when `line`; spread: low and high of each, drawn as a bar."""

    name: str
    points: Sequence[tuple[float, float]]
    spread: Sequence[tuple[float, float]] = ()
    line: bool = True
    marker: bool = True


@dataclass(frozen=True, slots=True)
class Box:
    """Where the inside of a panel is."""

    left: float
    top: float
    right: float
    bottom: float


def frame(
    box: Box, x: Scale | None, y: Scale, title: str = "", *, x_ticks: Sequence[float] = (), limit: int = 6
) -> list[Child]:
    """The panel's ground, its grid, its numbers and its labels; x: None for none; x_ticks: instead of round ones."""
    parts: list[Child] = [
        element("rect", x=box.left, y=box.top, width=box.right - box.left, height=box.bottom - box.top, class_="panel")
    ]
    for value in y.ticks(limit):
        at = y.place(value, box.bottom, box.top)
        parts.append(element("line", x1=box.left, y1=at, x2=box.right, y2=at, class_="grid"))
        parts.append(element("text", y.show(value), x=box.left - 6, y=at + 4, text_anchor="end", class_="small"))
    parts.append(element("line", x1=box.left, y1=box.bottom, x2=box.right, y2=box.bottom, class_="axis"))
    if x is not None:
        for value in x_ticks or x.ticks(limit):
            at = x.place(value, box.left, box.right)
            parts.append(element("line", x1=at, y1=box.bottom, x2=at, y2=box.bottom + 4, class_="axis"))
            parts.append(element("text", x.show(value), x=at, y=box.bottom + 16, text_anchor="middle", class_="small"))
        parts.append(element("text", x.label, x=box.right, y=box.bottom + 31, text_anchor="end", class_="muted small"))
    if title:
        parts.append(element("text", title, x=box.left, y=box.top - 20, font_weight="bold"))
    parts.append(element("text", y.label, x=box.left - 6, y=box.top - 7, class_="muted small"))
    return parts


def drawn(box: Box, x: Scale, y: Scale, curves: Sequence[Curve], looks: dict[str, Style]) -> list[Child]:
    """The curves inside a panel."""
    parts: list[Child] = []
    for curve in curves:
        look = looks[curve.name]
        spots = [(x.place(a, box.left, box.right), y.place(b, box.bottom, box.top)) for a, b in curve.points]
        if curve.line and len(spots) > 1:
            parts.append(
                path(spots, fill="none", stroke=variable(look.role), stroke_width=1.75, stroke_dasharray=look.dash)
            )
        for (across, _), (low, high) in zip(spots, curve.spread, strict=False):
            ends = y.place(low, box.bottom, box.top), y.place(high, box.bottom, box.top)
            parts += error_bar(across, *ends, role=look.role)
        if curve.marker:
            for (across, down), (a, b) in zip(spots, curve.points, strict=True):
                told = element("title", f"{curve.name}: {x.show(a)}, {y.show(b)}")
                parts.append(group([told, element("circle", cx=across, cy=down, r=3.2, fill=variable(look.role))]))
    return parts


def paint(role: str) -> str:
    """The style of a text in a role's colour; a page's own style for text would win against a fill attribute.

    >>> paint("bad")
    'fill:var(--bad)'
    """
    return f"fill:{variable(role)}"


def stroke(x1: float, y1: float, x2: float, y2: float, role: str = "ink") -> Element:
    """A thin line."""
    return element("line", x1=x1, y1=y1, x2=x2, y2=y2, stroke=variable(role), stroke_width=1)


def error_bar(across: float, one: float, other: float, role: str = "ink") -> list[Child]:
    """A vertical bar from one height to the other, with short ends."""
    return [
        stroke(across, one, across, other, role),
        stroke(across - 2, one, across + 2, one, role),
        stroke(across - 2, other, across + 2, other, role),
    ]


def legend(names: Sequence[str], looks: dict[str, Style], x: float, y: float, width: float) -> tuple[Element, float]:
    """Patches of colour with the allocators' names, in as many lines as they need; and where they end."""
    parts: list[Child] = []
    left = x
    for name in names:
        wide = 34 + CHARACTER * len(name)
        if x > left and x + wide > left + width:
            x, y = left, y + 18
        parts.append(element("rect", x=x, y=y - 9, width=11, height=11, rx=2, fill=variable(looks[name].role)))
        parts.append(element("text", name, x=x + 16, y=y + 1))
        x += wide
    return group(parts), y
