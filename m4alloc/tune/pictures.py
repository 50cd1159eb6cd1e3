"""The tuner's pictures: the front of time against memory, the course of the search, and the curves of exact answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from m4alloc.bench.draw import Box, Curve, Scale, Style, drawn, frame, legend, paint, stroke, styles
from m4alloc.bench.pictures import beside
from m4alloc.tune.result import Objectives
from m4alloc.view.palette import variable
from m4alloc.view.quantity import brief, plural, ratio, significant
from m4alloc.view.svg import Child, Element, element, group, path, picture

WIDTH = 1120
MARGIN = 20
MOST_DOTS = 4000
"""Candidates drawn at most: the first ones, and then every so many."""


@dataclass(frozen=True, slots=True)
class Spot:
    """A candidate with a name in the picture; role: a colour of the palette."""

    name: str
    objectives: Objectives
    role: str = "series-1"


def pareto(seen: Sequence[Objectives], front: Sequence[Objectives], spots: Sequence[Spot], floor: float) -> Element:
    """Every candidate as a dot, the front as a line, the ones that have names; lower left is better.

    floor: security of the baseline; candidates below it are drawn hollow. Cost: O(candidates).
    """
    dots, line = [*seen[:: 1 + len(seen) // MOST_DOTS]], [*front, *(spot.objectives for spot in spots)]
    most = {axis: reach([getattr(one, axis) for one in (*dots, *line)]) for axis in ("time", "memory")}

    def near(some: Sequence[Objectives]) -> list[Objectives]:
        return [one for one in some if one.time <= most["time"] and one.memory <= most["memory"]]

    shown = near([*dots, *line])
    box = Box(70, 60, WIDTH - MARGIN, 520)
    x = Scale("modelled time, baseline = 1", *ends([one.time for one in shown]), ratio)
    y = Scale("peak memory, baseline = 1", *ends([one.memory for one in shown]), ratio)
    title = "time against memory: every candidate, and the front"
    parts: list[Child] = [element("text", title, x=60, y=24, font_weight="bold", font_size=14), *frame(box, x, y)]
    across, up = x.place(1.0, box.left, box.right), y.place(1.0, box.bottom, box.top)
    parts.append(element("line", x1=across, y1=box.top, x2=across, y2=box.bottom, class_="gap"))
    parts.append(element("line", x1=box.left, y1=up, x2=box.right, y2=up, class_="gap"))
    for one in near(dots):
        parts.append(dot(x, y, box, one, floor, 2.2, "muted"))
    edge = lower_left(near(front))
    if len(edge) > 1:
        bend = [(x.place(one.time, box.left, box.right), y.place(one.memory, box.bottom, box.top)) for one in edge]
        parts.append(path(bend, fill="none", stroke=variable("series-1"), stroke_width=1.5))
    parts += [dot(x, y, box, one, floor, 3.4, "series-1") for one in near(front)]
    places = []
    for spot in spots:
        parts.append(dot(x, y, box, spot.objectives, floor, 6, spot.role))
        at = x.place(spot.objectives.time, box.left, box.right), y.place(spot.objectives.memory, box.bottom, box.top)
        places.append((spot.name, *at))
    taken = [(a - 7, a + 7, b - 7, b + 7) for _, a, b in places]
    roles = {spot.name: spot.role for spot in spots}
    for name, left, base in beside(places, taken, box):
        parts.append(element("text", name, x=left, y=base, style=paint(roles[name])))
    beyond = len(dots) - len(near(dots))
    if beyond:
        parts.append(
            element("text", f"{plural(beyond, 'candidate')} are beyond the axes", x=box.right, y=50, text_anchor="end")
        )
    return picture(parts, WIDTH, 570, title)


def reach(values: Sequence[float]) -> float:
    """Up to where an axis goes: twice as far above 1 as three quarters of the values are, 1.2 at least.

    >>> reach([0.9, 1.0, 1.05, 90.0]), reach([0.5, 2.0, 2.0, 2.0])
    (1.2, 3.0)
    """
    order = sorted(values) or [1.0]
    return max(1.2, 1 + 2 * (order[3 * (len(order) - 1) // 4] - 1))


def dot(x: Scale, y: Scale, box: Box, one: Objectives, floor: float, radius: float, role: str) -> Element:
    """One candidate, with its numbers as a tooltip; hollow when it is less secure than `floor`."""
    across, down = x.place(one.time, box.left, box.right), y.place(one.memory, box.bottom, box.top)
    told = f"time {one.time:.3f}, memory {one.memory:.3f}, security {significant(one.security)}"
    hollow = one.security < floor - 1e-9
    looks = {"fill": "none", "stroke": variable(role)} if hollow else {"fill": variable(role)}
    return group([element("title", told), element("circle", cx=across, cy=down, r=radius, **looks)])


def ends(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis around the values and 1.

    >>> ends([0.9, 1.0])
    (0.88, 1.03)
    """
    low, high = min(1.0, *values), max(1.0, *values)
    margin = max(0.02, 0.08 * (high - low))
    return round(max(0.0, low - margin), 6), round(high + 1.5 * margin, 6)


