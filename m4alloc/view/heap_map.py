"""The heap map as SVG: addresses upwards, time to the right, colour by the size of the blocks.

A small heap is drawn block by block; a large one as a grid of cells whose strength is how full they were.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from m4alloc.view.chart import LEFT, RIGHT, WIDTH, Axis, legend, x_labels
from m4alloc.view.palette import GROUP_LABELS, variable
from m4alloc.view.quantity import binary_size, plural, size
from m4alloc.view.raster import AddressAxis, Blocks, Raster, address_axis, group_indices, rasterise
from m4alloc.view.svg import Child, Element, element, group, picture

FEW = 1500
"""Blocks that `draw` draws one by one at most."""
_TOP, _BOTTOM = 34, 42
_GAP = 7.0
_ADDRESS_ROOM = 46
_WORDS = 12
_STRENGTHS = (0.3, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True)
class Note:
    """Something that is marked on a map: when, on its axis, where (-1: no address), its kind, a letter in a role's
    colour, words."""

    at: float
    address: int
    kind: str
    letter: str
    role: str
    words: str


class _Layout:
    """Where each row of an address axis is drawn: rows stacked upwards, a little room at each gap."""

    def __init__(self, axis: AddressAxis, budget: float = 400.0) -> None:
        self.axis = axis
        self.gaps = dict(axis.gaps())
        rows = max(1, len(axis.rows))
        self.row_height = min(14.0, max(3.0, budget / rows))
        self.inner = rows * self.row_height + _GAP * len(self.gaps)
        self.height = _TOP + self.inner + _BOTTOM
        self.left, self.right, self.bottom = LEFT + _ADDRESS_ROOM, WIDTH - RIGHT, _TOP + self.inner
        shifts = np.zeros(rows)
        for index in self.gaps:
            shifts[index:] += _GAP
        self.floor = self.bottom - np.arange(rows) * self.row_height - shifts

    def height_of(self, address: int) -> float:
        """Where an address is drawn; at the top edge what has none, or lies in none of the rows."""
        row = int(np.searchsorted(self.axis.rows, address >> self.axis.shift)) if address >= 0 else -1
        if not 0 <= row < len(self.axis.rows) or int(self.axis.rows[row]) != address >> self.axis.shift:
            return _TOP + 8.0
        return float(self.floor[row]) - (address - self.axis.base(row)) / self.axis.row_length * self.row_height

    def frame(self) -> list[Child]:
        """The panel behind, the address labels at both ends of every stretch, and the gaps between stretches."""
        rows = len(self.axis.rows)
        if rows == 0:
            return [element("text", "no block ever lived", x=self.left, y=self.bottom - 4, class_="muted")]
        edges = sorted({0, *self.gaps})
        parts: list[Child] = []
        last_label = float("inf")
        for start, stop in zip(edges, [*edges[1:], rows], strict=True):
            low, high = float(self.floor[start]), float(self.floor[stop - 1]) - self.row_height
            parts.append(
                element("rect", x=self.left, y=high, width=self.right - self.left, height=low - high, class_="panel")
            )
            if start in self.gaps:
                y = low + _GAP / 2
                line = element("line", x1=self.left, y1=y, x2=self.right, y2=y, class_="gap")
                parts.append(group([element("title", f"{size(self.gaps[start])} of addresses left out"), line]))
            if low <= last_label - 12:
                label = f"{self.axis.base(start):#x}"
                parts.append(element("text", label, x=self.left - 6, y=low, text_anchor="end", class_="small muted"))
                last_label = low
        top = float(self.floor[-1]) - self.row_height + 9
        if top <= last_label - 12:
            label = f"{self.axis.base(rows - 1) + self.axis.row_length:#x}"
            parts.append(element("text", label, x=self.left - 6, y=top, text_anchor="end", class_="small muted"))
        return parts


def _marked(layout: _Layout, axis: Axis, notes: Sequence[Note]) -> list[Child]:
    """A letter in a disc for each note; those that would lie on one another are one, with their number."""
    heaps: dict[tuple[int, int], list[Note]] = {}
    for note in notes:
        x = axis.place(note.at, layout.left, layout.right)
        heaps.setdefault((int(x // 16), int(layout.height_of(note.address) // 16)), []).append(note)
    drawn: list[Child] = []
    for found in heaps.values():
        x = min(layout.right - 8, axis.place(found[0].at, layout.left, layout.right))
        y = min(layout.bottom - 9, layout.height_of(found[0].address))
        words = "\n".join(note.words for note in found[:_WORDS])
        more = f"\nand {len(found) - _WORDS} more" if len(found) > _WORDS else ""
        letters = "".join(dict.fromkeys(note.letter for note in found))
        text = letters + (f"\u00d7{len(found)}" if len(found) > len(letters) else "")
        width = 16.0 if len(text) == 1 else 9.0 + 7.0 * len(text)
        drawn.append(
            group(
                [
                    element("title", words + more),
                    element(
                        "rect",
                        x=x - 8,
                        y=y - 8,
                        width=width,
                        height=16,
                        rx=8,
                        fill=variable("page"),
                        stroke=variable(found[0].role),
                        stroke_width=2,
                    ),
                    element("text", text, x=x - 8 + width / 2, y=y + 4, text_anchor="middle", class_="small"),
                ]
            )
        )
    return drawn


def _whole(
    layout: _Layout,
    body: list[Child],
    groups: set[int],
    axis: Axis,
    title: str,
    description: str,
    notes: Sequence[Note] = (),
) -> Element:
    parts = [*layout.frame(), *body, *_marked(layout, axis, notes)]
    parts += x_labels(axis, layout.left, layout.right, layout.bottom)
    colours = [(GROUP_LABELS[index], f"group-{index}") for index in sorted(groups)]
    letters = dict.fromkeys((f"{note.letter} {note.kind}", note.role) for note in notes)
    parts.append(legend([*colours, *letters], 8, 16))
    return picture(parts, WIDTH, layout.height, title, description)


def draw(
    lives: Blocks,
    stop: int,
    time_label: str,
    show: Callable[[float], str],
    title: str = "Heap map",
    *,
    notes: Sequence[Note] = (),
    labels: Iterable[str] = (),
    columns: int = 160,
    rows: int = 96,
    counted: bool = False,
) -> Element:
    """The map from 0 to `stop`: block by block up to FEW of them, else as a grid of cells.

    labels: of the blocks; taken only when they are drawn one by one. columns, rows: of the grid. counted: the clock
    counts events, place e of it is event e + 1, and its number stands below the middle of the room that it has.
    """
    if len(lives) <= FEW:
        return blocks(lives, 0, stop, time_label, show, title, notes=notes, labels=list(labels), counted=counted)
    raster = rasterise(lives, 0, stop, columns=columns, max_rows=rows)
    return cells(raster, time_label, show, title, notes, counted=counted)


def _clock(label: str, start: float, stop: float, show: Callable[[float], str], counted: bool) -> Axis:
    """The axis of time; of a clock that counts events, place e is drawn where e + 1/2 stands."""
    spare = 0.5 if counted else 0.0
    return Axis(label, start + spare, stop + spare, show, whole=counted)


def cells(
    raster: Raster,
    time_label: str,
    show: Callable[[float], str],
    title: str = "Heap map",
    notes: Sequence[Note] = (),
    *,
    counted: bool = False,
) -> Element:
    """The grid as rectangles: neighbouring equal cells of a row are one rectangle. Cost: O(cells + notes)."""
    layout = _Layout(raster.axis)
    pitch = (layout.right - layout.left) / raster.columns
    levels = np.clip(np.ceil(raster.fill * 4).astype(np.int64) - 1, 0, 3)
    seen: set[int] = set()
    rows: list[Child] = []
    for index in range(len(raster.axis.rows)):
        key = np.where(raster.group[index] < 0, -1, raster.group[index] * 4 + levels[index])
        starts = np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1])))
        top = float(layout.floor[index]) - layout.row_height
        runs: list[Child] = []
        for start, stop in zip(starts, [*starts[1:], len(key)], strict=True):
            if key[start] < 0:
                continue
            colour, level = divmod(int(key[start]), 4)
            seen.add(colour)
            runs.append(
                element(
                    "rect",
                    x=layout.left + int(start) * pitch,
                    y=top,
                    width=(int(stop) - int(start)) * pitch,
                    height=layout.row_height,
                    fill=variable(f"group-{colour}"),
                    fill_opacity=_STRENGTHS[level],
                )
            )
        if runs:
            rows.append(group(runs, class_="cell"))
    description = (
        f"{plural(len(raster.axis.rows), 'row')} of {binary_size(raster.axis.row_length)}; the stronger a cell, "
        "the fuller its addresses were; a dotted line stands for addresses that no block ever used."
    )
    time = _clock(time_label, raster.start, raster.stop, show, counted)
    return _whole(layout, rows, seen, time, title, description, notes)


def blocks(
    lives: Blocks,
    start: int,
    stop: int,
    time_label: str,
    show: Callable[[float], str],
    title: str = "Heap map",
    max_rows: int = 96,
    notes: Sequence[Note] = (),
    labels: Sequence[str] = (),
    *,
    counted: bool = False,
) -> Element:
    """Every block as one rectangle from birth to death; for some thousands of blocks at most. Cost: O(n log n).

    labels: what is written into each, where there is room. counted: as of `draw`.
    """
    axis = address_axis(lives, max_rows)
    layout = _Layout(axis)
    time = _clock(time_label, start, stop, show, counted)
    spare = time.low - start
    groups = group_indices(lives.length)
    drawn: list[Child] = []
    columns = (lives.base, lives.length, lives.born, lives.died, groups)
    written: list[Child] = []
    named = labels or [""] * len(lives)
    for base, length, born, died, colour, label in zip(*(column.tolist() for column in columns), named, strict=True):
        left = time.place(max(born, start) + spare, layout.left, layout.right)
        right = max(left + 1, time.place(min(died, stop) + spare, layout.left, layout.right))
        lived = _lived(born, died, stop) if counted else f"{show(born)} to {show(died)}"
        for low, high in _pieces(layout, base, length):
            drawn.append(
                group(
                    [
                        element("title", f"{length:,d} bytes at {base:#x}, {lived}"),
                        element(
                            "rect",
                            x=left,
                            y=high,
                            width=right - left,
                            height=max(0.8, low - high),
                            fill=variable(f"group-{colour}"),
                            stroke=variable("panel"),
                            stroke_width=0.4 if low - high >= 3 else 0,
                        ),
                    ]
                )
            )
            if label and low - high >= 11 and right - left >= 12 + 6.5 * len(label):
                written.append(
                    element(
                        "text",
                        label,
                        x=left + 6,
                        y=(low + high) / 2 + 4,
                        class_="small",
                        paint_order="stroke",
                        stroke=variable("panel"),
                        stroke_width=3,
                        stroke_linejoin="round",
                    )
                )
    description = f"{plural(len(lives), 'block')}; one row is {binary_size(axis.row_length)}."
    return _whole(layout, [*drawn, *written], set(groups.tolist()), time, title, description, notes)


def _lived(born: int, died: int, stop: int) -> str:
    """From which event to which, counted from 1, in words."""
    start = f"event {born + 1:,d}" if born >= 0 else "the start"
    return f"from {start} to {f'event {died + 1:,d}' if died < stop else 'the end'}"


def _pieces(layout: _Layout, base: int, length: int) -> list[tuple[float, float]]:
    """The vertical extents (lower edge, upper edge) that a block covers, one for each unbroken stretch of rows."""
    axis = layout.axis
    first, last = (int(i) for i in axis.index(np.array([base, base + length - 1], dtype=np.int64)))
    cuts = [first, *(index for index in layout.gaps if first < index <= last), last + 1]
    extents = []
    for low_row, high_row in pairwise(cuts):
        low_address = max(base, axis.base(low_row))
        high_address = min(base + length, axis.base(high_row - 1) + axis.row_length)
        low = float(layout.floor[low_row]) - (low_address - axis.base(low_row)) / axis.row_length * layout.row_height
        above = (axis.base(high_row - 1) + axis.row_length - high_address) / axis.row_length * layout.row_height
        high = float(layout.floor[high_row - 1]) - layout.row_height + above
        extents.append((low, high))
    return extents
