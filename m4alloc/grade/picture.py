"""The map of an allocator's heap over one trace: addresses by time, for the page of a grade."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m4alloc.view import heap_map as maps
from m4alloc.view.html import Html, figure
from m4alloc.view.quantity import binary_size, number
from m4alloc.view.raster import Blocks, rasterise
from spec.event import FREEING, RESIZING, Event, Function

ROWS = 64


def heap_map(events: Sequence[Event]) -> Html:
    """The picture: each block at its addresses, from the request that handed it out to the one that gave it up.

    Cost: O(n log n).
    """
    blocks = blocks_of(events)
    end = max(1, int(blocks.died.max(initial=0)))
    raster = rasterise(blocks, 0, end, max_rows=ROWS)
    row = binary_size(raster.axis.row_length)
    gaps = " Dotted lines stand for addresses never used." if raster.axis.gaps() else ""
    drawn = maps.cells(raster, "request", lambda place: number(round(place)))
    return figure(drawn, f"A row is {row} of addresses.{gaps}")


def blocks_of(events: Sequence[Event]) -> Blocks:
    """Where and when blocks lived; the clock counts the requests.

    >>> malloc = Event(Function.MALLOC, size=24, result=0x1000)
    >>> blocks_of([malloc, Event(Function.FREE, address=0x1000), malloc]).born.tolist()
    [0, 2]
    """
    requests = [event for event in events if event.function < Function.LOAD]
    live: dict[int, tuple[int, int]] = {}
    rows: list[tuple[int, int, int, int]] = []
    for place, event in enumerate(requests):
        gives_up = event.function in FREEING or (event.function in RESIZING and event.result)
        if gives_up and event.address in live:
            length, born = live.pop(event.address)
            rows.append((event.address, length, born, place))
        if event.result and event.function not in FREEING:
            live[event.result] = max(1, event.usable, event.request_size), place
    rows += [(address, length, born, len(requests)) for address, (length, born) in live.items()]
    rows.sort(key=lambda row: row[2])
    columns = np.array(rows, np.int64).reshape(-1, 4).T
    return Blocks(*columns)
