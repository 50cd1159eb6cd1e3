"""The report as pictures: bars beside glibc, time against memory, memory over time, threads, the size of the heap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

from m4alloc.bench.draw import (
    CHARACTER,
    Box,
    Curve,
    Scale,
    Style,
    around,
    drawn,
    error_bar,
    frame,
    legend,
    paint,
    stroke,
    styles,
)
from m4alloc.bench.report import BenchReport, Cost, HeapSizeResult, MeanResult, Result
from m4alloc.bench.statistic import Spread
from m4alloc.view.palette import variable
from m4alloc.view.quantity import brief, duration, ratio, significant, size
from m4alloc.view.svg import Child, Element, element, group, picture

WIDTH = 1120
MARGIN = 20
MOST_PITCH = 600
"""The greatest width of a panel with its labels."""
HIGHEST = 3.0
"""Ratios above it are cut off in the bars and written down."""


def pictures(report: BenchReport) -> dict[str, Element]:
    """Every picture that the report has figures for, by the name of its file."""
    found: dict[str, Element] = {}
    if report.tabled and len(report.names) > 1:
        found["cpu_time"] = bars(report, "CPU time, glibc = 1", lambda one: one.cpu)
        found["peak_memory"] = bars(report, "peak memory, glibc = 1", lambda one: one.peak)
        if report.means:
            found["time_and_memory"] = time_and_memory(report)
    if report.memory:
        found["memory_over_time"] = memory_over_time(report)
    scaling = threads(report)
    if scaling is not None:
        found["threads"] = scaling
    if report.latency:
        found["latency"] = latency(report)
    if len({one.blocks for one in report.heap_sizes}) > 1:
        found["heap_size"] = heap_size(report)
    return found


Which = Callable[[Result | MeanResult], Cost | Spread | None]


def spread_of(found: Cost | Spread | None) -> Spread | None:
    """The ratio, of a cell or of a mean."""
    return found.ratio if isinstance(found, Cost) else found


def bars(report: BenchReport, title: str, which: Which) -> Element:
    """A group of bars a program, one an allocator, and the means last; quartiles as error bars."""
    names, looks = report.names[1:], styles(report.names)
    groups = [(row.label, [spread_of(which(one)) for one in row.results[1:]]) for row in report.tabled]
    groups += [
        (f"mean of {mean.count}, {mean.programs}", [spread_of(which(one)) for one in mean.results[1:]])
        for mean in report.means
    ]
    key, bottom_of_key = legend(names, looks, 60, 50, WIDTH - 80)
    drooping = 16 + CHARACTER * 0.64 * max(len(label) for label, _ in groups)
    box = Box(60, bottom_of_key + 22, WIDTH - MARGIN, bottom_of_key + 322)
    height = box.bottom + drooping
    highest = max((one.high for _, cells in groups for one in cells if one is not None), default=1.0)
    y = Scale("", 0.0, min(HIGHEST, max(1.2, highest * 1.08)), ratio)
    parts: list[Child] = [element("text", title, x=60, y=24, font_weight="bold", font_size=14), key]
    parts += frame(box, None, y)
    pitch = (box.right - box.left) / len(groups)
    for index, (label, cells) in enumerate(groups):
        start = box.left + index * pitch
        parts += bar_group(start, pitch, box, y, names, cells, looks, label)
        middle = start + pitch / 2
        turned = f"rotate(-40 {middle:.2f} {box.bottom + 14:.2f})"
        bold = {"font_weight": "bold"} if index >= len(report.tabled) else {}
        parts.append(
            element(
                "text", label, x=middle, y=box.bottom + 14, text_anchor="end", transform=turned, class_="small", **bold
            )
        )
        if index == len(report.tabled):
            parts.append(element("line", x1=start, y1=box.top, x2=start, y2=box.bottom, class_="gap"))
    at = y.place(1.0, box.bottom, box.top)
    parts.append(stroke(box.left, at, box.right, at))
    return picture(parts, WIDTH, height, title)


def bar_group(
    start: float,
    pitch: float,
    box: Box,
    y: Scale,
    names: Sequence[str],
    cells: Sequence[Spread | None],
    looks: dict[str, Style],
    label: str,
) -> list[Child]:
    """The bars of one program; a gap where an allocator failed."""
    parts: list[Child] = []
    width = min(26.0, pitch * 0.84 / max(1, len(cells)))
    left = start + (pitch - width * len(cells)) / 2
    for index, (name, one) in enumerate(zip(names, cells, strict=True)):
        x = left + index * width
        if one is None:
            parts.append(
                element("text", "x", x=x + width / 2, y=box.bottom - 3, text_anchor="middle", style=paint("bad"))
            )
            continue
        top = y.place(one.median, box.bottom, box.top)
        told = element("title", f"{label} on {name}: {ratio(one.median)} ({ratio(one.low)} to {ratio(one.high)})")
        body = element("rect", x=x, y=top, width=width * 0.9, height=box.bottom - top, fill=variable(looks[name].role))
        parts.append(group([told, body]))
        if one.median > y.high:
            at = f"rotate(-90 {x + width * 0.75:.2f} {box.top + 4:.2f})"
            parts.append(
                element(
                    *("text", ratio(one.median)),
                    x=x + width * 0.75,
                    y=box.top + 4,
                    transform=at,
                    text_anchor="end",
                    font_size=10,
                    style=paint("page"),
                )
            )
        elif one.high > one.low:
            low, high = y.place(one.low, box.bottom, box.top), y.place(one.high, box.bottom, box.top)
            parts += error_bar(x + width * 0.45, low, high)
    return parts


def time_and_memory(report: BenchReport) -> Element:
    """Geometric means: one point an allocator, CPU time across, peak memory up; lower left is better."""
    looks = styles(report.names)
    mean = report.means[-1]
    points = [(one.allocator, one.cpu, one.peak) for one in mean.results if one.cpu and one.peak]
    box = Box(70, 60, WIDTH - MARGIN, 480)
    x = Scale("CPU time, glibc = 1", *room([cpu.median for _, cpu, _ in points]), ratio)
    y = Scale("peak memory, glibc = 1", *room([peak.median for _, _, peak in points]), ratio)
    title = f"time against memory: {mean.label}"
    parts: list[Child] = [element("text", title, x=60, y=24, font_weight="bold", font_size=14)]
    parts += frame(box, x, y)
    across, up = x.place(1.0, box.left, box.right), y.place(1.0, box.bottom, box.top)
    parts.append(element("line", x1=across, y1=box.top, x2=across, y2=box.bottom, class_="gap"))
    parts.append(element("line", x1=box.left, y1=up, x2=box.right, y2=up, class_="gap"))
    spots: list[tuple[str, float, float]] = []
    taken: list[Area] = [(across - 1, across + 1, box.top, box.bottom), (box.left, box.right, up - 1, up + 1)]
    for name, cpu, peak in points:
        role = looks[name].role
        across, up = x.place(cpu.median, box.left, box.right), y.place(peak.median, box.bottom, box.top)
        begin, end = x.place(cpu.low, box.left, box.right), x.place(cpu.high, box.left, box.right)
        low, high = y.place(peak.low, box.bottom, box.top), y.place(peak.high, box.bottom, box.top)
        parts += [stroke(begin, up, end, up, role), *error_bar(across, low, high, role)]
        taken += [(begin, end, up - 1, up + 1), (across - 2, across + 2, high, low)]
        taken.append((across - 6, across + 6, up - 6, up + 6))
        told = element("title", f"{name}: time {ratio(cpu.median)}, memory {ratio(peak.median)}")
        parts.append(group([told, element("circle", cx=across, cy=up, r=5, fill=variable(role))]))
        spots.append((name, across, up))
    for name, left, base in beside(spots, taken, box):
        parts.append(element("text", name, x=left, y=base, style=paint(looks[name].role)))
    return picture(parts, WIDTH, 520, title)


def room(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis around the values and 1, with room for points and their names.

    >>> room([0.5, 1.0])
    (0.4, 1.2)
    """
    low, high = min(1.0, *values), max(1.0, *values)
    margin = max(0.1, 0.15 * (high - low))
    return max(0.0, round(low - margin, 6)), round(high + 2 * margin, 6)


