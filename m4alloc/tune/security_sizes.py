"""What a strategy gives a block, by the size of the block: the class that serves it, and steps over all sizes.

Sizes of steps are of what a block takes: the bytes that are asked for, under canaries with the canary, and of a large
block with the pages of its guards. So a canary or a guard is never counted against the strategy that has it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from math import log2

from m4alloc.strategy import CLASS_MAX, GRANULE, PAGE, UNIT, Strategy

Steps = tuple[tuple[int, float], ...]
"""A value for every size: (largest size, value), sizes increasing, neighbours of different values."""

BEYOND = 2 * CLASS_MAX
"""The end of steps that also speak of blocks of more than 1 MiB: they are one step."""

CANARY_BYTES = 8
"""What a request takes more of a slot under canaries."""

CLEAR = 1e-9
"""Differences below this are none: entropies and shares are computed in floating point."""


def slots_of(strategy: Strategy) -> tuple[int, ...]:
    """The slot sizes that serve requests: all, but that under canaries none is shorter than 32 bytes.

    >>> slots_of(Strategy(classes=(16, 64), canaries=True))
    (64,)
    """
    sizes = strategy.classes
    return sizes[1:] if strategy.canaries and sizes[0] == GRANULE else sizes


def served_by(strategy: Strategy, taken: int) -> int | None:
    """The slot size that serves a block which takes so many bytes; None: it is a large one.

    >>> served_by(Strategy(), 1000), served_by(Strategy(), 40000)
    (1024, None)
    """
    slots = slots_of(strategy)
    at = bisect_left(slots, taken)
    return slots[at] if at < len(slots) else None


def slot_wait(strategy: Strategy, slot: int) -> int:
    """How many other slots of a class are freed before a freed one is used again, at least.

    >>> slot_wait(Strategy(), 1024), slot_wait(Strategy(), 4096), slot_wait(Strategy(quarantine=8), 4096)
    (16, 4, 12)
    """
    line = 1 << (strategy.delay_line - 1).bit_length() if strategy.delay_line else 0
    while line > 1 and line * slot > strategy.delay_bytes:
        line //= 2
    further = 0 if strategy.quarantine_random else pool(strategy.quarantine, strategy.quarantine_bytes, slot)
    return min(line, strategy.delay_line) + further


def pool(quarantine: int, quarantine_bytes: int, slot: int) -> int:
    """The slots of a class that a quarantine holds.

    >>> pool(8, 32768, 64), pool(8, 32768, 16384)
    (8, 2)
    """
    return min(quarantine, max(1, quarantine_bytes // slot))


def slab_of(strategy: Strategy, slot: int) -> int:
    """Bytes of a slab of the class.

    >>> slab_of(Strategy(), 16), slab_of(Strategy(), 10240)
    (65536, 131072)
    """
    if strategy.slab_bytes:
        return strategy.slab_bytes[strategy.classes.index(slot)]
    return max(UNIT, 1 << (8 * slot - 1).bit_length())


def large_wait(strategy: Strategy, taken: int) -> int:
    """How many other large blocks are freed before a freed one is used again, at least, when all take as many bytes.

    >>> large_wait(Strategy(), 65536), large_wait(Strategy(), 65537)
    (8, 4)
    """
    return (strategy.large_quarantine or strategy.large_delay) // (-(-taken // UNIT) * UNIT)


def reuse_distance(strategy: Strategy, size: int) -> int:
    """How many other blocks of `size` bytes are freed before a freed one is used again, at least.

    size: as malloc takes it, 1 at least. The class that serves it decides, whether or not there is one of that size;
    above the last class the span does, which has whole units of 65,536 bytes. Of samples this does not speak: they have
    pages of their own. Nor of what is aligned to more than its class is.

    >>> [reuse_distance(Strategy(), size) for size in (1000, 1024, 1025, 4096, 65536)]
    [16, 16, 8, 4, 8]
    >>> reuse_distance(Strategy(classes=(16, 32768)), 24)
    1
    """
    largest = strategy.classes[-1]
    if size <= largest:
        slot = served_by(strategy, size + CANARY_BYTES if strategy.canaries else size)
        if slot is not None:
            return slot_wait(strategy, slot)
    pages = -(-(max(size, largest + 1) + CANARY_BYTES * (strategy.canaries and not strategy.guards)) // PAGE)
    return large_wait(strategy, (pages + 2 * strategy.guards) * PAGE)


def over_sizes(
    strategy: Strategy, of_slot: Callable[[int], float], of_large: Callable[[int], float], end: int = BEYOND
) -> Steps:
    """Steps of a value that blocks have by their slot size, or by what their span takes.

    >>> over_sizes(Strategy(), lambda slot: 0, lambda span: 1)
    ((32768, 0), (2097152, 1))
    """
    slots = slots_of(strategy)
    last = slots[-1] if slots else 0
    spans = [*range((last // UNIT + 1) * UNIT, CLASS_MAX + 1, UNIT), *([end] if end > CLASS_MAX else [])]
    return merged([*((slot, of_slot(slot)) for slot in slots), *((span, of_large(span)) for span in spans)])


def merged(steps: Iterable[tuple[int, float]]) -> Steps:
    """The same steps with neighbours of one value made one.

    >>> merged([(16, 2), (32, 2), (48, 1)])
    ((32, 2), (48, 1))
    """
    found: list[tuple[int, float]] = []
    for size, value in steps:
        if found and found[-1][1] == value:
            found.pop()
        found.append((size, value))
    return tuple(found)


def at(steps: Steps, size: int) -> float:
    """The value at a size; beyond the last step its value.

    >>> at(((32, 2), (48, 1)), 33)
    1
    """
    return next((value for most, value in steps if size <= most), steps[-1][1])


def short(mine: Steps, theirs: Steps) -> Iterator[tuple[int, int, float, float]]:
    """Where the values fall short: (first size, last size, mine, theirs), as long as both stay the same.

    >>> list(short(((64, 2), (128, 1)), ((32, 1), (128, 2))))
    [(65, 128, 1, 2)]
    """
    if mine == theirs:
        return
    run: tuple[int, int, float, float] | None = None
    below = i = j = 0
    while i < len(mine) and j < len(theirs):
        (ends, have), (others, want) = mine[i], theirs[j]
        most = min(ends, others)
        if have < want - CLEAR:
            if run is not None and run[1:] == (below, have, want):
                run = run[0], most, have, want
            else:
                if run is not None:
                    yield run
                run = below + 1, most, have, want
        below, i, j = most, i + (ends == most), j + (others == most)
    if run is not None:
        yield run


def sizes_told(first: int, last: int) -> str:
    """A range of sizes in words.

    >>> sizes_told(1, 1024), sizes_told(32769, BEYOND)
    ('1 to 1024 bytes', '32769 bytes and more')
    """
    return f"{first} bytes and more" if last == BEYOND else f"{first} to {last} bytes"


def mean(steps: Steps, measure: Callable[[float], float]) -> float:
    """The mean of a measure of the values; from 8 bytes on every doubling of the size counts the same.

    >>> mean(((16, 1), (64, 4)), float)
    3.0
    """
    low = log2(GRANULE // 2)
    total, below = 0.0, low
    for size, value in steps:
        total += (log2(size) - below) * measure(value)
        below = log2(size)
    return total / (below - low)
