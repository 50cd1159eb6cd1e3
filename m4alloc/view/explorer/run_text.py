"""The map of a heap in the terminal: addresses upwards, events to the right, with what was found below it."""

from __future__ import annotations

from itertools import groupby, islice

import numpy as np
from rich.console import Console
from rich.text import Text

from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.run_picture import blocks_of
from m4alloc.view.palette import GROUP_LABELS, ROLES
from m4alloc.view.quantity import number, plural, size
from m4alloc.view.raster import Raster, rasterise
from m4alloc.view.text import SHADES, heap_map, printable, sparkline

ROWS = 32
FINDINGS = 12
"""Marks that are listed."""


def lines(life: Life, width: int = 100) -> list[str]:
    """The heap as lines of plain text, each at most about `width` characters.

    >>> from m4alloc.view.explorer.sources_attack import life_of_attack
    >>> for line in lines(life_of_attack("double-free", "none"), 60)[4:10]: print(line)
    0x10030  █████████████████··································
    0x10020  █████████████████··································
    0x10010  █████████████████··································
    0x10000  █████████████████··································
             event 1                                           3
    found    ^                ^                ^
    """
    raster = _raster(life, width)
    body = heap_map(raster)
    room = len(body[0]) - raster.columns if len(raster.axis.rows) else 0
    return [*_head(life), "", *body, *_below(life, raster, room), "", *_findings(life)]


def print_map(life: Life, console: Console) -> None:
    """The same with colours, for a terminal: the hue of a cell is the size group of the blocks that held most of it."""
    width = min(console.width, 160)
    raster = _raster(life, width)
    body = heap_map(raster)
    room = len(body[0]) - raster.columns if len(raster.axis.rows) else 0
    for line in [*_head(life), ""]:
        console.print(Text(line), soft_wrap=True)
    dark = 1
    row = len(raster.axis.rows)
    for line in body:
        text = Text(line)
        if not line.endswith("...") and len(raster.axis.rows):
            row -= 1
            place = room
            for group, cells in groupby(raster.group[row].tolist()):
                stop = place + len(list(cells))
                if group >= 0:
                    text.stylize(ROLES[f"group-{group}"][dark], place, stop)
                place = stop
        console.print(text, soft_wrap=True)
    for line in _below(life, raster, room):
        console.print(Text(line), soft_wrap=True)
    if len(raster.axis.rows):
        legend = Text(" " * room)
        for group in sorted(set(raster.group[raster.group >= 0].tolist())):
            legend.append("█ ", ROLES[f"group-{group}"][dark])
            legend.append(f"{GROUP_LABELS[group]}  ")
        console.print(legend, soft_wrap=True)
    for line in ["", *_findings(life)]:
        console.print(Text(line), soft_wrap=True)


def _raster(life: Life, width: int) -> Raster:
    """The grid; a run of few events has as many columns for each."""
    stop = max(1, len(life.events))
    base = int(life.blocks.base.max(initial=0) + life.blocks.usable.max(initial=0))
    columns = max(20, width - len(f"{base:#x}") - 2)
    return rasterise(blocks_of(life), 0, stop, columns=columns, max_rows=ROWS)


def _head(life: Life) -> list[str]:
    counts = f"{plural(len(life.events), 'event')}, {plural(len(life.blocks), 'block')}, {size(life.peak)} live at most"
    told = [printable(life.title), f"{printable(life.machine)}; {counts}"]
    told += [printable(one) for one in (life.sentence, life.end and f"It ended so: {life.end}.", life.left_out) if one]
    return told


def _below(life: Life, raster: Raster, room: int) -> list[str]:
    """The clock, where something was found, the bytes live, and what the cells say."""
    if not len(raster.axis.rows):
        return []
    stop = max(1, len(life.events))
    first, last = "event 1", number(stop) if stop > 1 else ""
    told = [" " * room + first + last.rjust(raster.columns - len(first))]
    found = [mark.event for mark in life.marks if mark.kind != "label"]
    if found:
        cells = [" "] * raster.columns
        for event in found:
            cells[min(raster.columns - 1, event * raster.columns // stop)] = "^"
        told.append("found".ljust(room) + "".join(cells).rstrip())
    live = next((curve for curve in life.curves if curve.name == "live"), None)
    if live is not None and len(live.at):
        at = np.searchsorted(live.at, np.arange(raster.columns) * stop // raster.columns, side="right") - 1
        values = np.where(at >= 0, live.values[np.maximum(at, 0)], 0.0)
        told.append("live".ljust(room) + sparkline(values.tolist(), raster.columns))
    return [*told, "filled".ljust(max(room, 8)) + SHADES]


def _findings(life: Life) -> list[str]:
    """The first marks, a line each."""
    found = [mark for mark in life.marks if mark.kind != "label"]
    told = [
        printable(f"event {number(mark.event + 1)}  {mark.kind} {mark.name}: {mark.reason}".rstrip(": "))
        for mark in islice(found, FINDINGS)
    ]
    return [*told, f"and {number(len(found) - FINDINGS)} more"] if len(found) > FINDINGS else told
