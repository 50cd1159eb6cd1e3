"""Figures of the chapter on choosing a strategy: holes, size classes, what waiting costs, and a Pareto front."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import log2
from pathlib import Path
from typing import TYPE_CHECKING

from docs.figures import figure
from docs.figures_hardware_draw import WIDTH, box, brace, caption, line, words
from m4alloc.strategy import Strategy
from m4alloc.view.palette import variable
from m4alloc.view.svg import Child, Element, coordinate, element, path, picture
from spec.allocator import ReferenceAllocator
from spec.event import Event, Function
from spec.policy import FirstFit

if TYPE_CHECKING:
    from m4alloc.tune.result import Objectives
    from m4alloc.tune.search import Campaign
    from m4alloc.tune.workload import Workload

EXCERPTS = Path(__file__).resolve().parent.parent / "benchmarks" / "traces" / "excerpts"
CAPACITY, BASE = 512, 0x1000


@cache
def recorded(name: str) -> Workload:
    """The bundled excerpt of a recorded program, some tens of thousands of calls.  Needs numba.

    >>> len(recorded("sqlite3"))
    20547
    """
    from m4alloc.tune.workload import load

    return load(EXCERPTS / f"{name}.m4t.xz")[0]


def holes() -> tuple[ReferenceAllocator, list[tuple[int, int]], int]:
    """Eight blocks of 64 bytes, every other one freed: the heap, its free ranges, and what a request of 128 gets.

    >>> holes()[1:]
    ([(4096, 4160), (4224, 4288), (4352, 4416), (4480, 4544)], 0)
    """
    heap = ReferenceAllocator(FirstFit(), capacity=CAPACITY, base=BASE)
    blocks = [heap.request(Event(Function.MALLOC, size=64)).result for _ in range(8)]
    for block in blocks[::2]:
        heap.request(Event(Function.FREE, address=block))
    return heap, [(one.base, one.top) for one in heap.free], heap.request(Event(Function.MALLOC, size=128)).result


@figure("strategy-holes")
def fragments() -> Element:
    """External and internal fragmentation: the same 512 bytes, in two ways useless."""
    unit = (WIDTH - 2) / CAPACITY
    _, free, refused = holes()
    if refused:
        raise AssertionError("four holes of 64 bytes hold no block of 128")
    parts: list[Child] = [caption("between blocks: four holes of 64 bytes, and no place for 128", 14)]
    for place in range(8):
        at = BASE + 64 * place
        hole = any(base <= at < top for base, top in free)
        x = 1 + place * 64 * unit
        parts.append(box(x, 24, 64 * unit, 34, "line" if hole else "series-1", dashed=hole))
        text = "free" if hole else "64 bytes"
        parts.append(words(text, x + 32 * unit, 45, anchor="middle", size=11))
    parts.append(caption("inside blocks: three requests of 72 bytes in slots of 128", 96))
    slot = 128
    for place in range(4):
        x = 1 + place * slot * unit
        parts.append(box(x, 106, slot * unit, 34, "line", dashed=place == 3))
        if place < 3:
            parts.append(box(x, 106, 72 * unit, 34, "series-1"))
            parts.append(words("72 bytes", x + 36 * unit, 127, anchor="middle", size=11))
            parts.append(words("56 wasted", x + 100 * unit, 127, anchor="middle", size=11))
        else:
            parts.append(words("a free slot", x + 64 * unit, 127, anchor="middle", size=11))
    parts += brace(1, 1 + slot * unit, 143, "one slot")
    text = "Above, half of the memory is free and a request is refused; below, no request is, and bytes are wasted."
    return picture(parts, WIDTH, 168, "Two kinds of fragmentation", text)


class Axes:
    """A frame for curves: x is logarithmic to base 2, y linear or the same."""

    def __init__(self, x: tuple[float, float], y: tuple[float, float], *, logarithmic: bool = False) -> None:
        self.left, self.right, self.top, self.bottom = 62.0, WIDTH - 150.0, 24.0, 280.0
        self._x, self._y, self._logarithmic = x, y, logarithmic

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where a point is drawn."""
        low, high, value = *self._y, y
        if self._logarithmic:
            low, high, value = log2(low), log2(high), log2(value)
        across = log2(x / self._x[0]) / log2(self._x[1] / self._x[0])
        return (
            self.left + across * (self.right - self.left),
            self.bottom - (value - low) / (high - low) * (self.bottom - self.top),
        )

    def frame(self, x: Sequence[tuple[float, str]], y: Sequence[tuple[float, str]], below: str) -> list[Child]:
        """Panel, grid, and the names of the ticks; below: what x is."""
        wide, high = self.right - self.left, self.bottom - self.top
        parts: list[Child] = [element("rect", x=self.left, y=self.top, width=wide, height=high, class_="panel")]
        for value, name in y:
            _, at = self.at(self._x[0], value)
            parts.append(element("line", x1=self.left, y1=at, x2=self.right, y2=at, class_="grid"))
            parts.append(words(name, self.left - 6, at + 4, anchor="end", size=11))
        for value, name in x:
            along, _ = self.at(value, self._y[0])
            parts.append(line(along, self.bottom, along, self.bottom + 4))
            parts.append(words(name, along, self.bottom + 18, anchor="middle", size=11))
        parts.append(words(below, self.right, self.bottom + 36, anchor="end", size=11, class_="muted"))
        return parts

    def curve(self, points: Sequence[tuple[float, float]], role: str, dashes: str) -> Element:
        """A line through points."""
        steps = "L".join(f"{coordinate(a)} {coordinate(b)}" for a, b in (self.at(*point) for point in points))
        more = {"stroke_dasharray": dashes} if dashes else {}
        return element("path", d=f"M{steps}", fill="none", stroke=variable(role), stroke_width=2, **more)

    def key(self, row: int, name: str, role: str, dashes: str) -> list[Child]:
        """One line of the legend, at the right."""
        y = self.top + 16 + row * 22
        return [
            line(self.right + 10, y - 4, self.right + 36, y - 4, role, thick=2, dashes=dashes),
            words(name, self.right + 42, y, size=11),
        ]


