"""Which block an event is about, as its rank among those that live: 0 for the youngest."""

from __future__ import annotations

import numpy as np

from m4alloc.check.lives import Integers

NONE, DEAD, LIVE = 0, 1, 2
"""What stands in place of a rank for no block, and for one that was given up before; LIVE is added to the others."""


def ranks(known: Integers, blocks: Integers, at: Integers, gone: Integers) -> tuple[Integers, Integers]:
    """The rank of each event's block, and the ages of those that were given up before (see `NONE`).

    known: how many blocks had been handed out before each event. blocks: that it is about, -1 for none. at: the events'
    numbers, rising. gone: of each block the event that gave it up. Cost: O(n log n), a second for a million.

    >>> at, gone = np.array([2, 3, 4]), np.array([2, 9])
    >>> [column.tolist() for column in ranks(np.array([2, 2, 2]), np.array([0, 0, 1]), at, gone)]
    [[3, 1, 2], [2]]
    """
    told = np.full(len(blocks), NONE, np.int64)
    some = np.flatnonzero(blocks >= 0)
    block, moment = blocks[some], at[some]
    dead = gone[block] < moment
    order = np.argsort(gone, kind="stable")
    before = np.searchsorted(gone[order], moment)
    younger = known[some] - 1 - block - _larger(order, before, block)
    told[some] = np.where(dead, DEAD, younger + LIVE)
    return told, (known[some] - block)[dead]


def _larger(values: Integers, lengths: Integers, bounds: Integers) -> Integers:
    """How many of the first `length` values are larger than `bound`, for each pair of the two.

    The values are sorted bit by bit, the highest first, and each pair keeps the stretch that agrees with its bound.
    """
    start, stop = np.zeros_like(lengths), lengths.copy()
    count = np.zeros_like(lengths)
    for bit in range(int(max(values.max(initial=0), bounds.max(initial=0))).bit_length() - 1, -1, -1):
        ones = (values >> bit & 1).astype(np.bool_)
        passed = np.concatenate(([0], np.cumsum(ones)))
        zeros = len(values) - int(passed[-1])
        first, last = passed[start], passed[stop]
        upper = (bounds >> bit & 1).astype(np.bool_)
        count += np.where(upper, 0, last - first)
        start = np.where(upper, zeros + first, start - first)
        stop = np.where(upper, zeros + last, stop - last)
        values = np.concatenate((values[~ones], values[ones]))
    return count
