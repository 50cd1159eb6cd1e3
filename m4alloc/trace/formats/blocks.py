"""From a history to its blocks: which block each call is about, and from which call to which each block lives."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from m4alloc.trace.formats.history import History
from m4alloc.trace.operations import compile_trace
from m4alloc.trace.read import Records
from spec.event import RESIZING, Function

Integers = npt.NDArray[np.int64]
ALLOCATE, FREE, RESIZE = 1, 2, 3
_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Calls:
    """The calls that make, resize and free blocks, in order, as columns of equal length.

    action: ALLOCATE, FREE or RESIZE. block: number of the block, from 0 by beginning; a resize keeps it, wherever it
    moves it to. size: bytes requested in all, 0 for a FREE. alignment: 0 for none. record: the place of the call's
    record in `records`, which are those of `History.whole()`, in order. blocks: how many there are.
    skipped: calls that are about no block: failed ones, free(NULL), questions, pointers that were no block.
    """

    records: Records
    action: npt.NDArray[np.uint8]
    block: Integers
    size: Integers
    alignment: Integers
    record: Integers
    blocks: int
    skipped: int

    def __len__(self) -> int:
        return len(self.action)


def calls_of(history: History) -> Calls:
    """Match frees and resizes with what they are about.  Cost: half a microsecond a call.

    >>> from pathlib import Path
    >>> from m4alloc.trace.formats.history import of_records, records_of
    >>> from spec.event import Event
    >>> made = [Event(Function.MALLOC, size=8, result=64), Event(Function.FREE, address=64), Event(Function.FREE)]
    >>> calls = calls_of(of_records(Path("example"), "m4t", *records_of(made)))
    >>> calls.action.tolist(), calls.block.tolist(), calls.skipped
    ([1, 2], [0, 0], 1)
    """
    trace = history.whole().trace
    order = trace.order()
    operations = compile_trace(trace)
    array = operations.array
    used = (array["slot"] > 0) & (array["kind"] != Function.USABLE_SIZE)
    array, index, fresh = array[used], operations.index[used], operations.fresh[used]
    kind = array["kind"]
    action = np.full(len(array), ALLOCATE, np.uint8)
    action[kind == Function.FREE] = FREE
    action[np.isin(kind, [*RESIZING]) & ~fresh] = RESIZE
    begun = np.cumsum(action == ALLOCATE) - 1
    by_slot = np.argsort(array["slot"], kind="stable")
    begins = np.where((action == ALLOCATE)[by_slot], np.arange(len(array)), 0)
    block = np.empty(len(array), np.int64)
    block[by_slot] = begun[by_slot[np.maximum.accumulate(begins)]] if len(array) else begun
    size, extra = array["size"], array["extra"]
    size = np.where(np.isin(kind, (Function.CALLOC, Function.REALLOCARRAY)), size * extra, size)
    size[action == FREE] = 0
    aligned = np.isin(kind, (Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN))
    alignment = np.where(aligned, extra, np.where(np.isin(kind, (Function.VALLOC, Function.PVALLOC)), _PAGE, 0))
    place = np.empty(len(trace.records), np.int64)
    place[order] = np.arange(len(order))
    about_none = np.isin(
        trace.records["function"][order], (Function.LABEL, Function.LOAD, Function.STORE, Function.FILL)
    )
    return Calls(
        records=trace.records[order],
        action=action,
        block=block,
        size=np.minimum(size, 1 << 62).astype(np.int64),
        alignment=alignment.astype(np.int64),
        record=place[index],
        blocks=int((action == ALLOCATE).sum()),
        skipped=int(len(order) - about_none.sum() - len(array)),
    )


@dataclass(frozen=True, slots=True)
class Spans:
    """Blocks as stretches of one size at one address: one entry an ALLOCATE or RESIZE, in order.

    block: as in `Calls`. first: the call that began it; last: the one that ended it, len(calls) for none. size: bytes.
    address: where. record: of the call that began it.
    """

    block: Integers
    first: Integers
    last: Integers
    size: Integers
    address: Integers


def spans_of(calls: Calls) -> Spans:
    """The stretches of the blocks' lives.  Cost: O(n log n)."""
    by_block = np.argsort(calls.block, kind="stable")
    ordered = calls.block[by_block]
    last = np.full(len(calls), len(calls), np.int64)
    if len(calls):
        same = ordered[1:] == ordered[:-1]
        last[by_block[:-1][same]] = by_block[1:][same]
    first = np.flatnonzero(calls.action != FREE)
    address = calls.records["result"][calls.record[first]].astype(np.int64)
    return Spans(calls.block[first], first, last[first], calls.size[first], address)


def live_of(calls: Calls) -> tuple[Integers, Integers]:
    """Bytes requested and live, and blocks live, after each call.  Cost: O(n log n).

    >>> from pathlib import Path
    >>> from m4alloc.trace.formats.history import of_records, records_of
    >>> from spec.event import Event
    >>> made = [Event(Function.MALLOC, size=8, result=64), Event(Function.REALLOC, address=64, size=20, result=96)]
    >>> [column.tolist() for column in live_of(calls_of(of_records(Path("example"), "m4t", *records_of(made))))]
    [[8, 20], [1, 1]]
    """
    by_block = np.argsort(calls.block, kind="stable")
    before = np.zeros(len(calls), np.int64)
    if len(calls):
        ordered = calls.block[by_block]
        same = ordered[1:] == ordered[:-1]
        before[by_block[1:][same]] = calls.size[by_block[:-1][same]]
    change = np.zeros(len(calls), np.int64)
    change[calls.action == ALLOCATE] = 1
    change[calls.action == FREE] = -1
    return np.cumsum(calls.size - before), np.cumsum(change)