PROGRAMS = (
    ("python", "series-1", ""),
    ("redis", "bad", "7 3"),
    ("perl", "series-4", "2 3"),
    ("sqlite3", "series-3", "9 3 2 3"),
)


@figure("strategy-classes")
def classes() -> Element:
    """The least waste for every number of size classes, and what the default's forty waste, of four programs."""
    from m4alloc.tune.curves import Demand, class_curve

    most, default = 40, Strategy().classes
    axes = Axes((1, 64), (0, 1))
    parts = axes.frame(
        [(float(k), str(k)) for k in (1, 2, 4, 8, 16, 32)],
        [(k / 4, f"{k * 25} %") for k in range(5)],
        "size classes",
    )
    parts.append(words("bytes of live slots that nobody asked for", 0, 12, size=11, class_="muted"))
    for row, (name, role, dashes) in enumerate(PROGRAMS):
        demand = Demand.of(recorded(name))
        curve = class_curve(demand, most)
        parts.append(axes.curve([(k, curve.share(k)) for k in range(1, most + 1)], role, dashes))
        x, y = axes.at(len(default), demand.share(default))
        parts.append(element("circle", cx=x, cy=y, r=4, fill=variable("page"), stroke=variable(role), stroke_width=2))
        parts += axes.key(row, name, role, dashes)
    y = axes.top + 16 + len(PROGRAMS) * 22
    parts.append(element("circle", cx=axes.right + 23, cy=y - 4, r=4, fill="none", stroke=variable("ink")))
    parts.append(words("the default's 40", axes.right + 42, y, size=11))
    text = "Each curve falls steeply and then hardly at all; the default's forty classes lie a little above its end."
    return picture(parts, WIDTH, 322, "Waste against the number of size classes", text)


@figure("strategy-waiting")
def waiting() -> Element:
    """What it costs that every freed block waits for so many frees: the bytes of one queue, of four programs."""
    from m4alloc.tune.curves import quarantine_curve

    axes = Axes((1, 4096), (32, 1 << 23), logarithmic=True)
    names = {32: "32 B", 1024: "1 KiB", 1 << 15: "32 KiB", 1 << 20: "1 MiB", 1 << 23: "8 MiB"}
    parts = axes.frame(
        [(float(k), str(k)) for k in (1, 4, 16, 64, 256, 1024, 4096)],
        [(float(size), name) for size, name in names.items()],
        "frees that every freed block waits for, at least",
    )
    parts.append(words("bytes that must wait in one queue", 0, 12, size=11, class_="muted"))
    for row, (name, (_, role, dashes)) in enumerate(zip(("python", "gcc", "search", "redis"), PROGRAMS, strict=True)):
        needed = [(window, size) for window, size in quarantine_curve(recorded(name)).needed if window <= 4096]
        parts.append(axes.curve(needed, role, dashes))
        parts += axes.key(row, name, role, dashes)
    text = "Twice the window takes about twice the bytes; one large block raises a whole curve."
    return picture(parts, WIDTH, 322, "What a quarantine costs, against what it promises", text)


