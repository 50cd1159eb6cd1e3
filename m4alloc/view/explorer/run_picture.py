"""The map of one heap as an SVG picture: block by block where they are few, a grid of cells where they are many."""

from __future__ import annotations

from m4alloc.view import heap_map
from m4alloc.view.explorer.life import Life
from m4alloc.view.quantity import number
from m4alloc.view.raster import Blocks, rasterise
from m4alloc.view.svg import document

FEW = 1500
"""Blocks that are drawn one by one at most."""
CLOCK = "events"


def blocks_of(life: Life) -> Blocks:
    """Where and when the blocks of a life lived, on the clock of its events."""
    blocks = life.blocks
    return Blocks(blocks.base, blocks.usable, blocks.born, blocks.died)


def picture(life: Life) -> str:
    """The picture as a document of its own, light or dark as the reader's system says.

    >>> from m4alloc.view.explorer.sources_attack import life_of_attack
    >>> picture(life_of_attack("double-free", "none")).count("<rect") > 2
    True
    """
    blocks, stop = blocks_of(life), max(1, len(life.events))

    def show(value: float) -> str:
        return number(round(value))

    if len(blocks) <= FEW:
        return document(heap_map.blocks(blocks, 0, stop, CLOCK, show, life.title))
    return document(heap_map.cells(rasterise(blocks, 0, stop), CLOCK, show, life.title))
