"""Guards: the bytes that the core makes inaccessible around blocks, as far as its strategy and the blocks tell them.

Nobody writes down where a guard lies, so they are worked out as m4alloc/_core/guard.pxd and sample.pxd place them. That
takes the strategy. Where it is not known, or tells of guards whose places it leaves open, the page says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from m4alloc.check.lives import Booleans, Integers
from m4alloc.view.explorer.life import Guard, Life
from m4alloc.view.quantity import number
from spec.event import Function

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy

PAGE = 4096
GRANULE = 16
CANARY = 8
"""Bytes that canaries add to a request, at least."""
MOST = 2000
"""Guards that are drawn."""
_ALIGNED = [int(one) for one in (Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN, Function.NEW)]
UNTOLD = "Guard pages are not drawn: {} tells of none."
NONE = "There are no guard pages: the reference allocator has none."


def unguarded(life: Life, why: str) -> Life:
    """The life that says why no guards are drawn."""
    return replace(life, guard_note=why)


def guarded(life: Life, strategy: Strategy) -> Life:
    """The life of a heap that the core served under `strategy`, with the guards that can be told.

    Around large blocks: a page behind each, and one before it where the request had no alignment of its own. Blocks of
    no bytes, whose slots are inaccessible. The pages beside a sampled block, and its own from its free on.
    Cost: O(n log n).

    >>> from m4alloc.strategy import Strategy
    >>> from m4alloc.view.explorer.build import life_of
    >>> from m4alloc.view.explorer.build_columns import columns_of_events
    >>> from spec.script import parse, to_events
    >>> told = to_events(parse("a = malloc 40000 -> 0x10001000 usable 40960\\nfree a"))
    >>> life = guarded(life_of(columns_of_events(told), title="", allocator=""), Strategy(guards=True))
    >>> [(hex(one.base), one.length, one.start, one.stop) for one in life.guards]
    [('0x10000000', 4096, 0, 1), ('0x1000b000', 4096, 0, 1)]
    """
    found: list[Guard] = []
    notes = []
    if strategy.guards:
        found += _around_large(life, strategy)
    if strategy.guard_empty:
        found += _empty(life)
    if strategy.sample_rate and strategy.canaries:
        notes.append(
            "Sampled blocks cannot be told from others under canaries, so the pages beside them are not drawn."
        )
    elif strategy.sample_rate:
        found += _around_samples(life, strategy)
    if strategy.guard_slabs:
        notes.append(
            f"One of {strategy.guard_slabs} slabs is followed by 64 KiB without access; which, nobody tells: not drawn."
        )
    found = sorted((one for one in found if one.base >= 0), key=lambda one: (one.start, one.base))
    if len(found) > MOST:
        notes.append(f"Of {number(len(found))} guards the first {number(MOST)} are drawn.")
    if not found and not notes:
        notes.append("There are no guard pages: the strategy asks for none that these blocks would have.")
    return replace(life, guards=tuple(found[:MOST]), guard_note=" ".join(notes))


def _end(life: Life, block: int) -> int:
    return min(int(life.blocks.died[block]), len(life.events))


def _pages(life: Life, blocks: Iterable[int], places: Iterable[int]) -> list[Guard]:
    """A page at each place, as long as its block lives."""
    born = life.blocks.born
    return [
        Guard(place, PAGE, max(0, int(born[block])), _end(life, block))
        for block, place in zip(blocks, places, strict=True)
    ]


def _around_large(life: Life, strategy: Strategy) -> list[Guard]:
    blocks = life.blocks
    spare = CANARY if strategy.canaries else 0
    large = np.flatnonzero((blocks.usable + spare > strategy.classes[-1]) & (blocks.base % PAGE == 0))
    # Under canaries no more is usable than was asked for, but the pages are those of the smallest large block at least.
    pages = -(-np.maximum(blocks.usable[large], strategy.classes[-1] + 1) // PAGE)
    behind = blocks.base[large] + pages * PAGE
    # A block that begins at a multiple of more than a page has no guard before it.
    plain = large[~np.isin(_made_by(life, large), _ALIGNED)]
    return _pages(life, large.tolist(), behind.tolist()) + _pages(
        life, plain.tolist(), (blocks.base[plain] - PAGE).tolist()
    )


def _made_by(life: Life, blocks: Integers) -> Integers:
    """The function that handed each block out; of one that was resized, the first of its line."""
    origin, born = life.blocks.origin, life.blocks.born
    first = blocks.copy()
    while bool(np.any(origin[first] >= 0)):
        first = np.where(origin[first] >= 0, origin[first], first)
    made = born[first]
    return np.where(made >= 0, life.events.function[np.maximum(made, 0)] if len(life.events) else 0, 0)


def _empty(life: Life) -> list[Guard]:
    blocks = life.blocks
    nothing = np.flatnonzero((blocks.size == 0) & (blocks.usable <= 1))
    return [
        Guard(int(blocks.base[one]), GRANULE, max(0, int(blocks.born[one])), _end(life, one))
        for one in nothing.tolist()
    ]


def _around_samples(life: Life, strategy: Strategy) -> list[Guard]:
    blocks = life.blocks
    sampled = np.flatnonzero(_samples(life, strategy))
    page = blocks.base // PAGE * PAGE
    found: dict[tuple[int, int, int], Guard] = {}
    following = np.full(len(blocks), len(life.events), np.int64)  # when the page is the next block's
    last: dict[int, int] = {}
    for block in sampled.tolist():
        place = int(page[block])
        if place in last:
            following[last[place]] = blocks.born[block]
        last[place] = block
    for block in sampled.tolist():
        place, start, stop = int(page[block]), max(0, int(blocks.born[block])), _end(life, block)
        guards = [Guard(place - PAGE, PAGE, start, stop), Guard(place + PAGE, PAGE, start, stop)]
        if stop < int(following[block]):
            guards.append(Guard(place, PAGE, stop, int(following[block])))
        for one in guards:
            found[one.base, one.start, one.stop] = one
    return list(found.values())


def _samples(life: Life, strategy: Strategy) -> Booleans:
    """Which blocks are samples: exactly as much is usable as was asked for, at one end of a page of the pool.

    Those whose size is no class's are certain; the pool, every second page of one span, lies where they do.
    """
    blocks = life.blocks
    inside = blocks.base % PAGE
    room = PAGE - blocks.size
    fits = (blocks.size > 0) & (blocks.size <= PAGE) & (blocks.usable == blocks.size)
    fits &= (inside == 0) | ((room - inside >= 0) & (room - inside < GRANULE))
    certain = fits & ~np.isin(blocks.usable, strategy.classes)
    if not certain.any() or 2 * int(certain.sum()) > len(blocks) > 4:
        return np.zeros(len(blocks), np.bool_)  # more than a share: their usable sizes were not looked at
    pages = blocks.base // PAGE
    first, last = int(pages[certain].min()), int(pages[certain].max())
    found: Booleans = fits & (pages >= first) & (pages <= last) & (pages % 2 == first % 2)
    return found