@cache
def campaign() -> Campaign:
    """The chapter's search: eighty candidates for the recorded search program, above the default's floor."""
    from m4alloc.tune.evaluate import Evaluator
    from m4alloc.tune.exact import exact
    from m4alloc.tune.search import search
    from m4alloc.tune.security import Floor
    from m4alloc.tune.space import Space

    work = recorded("search")
    space = Space.of(exact(work).suggestions(), allowed=Floor.of("default").admits)
    return search(space, Evaluator((work,)), budget=80, seed=1, workers=1)


MOST = 1.12
"""Where the axes of the front end."""


def security_of_default() -> float:
    """The score of the default strategy."""
    from m4alloc.tune.security import Security

    return Security.of(Strategy()).score


@figure("strategy-front")
def front() -> Element:
    """Every candidate of a search as time against memory, and those that no other beats in both."""
    found = campaign()
    seen = [one.objectives for one in found.evaluations if not one.failed]
    shown = [one for one in seen if one.time <= MOST and one.memory <= MOST]
    left, right, top, bottom = 62.0, WIDTH - 190.0, 24.0, 330.0
    low, double = 0.94, 2 * security_of_default()

    def at(time: float, memory: float) -> tuple[float, float]:
        wide = MOST - low
        return left + (time - low) / wide * (right - left), bottom - (memory - low) / wide * (bottom - top)

    parts: list[Child] = [element("rect", x=left, y=top, width=right - left, height=bottom - top, class_="panel")]
    for k in (95, 100, 105, 110):
        (x, _), (_, y) = at(k / 100, 1), at(1, k / 100)
        parts.append(element("line", x1=left, y1=y, x2=right, y2=y, class_="grid"))
        parts.append(element("line", x1=x, y1=top, x2=x, y2=bottom, class_="grid"))
        parts.append(words(f"{k / 100:.2f}", left - 6, y + 4, anchor="end", size=11))
        parts.append(words(f"{k / 100:.2f}", x, bottom + 16, anchor="middle", size=11))
    parts.append(words("modelled time, the default is 1", right, bottom + 34, anchor="end", size=11, class_="muted"))
    parts.append(words("peak memory, the default is 1", 0, 12, size=11, class_="muted"))
    edge = sorted({(one.time, one.memory) for one in seen if not any(_beats(other, one) for other in seen)})
    parts.append(path([at(*one) for one in edge], fill="none", stroke=variable("series-1"), stroke_width=1.5))
    for one in shown:
        x, y = at(one.time, one.memory)
        lies = (one.time, one.memory) in edge
        role, radius = ("series-1", 4.0) if lies else ("muted", 2.5)
        if one.security >= double:
            parts.append(element("circle", cx=x, cy=y, r=7, fill="none", stroke=variable("good"), stroke_width=1.5))
        parts.append(element("circle", cx=x, cy=y, r=radius, fill=variable(role), fill_opacity=0.9 if lies else 0.5))
    x, y = at(1, 1)
    parts.append(
        element("rect", x=x - 5, y=y - 5, width=10, height=10, fill="none", stroke=variable("bad"), stroke_width=2)
    )
    y = top + 12
    parts.append(element("rect", x=right + 12, y=y - 5, width=10, height=10, fill="none", stroke=variable("bad")))
    parts.append(element("circle", cx=right + 17, cy=y + 22, r=4, fill=variable("series-1")))
    parts.append(element("circle", cx=right + 17, cy=y + 44, r=2.5, fill=variable("muted"), fill_opacity=0.5))
    parts.append(element("circle", cx=right + 17, cy=y + 66, r=7, fill="none", stroke=variable("good")))
    for row, name in enumerate(
        ("the default", "on the front of the two", "another candidate", "at least twice as secure")
    ):
        parts.append(words(name, right + 30, y + 4 + row * 22, size=11))
    beyond = len(seen) - len(shown)
    parts.append(words(f"{len(seen)} candidates,", right + 12, top + 130, size=11, class_="muted"))
    parts.append(words(f"{beyond} beyond the axes", right + 12, top + 146, size=11, class_="muted"))
    text = "The front lies to the lower left of the default; most candidates are worse in time or memory."
    return picture(parts, WIDTH, 370, "The candidates of a search, and their front", text)


def _beats(one: Objectives, other: Objectives) -> bool:
    """Whether one is at least as good in time and in memory, and better in one of them."""
    first, second = (one.time, one.memory), (other.time, other.memory)
    return first != second and all(a <= b for a, b in zip(first, second, strict=True))
