"""From calls to lives: which block lived where, how large, and from when to when.

A block is acquired at the end of the call that returned it and released at the begin of the call that gave it up,
the order of a concurrent history; a realloc that moves, or stays, is a release and then an acquisition.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from m4alloc.view.raster import Blocks
from spec.event import ACCESSING, ALLOCATING, FREEING, RESIZING, Event, Function

Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

HIGHEST = 1 << 56
"""Addresses and sizes are clipped here, so that sums of a broken allocator's replies cannot wrap around."""


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls of one process image as columns of equal length; each column means what it means in `Event`.

    request: bytes asked for in all. begin, end: numbers of the process-wide counter, end 0 for a call that never
    returned.
    """

    function: Integers
    address: Integers
    request: Integers
    result: Integers
    errno: Integers
    usable: Integers
    begin: Integers
    end: Integers

    def __len__(self) -> int:
        return len(self.function)


def one_after_another(count: int) -> tuple[Integers, Integers]:
    """Begin and end numbers for so many calls of which each has ended when the next begins.

    >>> [column.tolist() for column in one_after_another(3)]
    [[1, 3, 5], [2, 4, 6]]
    """
    begin = 2 * np.arange(count, dtype=np.int64) + 1
    return begin, begin + 1


def calls_of(events: Iterable[Event]) -> Calls:
    """The calls among `events`; a sequential history (begin and end all 0) is numbered in its own order.

    Cost: O(n), some microseconds an event; for a recorded trace prefer the columns of its file.
    """
    rows = [
        (
            event.function,
            min(event.address, HIGHEST),
            min(event.request_size, HIGHEST),
            min(event.result, HIGHEST),
            event.errno,
            min(event.usable, HIGHEST),
            event.begin,
            event.end,
        )
        for event in events
        if event.function not in ACCESSING and event.function is not Function.LABEL
    ]
    columns = np.array(rows, np.int64).reshape(len(rows), 8).T
    calls = Calls(*columns)
    if len(calls) and not calls.begin.any():
        calls.begin[:], calls.end[:] = one_after_another(len(calls))
    return calls


@dataclass(frozen=True, slots=True)
class Lives:
    """The life of every block, one entry a block, in the order of birth.

    size: bytes requested. usable: bytes usable, at least `size` and at least 1. born, died: counter numbers; born
    is -1 for a block inherited from the parent process, died is `horizon` for a block that was never given up.
    """

    base: Integers
    size: Integers
    usable: Integers
    born: Integers
    died: Integers
    horizon: int
    begins: Integers
    """The begin numbers of all calls, rising: the clock that counts requests."""

    def __len__(self) -> int:
        return len(self.base)

    @property
    def requests(self) -> int:
        """How many calls there were."""
        return len(self.begins)

    def request_number(self, points: Integers) -> Integers:
        """How many requests had begun by each counter number.  Cost: O(log n) a point."""
        return np.searchsorted(self.begins, points, side="right").astype(np.int64)

    def alive_at(self, point: int) -> Lives:
        """The blocks that live just after the counter number `point`, as the inheritance of a child forked there."""
        return self._select((self.born <= point) & (self.died > point))

    @property
    def survivors(self) -> Lives:
        """The blocks that were never given up."""
        return self._select(self.died == self.horizon)

    def _select(self, mask: Booleans) -> Lives:
        base, size, usable, born, died = (
            column[mask] for column in (self.base, self.size, self.usable, self.born, self.died)
        )
        return Lives(base, size, usable, born, died, self.horizon, self.begins)

    def blocks(self) -> Blocks:
        """The lives on the clock of requests, as pictures take them."""
        born = self.request_number(self.born)
        died = np.maximum(born, self.request_number(np.minimum(self.died, self.horizon)))
        return Blocks(self.base, self.usable, born, died)


def lives_of(calls: Calls, inherited: Lives | None = None) -> Lives:
    """Match the calls that hand out with the calls that give up.

    inherited: the parent's blocks that were alive when this process was forked.
    A release of what is not alive (misuse) is passed over; an acquisition at the address of a living block
    (a violation) ends that block's life. Cost: O(n log n), about a second for a million calls.
    """
    releasing, acquiring = _ends_and_beginnings(calls)
    horizon = int(max(calls.begin.max(initial=0), calls.end.max(initial=0))) + 1

    base: list[Integers] = []
    point: list[Integers] = []
    size: list[Integers] = []
    usable: list[Integers] = []
    is_birth: list[Booleans] = []
    if inherited is not None:
        base.append(inherited.base)
        point.append(np.full(len(inherited), -1, np.int64))
        size.append(inherited.size)
        usable.append(inherited.usable)
        is_birth.append(np.ones(len(inherited), np.bool_))
    taken = calls.usable[acquiring]
    request = calls.request[acquiring]
    base += [calls.address[releasing], calls.result[acquiring]]
    point += [calls.begin[releasing], calls.end[acquiring]]
    size += [np.zeros(int(releasing.sum()), np.int64), request]
    usable += [np.zeros(int(releasing.sum()), np.int64), np.maximum(1, np.maximum(taken, request))]
    is_birth += [np.zeros(int(releasing.sum()), np.bool_), np.ones(int(acquiring.sum()), np.bool_)]

    columns = [np.concatenate(parts) for parts in (base, point, size, usable)]
    birth = np.concatenate(is_birth)
    # By address, then by time: the next point at the same address, if any, ends the life that began at a point.
    order = np.lexsort((columns[1], columns[0]))
    where, when, size_, usable_ = (column[order] for column in columns)
    birth = birth[order]
    followed = np.concatenate((where[1:] == where[:-1], [False])) if len(where) else np.empty(0, np.bool_)
    until = np.where(followed, np.concatenate((when[1:], [horizon])), horizon) if len(where) else when
    births = np.flatnonzero(birth)
    births = births[np.argsort(when[births], kind="stable")]
    return Lives(
        where[births], size_[births], usable_[births], when[births], until[births], horizon, np.sort(calls.begin)
    )


def _ends_and_beginnings(calls: Calls) -> tuple[Booleans, Booleans]:
    """Which calls give up a block, and which hand one out."""
    resizing = np.isin(calls.function, [int(function) for function in RESIZING])
    allocating = np.isin(calls.function, [int(function) for function in ALLOCATING])
    freeing = np.isin(calls.function, [int(function) for function in FREEING])
    returned = calls.end > 0
    # posix_memalign returns its error; its result is what *memptr holds, which may be an old pointer.
    failed = (calls.function == int(Function.POSIX_MEMALIGN)) & (calls.errno != 0)
    acquiring = (allocating | resizing) & returned & (calls.result != 0) & ~failed
    # realloc(p, 0) that returned null without an error has freed the block; any other null has not.
    vanished = resizing & (calls.request == 0) & (calls.result == 0) & (calls.errno == 0)
    releasing = (calls.address != 0) & (freeing | (resizing & acquiring) | (vanished & returned))
    return releasing, acquiring
