"""The map of one heap as an SVG picture: block by block where they are few, a grid of cells where they are many."""

from __future__ import annotations

from m4alloc.view import heap_map
from m4alloc.view.explorer.kinds import KINDS
from m4alloc.view.explorer.life import Life
from m4alloc.view.quantity import binary_size, number
from m4alloc.view.raster import Blocks
from m4alloc.view.svg import document

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

    labels = (f"#{block} \u00b7 {binary_size(size)}" for block, size in enumerate(life.blocks.size.tolist(), 1))
    return document(
        heap_map.draw(blocks, stop, CLOCK, show, life.title, notes=notes_of(life), labels=labels, counted=True)
    )


def notes_of(life: Life) -> list[heap_map.Note]:
    """The marks of a life as a map carries them: the letter of the kind, at the bytes or the block."""
    return [
        heap_map.Note(
            mark.event + 1.0,
            mark.address if mark.length else int(life.blocks.base[mark.block]) if mark.block >= 0 else -1,
            mark.kind,
            KINDS[mark.kind].letter,
            KINDS[mark.kind].role,
            f"event {number(mark.event + 1)}: {mark.kind} {mark.name}{': ' if mark.reason else ''}{mark.reason}",
        )
        for mark in life.marks
    ]