Area = tuple[float, float, float, float]
"""Left, right, top, bottom."""
PLACES = [(side, shift) for shift in (0, -10, 12, -24, 26, -38, 40) for side in (1, -1)]
"""Right or left of a point, and how far down, in the order of preference."""


def beside(
    spots: Sequence[tuple[str, float, float]], taken: Sequence[Area], box: Box
) -> list[tuple[str, float, float]]:
    """Where the names of points stand, so that none covers another or what is taken: left end and base line."""
    full, placed = list(taken), []
    for name, x, y in spots:
        wide = CHARACTER * len(name)
        found = []
        for side, shift in PLACES:
            left, base = (x + 9 if side > 0 else x - 9 - wide), y + 4 + shift
            area = (left, left + wide, base - 10, base + 3)
            free = not any(
                area[0] < right and begin < area[1] and area[2] < low and high < area[3]
                for begin, right, high, low in full
            )
            if free and box.left < left and left + wide < box.right and box.top < base - 10 and base < box.bottom:
                found.append((left, base, area))
        left, base, area = found[0] if found else (x + 9, y + 4, (x, x, y, y))
        full.append(area)
        placed.append((name, left, base))
    return placed


def grid(
    report: BenchReport,
    title: str,
    panels: Sequence[tuple[str, Scale, Scale, Sequence[Curve], Sequence[float]]],
    *,
    columns: int = 3,
    tall: int = 150,
) -> Element:
    """Panels side by side in rows, one legend above."""
    looks = styles(report.names)
    present = {curve.name for panel in panels for curve in panel[3]}
    names = [name for name in report.names if name in present]
    columns = min(columns, len(panels))
    pitch = min(MOST_PITCH, (WIDTH - 2 * MARGIN) / columns)
    key, top = legend(names, looks, MARGIN, 50, WIDTH - 2 * MARGIN)
    parts: list[Child] = [element("text", title, x=MARGIN, y=24, font_weight="bold", font_size=14), key]
    for index, (name, x, y, curves, marks) in enumerate(panels):
        row, column = divmod(index, columns)
        left, above = MARGIN + column * pitch, top + 12 + row * (tall + 86)
        box = Box(left + 62, above + 44, left + pitch - 14, above + 44 + tall)
        parts += frame(box, x, y, name, x_ticks=marks, limit=5 if tall < 200 else 8)
        parts += drawn(box, x, y, curves, looks)
    rows = -(-len(panels) // columns)
    return picture(parts, WIDTH, top + 12 + rows * (tall + 86) + 8, title)


def memory_over_time(report: BenchReport) -> Element:
    """A panel a program: resident memory while it runs."""
    panels = []
    for program in dict.fromkeys(one.program for one in report.memory):
        curves = [one for one in report.memory if one.program == program and one.seconds]
        x = Scale("s", 0.0, max((one.seconds[-1] for one in curves), default=1.0) or 1.0, short)
        highest = max((max(one.resident) for one in curves), default=1)
        y = Scale("resident", *around([float(highest)], 0), lambda value: brief(size(value)))
        lines = [
            Curve(one.allocator, stepped(list(zip(one.seconds, one.resident, strict=True))), marker=False)
            for one in curves
        ]
        panels.append((program, x, y, lines, ()))
    return grid(report, "memory over time, one run each", panels)


def short(value: float) -> str:
    """A number on an axis.

    >>> short(0.5), short(2.0), short(0.0)
    ('0.5', '2', '0')
    """
    return brief(significant(value)) if value else "0"


def stepped(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points of a curve that holds each value until the next.

    >>> stepped([(0, 1), (1, 2)])
    [(0, 1), (1, 1), (1, 2)]
    """
    found = [part for one, other in pairwise(points) for part in (one, (other[0], one[1]))]
    return [*found, points[-1]] if points else []


def threads(report: BenchReport) -> Element | None:
    """A panel a program with threads: calls a second against the number of threads; None: there is one number only."""
    names = [row.name for row in report.programs if row.threads]
    panels = []
    for name in dict.fromkeys(names):
        rows = [row for row in report.programs if row.name == name]
        if len(rows) < 2:
            continue
        counts = [float(row.threads) for row in rows]
        curves = []
        for allocator in report.names:
            found = [(float(row.threads), row.result(allocator).operations) for row in rows]
            kept = [(count, one) for count, one in found if one is not None]
            points = [(count, one.median / 1e6) for count, one in kept]
            curves.append(Curve(allocator, points, [(one.low / 1e6, one.high / 1e6) for _, one in kept]))
        most = max((high for curve in curves for _, high in curve.spread), default=1.0)
        x = Scale("threads", min(counts) * 0.85, max(counts) * 1.18, lambda value: f"{value:.0f}", 2)
        panels.append((name, x, Scale("million calls/s", *around([most], 0), short), curves, counts))
    return grid(report, "calls a second against threads", panels) if panels else None


def latency(report: BenchReport) -> Element:
    """Percentiles of single calls of malloc and of free."""
    names = ("mean", "p50", "p90", "p99", "p99.9", "max")
    panels = []
    values = [value for one in report.latency for value in (one.mean, one.max)]
    for call in ("malloc", "free"):
        rows = [one for one in report.latency if one.call == call]
        curves = [
            Curve(one.allocator, list(enumerate((one.mean, one.p50, one.p90, one.p99, one.p99_9, one.max))))
            for one in rows
        ]
        x = Scale("", -0.3, 5.3, lambda value: names[round(value)])
        y = Scale("a call", *around(values, 10), lambda value: brief(duration(value * 1e-9)), 10)
        panels.append((call, x, y, curves, (0.0, 1.0, 2.0, 3.0, 4.0, 5.0)))
    return grid(report, "single calls under a mixed random load", panels, columns=2, tall=260)


def heap_size(report: BenchReport) -> Element:
    """The cost of replacing a block, and resident memory over live bytes, against the bytes that are live."""
    live = [one.live for one in report.heap_sizes]
    x = Scale("live bytes", *around(live, 10), lambda value: brief(size(value)), 10)

    def curves(which: Callable[[HeapSizeResult], Spread]) -> list[Curve]:
        found = []
        for name in report.names:
            rows = [one for one in report.heap_sizes if one.allocator == name]
            spreads = [which(one) for one in rows]
            points = [(one.live, part.median) for one, part in zip(rows, spreads, strict=True)]
            found.append(Curve(name, points, [(part.low, part.high) for part in spreads]))
        return found

    cost = curves(lambda one: one.replace)
    memory = curves(lambda one: one.overhead)
    after = curves(lambda one: one.settled)
    panels = [
        ("free and malloc of a random block", x, upright("ns", cost, short), cost, ()),
        ("resident over live bytes", x, upright("ratio", memory, ratio), memory, ()),
        ("resident after all is freed, of the peak", x, Scale("share", 0.0, 1.05, ratio), after, ()),
    ]
    return grid(report, "cost against the size of the heap", panels, tall=240)


def upright(label: str, curves: Sequence[Curve], show: Callable[[float], str]) -> Scale:
    """A linear axis from 0 that holds the curves with their spread."""
    return Scale(label, *around([high for curve in curves for _, high in curve.spread], 0), show)
