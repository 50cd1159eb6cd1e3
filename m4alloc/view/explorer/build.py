"""From a history to what the explorer draws: which block lived where and when, and what each event did to it."""

from __future__ import annotations

import numpy as np

from m4alloc.check.lives import Booleans, Integers, Lives, lives_of
from m4alloc.view.explorer.build_columns import Columns
from m4alloc.view.explorer.build_curves import curves_of
from m4alloc.view.explorer.build_owner import owners
from m4alloc.view.explorer.life import FAILED, Events, Life, LifeBlocks, Mark
from m4alloc.view.quantity import duration
from spec.event import ALLOCATING, RESIZING

ROUNDED_FROM = 100_000
"""Events from which on times are rounded: exact ones would be the largest part of a page."""
STEPS = 1 << 19
"""Steps of the clock that the whole run has then."""
CLASSES = 512
"""Size classes that are listed at most: an allocator that rounds to no classes has as many as there are sizes."""


def life_of(
    columns: Columns,
    *,
    title: str,
    allocator: str,
    inherited: Lives | None = None,
    quarantine: tuple[int, int] = (0, 0),
    end: str = "",
    left_out: str = "",
) -> Life:
    """The life of a heap, without what only a specification or a protected machine can add.

    inherited: the blocks that the process was forked with. quarantine: how many other frees of its size class a block
    sits out, and the largest usable size that this is promised for. title, allocator, end, left_out: as in `Life`.
    Cost: O(n log n): some two seconds for a million events without accesses.

    >>> from m4alloc.view.explorer.build_columns import columns_of_events
    >>> from spec.script import parse, to_events
    >>> told = to_events(parse("a = malloc 24 -> 0x1000\\nb = realloc a 99 -> 0x2000\\nfree b"))
    >>> life = life_of(columns_of_events(told), title="three calls", allocator="")
    >>> life.events.block.tolist(), life.blocks.born.tolist(), life.blocks.died.tolist(), life.blocks.origin.tolist()
    ([0, 1, 1], [0, 1], [1, 2], [-1, 0])
    """
    lives = lives_of(columns.calls(), inherited)
    count = len(columns)
    base, size, usable, born, died, given_up = _on_the_clock(columns, lives)
    released = np.flatnonzero(given_up)
    gone_at = np.full(count, -1, np.int64)
    gone_at[died[released]] = released
    made_at = np.full(count, -1, np.int64)
    here = np.flatnonzero(born >= 0)
    made_at[born[here]] = here

    origin = np.full(len(lives), -1, np.int64)
    origin[here] = gone_at[born[here]]
    thread = np.full(len(lives), -1, np.int64)
    thread[here] = columns.thread[born[here]]
    freer = np.full(len(lives), -1, np.int64)
    freer[released] = columns.thread[died[released]]

    block = np.where(made_at >= 0, made_at, gone_at)
    block, offset = owners(columns, base, usable, born, died, block)
    nothing = np.zeros(len(lives), np.int64)
    blocks = LifeBlocks(
        base,
        size,
        usable,
        born,
        died,
        reusable(usable, died, freer, quarantine, count),
        thread,
        freer,
        origin,
        np.full(len(lives), -1, np.int64),
        nothing,
        nothing,
    )
    classes = np.unique(usable)
    times, rounded = _rounded(columns.time_ns)
    events = Events(columns.function, columns.thread, block, columns.request, offset, times, _flags(columns, made_at))
    marks = tuple(
        Mark(event, int(block[event]), "label", text or "(no text)") for event, text in sorted(columns.labels.items())
    )
    return Life(
        title,
        allocator,
        events,
        blocks,
        end=end,
        left_out=" ".join(filter(None, (left_out, rounded))),
        threads=tuple(f"thread {name}" for name in columns.threads),
        size_classes=tuple(classes.tolist()) if len(classes) <= CLASSES else (),
        marks=marks,
        curves=curves_of(lives, columns),
        quarantine=quarantine[0],
        quarantine_limit=quarantine[1] if quarantine[0] else 0,
    )


def _on_the_clock(columns: Columns, lives: Lives) -> tuple[Integers, Integers, Integers, Integers, Integers, Booleans]:
    """The blocks by the event that handed them out: base, size, usable, born, died, and whether they were given up."""
    count = len(columns)
    order = np.argsort(columns.end, kind="stable")
    ends = columns.end[order]

    def ending(points: Integers) -> Integers:
        return order[np.minimum(np.searchsorted(ends, points), count - 1)] if count else points

    born = np.where(lives.born < 0, -1, ending(np.maximum(lives.born, 0)))
    place = np.minimum(np.searchsorted(columns.begin, lives.died), max(0, count - 1))
    gone = lives.died < lives.horizon
    given_up = gone & (columns.begin[place] == lives.died) if count else gone
    # What is not given up at a begin was overwritten at an end, by another reply with the same address.
    # The call that overwrote it may have begun before the one that handed it out: then it ends where it began.
    died = np.where(~gone, count, np.where(given_up, place, np.maximum(ending(lives.died), born)))
    by_birth = np.argsort(born, kind="stable")  # calls that overlap may return in another order than they began
    base, size, usable, born, died = (
        column[by_birth].astype(np.int64) for column in (lives.base, lives.size, lives.usable, born, died)
    )
    return base, size, usable, born, died, given_up[by_birth]


def reusable(usable: Integers, died: Integers, freer: Integers, quarantine: tuple[int, int], count: int) -> Integers:
    """From which event on the allocator may hand a block's bytes out again, by what it promised.

    quarantine: as of `life_of`. freer: -1 for a block that nobody gave up. count: events.
    """
    length, limit = quarantine
    if not length:
        return died
    waiting = np.flatnonzero((freer >= 0) & (usable <= limit))
    by_class = waiting[np.lexsort((died[waiting], usable[waiting]))]
    later = np.full(len(by_class), count, np.int64)
    if len(by_class) > length:
        alike = usable[by_class[:-length]] == usable[by_class[length:]]
        later[:-length][alike] = died[by_class[length:]][alike]
    found = died.copy()
    found[by_class] = later
    return found


def _rounded(times: Integers) -> tuple[Integers, str]:
    """The times, to the nearest of STEPS steps where there are many, and what to say of it."""
    last = int(times.max(initial=0))
    step = last // STEPS
    if len(times) < ROUNDED_FROM or step < 2:
        return times, ""
    return (times + step // 2) // step * step, f"Times are rounded to {duration(step / 1e9)}."


def _flags(columns: Columns, made_at: Integers) -> Integers:
    """The flags of the events, and FAILED at requests that handed out nothing though bytes were asked for."""
    asking = np.isin(columns.function, [*map(int, ALLOCATING), *map(int, RESIZING)])
    failed = asking & (made_at < 0) & (columns.errno > 0)
    return columns.flags | np.where(failed, FAILED, 0)
