"""Addresses and sizes that a page can hold: the numbers of a browser are exact up to 2**53 only."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from m4alloc.check.lives import HIGHEST, Integers
from m4alloc.view.explorer.life import Life
from m4alloc.view.quantity import binary_size

REACH = 1 << 51
"""Bytes from a life's lowest address to its highest, and of its largest block: then no difference of two differences,
doubled for its sign, is above 2**53."""


def address_base(life: Life) -> int:
    """What is taken off every address, so that a browser's numbers can hold it: a multiple of 4096 at or below all."""
    known = [int(life.blocks.base.min())] if len(life.blocks) else []
    known += [mark.address for mark in life.marks if mark.length]
    known += [guard.base for guard in life.guards]
    return min(known, default=0) // 4096 * 4096


def bounded(life: Life) -> Life:
    """The life with what lies farther than REACH above its lowest address drawn there, and `left_out` saying so.

    A broken allocator that hands out -4096 for NULL has such blocks.  Cost: O(n).

    >>> from m4alloc.view.explorer.build import life_of
    >>> from m4alloc.view.explorer.build_columns import columns_of_events
    >>> from spec.script import parse, to_events
    >>> told = to_events(parse("a = malloc 16 -> 0xfffffffffffff000\\nb = malloc 16 -> 0x2000"))
    >>> life = bounded(life_of(columns_of_events(told), title="", allocator=""))
    >>> life.blocks.base.tolist(), life.left_out
    ([2251799813693440, 8192], 'Addresses beyond 0x8000000002000 are drawn as that.')
    """
    start = address_base(life)
    highest = start + REACH
    blocks, events = life.blocks, life.events
    addresses = [int(blocks.base.max(initial=0)), *(mark.address for mark in life.marks if mark.length)]
    sizes = [int(column.max(initial=0)) for column in (blocks.size, blocks.usable, events.size)]
    far, large = max(addresses) >= min(highest + 1, HIGHEST), max(sizes) > REACH
    offset = np.clip(events.offset, -REACH, REACH)
    if not far and not large and np.array_equal(offset, events.offset):
        return life

    def within(column: Integers, most: int) -> Integers:
        return np.minimum(column, most)

    usable = within(blocks.usable, REACH)
    told = [f"Addresses beyond {min(highest, HIGHEST):#x} are drawn as that."] if far else []
    told += [f"Sizes beyond {binary_size(REACH)} are drawn as that."] if large else []
    return replace(
        life,
        events=replace(events, size=within(events.size, REACH), offset=offset),
        blocks=replace(
            blocks,
            base=within(blocks.base, highest),
            size=within(blocks.size, REACH),
            usable=usable,
            low=within(blocks.low, highest),
            high=within(blocks.high, highest + REACH),
        ),
        marks=tuple(
            replace(mark, address=min(mark.address, highest), length=min(mark.length, REACH)) for mark in life.marks
        ),
        retags=tuple(
            replace(one, address=min(one.address, highest), length=min(one.length, REACH)) for one in life.retags
        ),
        guards=tuple(one for one in life.guards if one.base + one.length <= highest),
        size_classes=tuple(sorted({min(size, REACH) for size in life.size_classes})),
        left_out=" ".join(filter(None, (life.left_out, *told))),
    )
