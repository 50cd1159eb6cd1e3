"""The map of an allocator's heap over one trace: addresses by time, for the page of a grade."""

from __future__ import annotations

from collections.abc import Sequence

from m4alloc.check.lives import calls_of, lives_of
from m4alloc.view import heap_map as maps
from m4alloc.view.html import Html, figure
from m4alloc.view.quantity import binary_size, number
from m4alloc.view.raster import rasterise
from spec.event import Event

ROWS = 64


def heap_map(events: Sequence[Event]) -> Html:
    """The picture: each block at its addresses, from the request that handed it out to the one that gave it up.

    Cost: O(n log n).
    """
    blocks = lives_of(calls_of(events)).blocks()
    end = max(1, int(blocks.died.max(initial=0)))
    raster = rasterise(blocks, 0, end, max_rows=ROWS)
    row = binary_size(raster.axis.row_length)
    gaps = " Dotted lines stand for addresses never used." if raster.axis.gaps() else ""
    drawn = maps.cells(raster, "request", lambda place: number(round(place)))
    return figure(drawn, f"A row is {row} of addresses.{gaps}")