def lower_left(front: Sequence[Objectives]) -> list[Objectives]:
    """Those that no other beats in both time and memory, by time.

    >>> [one.time for one in lower_left([Objectives(1, 1, 5), Objectives(0.9, 1.1, 5), Objectives(1.1, 1.1, 9)])]
    [0.9, 1]
    """
    found: list[Objectives] = []
    for one in sorted(front, key=lambda one: (one.time, one.memory)):
        if not found or one.memory < found[-1].memory:
            found.append(one)
    return found


def course(title: str, label: str, curves: Mapping[str, Sequence[tuple[float, float]]]) -> Element:
    """How far each method has come after so many evaluations: one line a method; `label` names what is counted up."""
    looks: dict[str, Style] = styles(list(curves))
    points = [point for one in curves.values() for point in one]
    key, top = legend(list(curves), looks, 60, 50, WIDTH - 80)
    box = Box(70, top + 30, WIDTH - MARGIN, top + 350)
    most = max((across for across, _ in points), default=1.0)
    heights = [up for _, up in points] or [0.0, 1.0]
    low, high = min(heights), max(heights)
    room = 0.08 * (high - low) or 0.01
    x = Scale("evaluations", 0.0, max(1.0, most), lambda value: f"{value:.0f}")
    y = Scale(label, low - room, high + room, lambda value: brief(significant(value)))
    parts: list[Child] = [element("text", title, x=60, y=24, font_weight="bold", font_size=14), key, *frame(box, x, y)]
    parts += drawn(box, x, y, [Curve(name, one, marker=False) for name, one in curves.items()], looks)
    return picture(parts, WIDTH, box.bottom + 44, title)


@dataclass(frozen=True, slots=True)
class Panel:
    """One curve of exact answers. now: where the baseline stands, best: the optimum, as x; None: not in it."""

    title: str
    x: Scale
    y: Scale
    points: Sequence[tuple[float, float]]
    now: float | None = None
    best: float | None = None


def panels(title: str, shown: Sequence[Panel], columns: int = 3) -> Element:
    """The curves side by side, with a line where today's strategy stands and one at the optimum."""
    columns = min(columns, max(1, len(shown)))
    pitch = (WIDTH - 2 * MARGIN) / columns
    tall, step = 190, 276
    parts: list[Child] = [element("text", title, x=MARGIN, y=24, font_weight="bold", font_size=14)]
    looks = {"curve": Style("series-1")}
    for index, one in enumerate(shown):
        row, column = divmod(index, columns)
        left, top = MARGIN + column * pitch, 44 + row * step
        box = Box(left + 62, top + 40, left + pitch - 14, top + 40 + tall)
        parts += frame(box, one.x, one.y, one.title, limit=5)
        parts += drawn(box, one.x, one.y, [Curve("curve", one.points, marker=len(one.points) < 24)], looks)
        for at, role, word, shift in ((one.now, "bad", "now", 12), (one.best, "good", "best", 26)):
            if at is not None:
                across = one.x.place(at, box.left, box.right)
                parts.append(stroke(across, box.top, across, box.bottom, role))
                right = across < box.right - 40
                anchor = "start" if right else "end"
                parts.append(
                    element(
                        *("text", word),
                        x=across + (4 if right else -4),
                        y=box.top + shift,
                        text_anchor=anchor,
                        style=paint(role),
                        class_="small",
                    )
                )
    rows = -(-len(shown) // columns)
    return picture(parts, WIDTH, 44 + rows * step + 4, title)
