"""Compile a recorded history into the replayer's operations: blocks become slots, so any allocator may place them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from m4alloc.trace.read import Trace
from m4alloc.trace.walk import assign, compiled_walk
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function

OPERATION = np.dtype([("kind", "<u4"), ("slot", "<u4"), ("size", "<u8"), ("extra", "<u8")])
PLAN = np.dtype([("slots", "<u8"), ("prelude", "<u8"), ("operations", "<u8")])

WORTH_COMPILING = 300_000
"""Calls from which on loading numba, about half a second, costs less than the walk in Python."""

_ALLOCATES = 1
_RESIZES = 2
_FREES = 3
_ASKS = 4
_ROLE = np.zeros(256, np.uint8)
_ROLE[[*ALLOCATING]] = _ALLOCATES
_ROLE[[*RESIZING]] = _RESIZES
_ROLE[[*FREEING]] = _FREES
_ROLE[Function.USABLE_SIZE] = _ASKS

_KIND = np.zeros(256, np.uint32)
_KIND[[*Function]] = [*Function]
_KIND[[*FREEING]] = Function.FREE
_KIND[[*RESIZING]] = Function.REALLOC
_KIND[Function.NEW] = Function.MALLOC


@dataclass(frozen=True, slots=True)
class Operations:
    """The program to replay. The first `prelude` operations make the blocks that a forked process began with.

    slots: places for the addresses of blocks, the first always NULL. skipped: calls that cannot be made again:
    failed requests, calls that never returned, and calls on pointers that were no live block. index: of each
    operation, the record of the trace that it comes from; -1 in the prelude. fresh: of each operation, whether it
    makes a block where there was none: allocations, and resizes of NULL or of an unknown pointer.
    """

    array: npt.NDArray[np.void]
    prelude: int
    slots: int
    skipped: int
    index: npt.NDArray[np.int64]
    fresh: npt.NDArray[np.bool_]

    @property
    def requests(self) -> int:
        """The operations that the clock runs for."""
        return len(self.array) - self.prelude

    def write(self, file: BinaryIO) -> None:
        """Write the file that libm4replay.so reads."""
        file.write(np.array([(self.slots, self.prelude, len(self.array))], PLAN).tobytes())
        file.write(self.array.tobytes())


def compile_trace(trace: Trace, inherited: Sequence[Event] = ()) -> Operations:
    """The trace's calls in the order in which they began, threads and all, after those that made `inherited`.

    A call begins after the calls that returned its block have ended, so every block exists when it is needed.
    operator new and delete become malloc and free, or aligned_alloc; the sized frees become free.
    Cost: about a quarter of a microsecond a call with numba, and half of one without.
    """
    order = trace.order()
    order = order[_ROLE[trace.records["function"][order]] > 0]
    records = trace.records[order]
    codes = records["function"]
    role = _ROLE[codes]
    kind = _KIND[codes]
    size, extra = records["size"].copy(), records["extra"].copy()
    kind[(codes == Function.NEW) & (extra > 0)] = Function.MEMALIGN
    product = codes == Function.REALLOCARRAY
    size[product] *= extra[product]
    returned = records["end"] > 0
    if not records["begin"].any():  # a sequential history without numbers
        returned[:] = True
    failed = records["errno"] > 0
    hands_out = ((role == _ALLOCATES) | (role == _RESIZES)) & returned & (records["result"] > 0) & ~failed
    gives_up = ((role == _FREES) | (role == _RESIZES)) & (records["address"] > 0) & ~failed
    kind[(role == _RESIZES) & gives_up & returned & (records["result"] == 0)] = Function.FREE
    # What a resize that never returned has done to its block is not known: its slot is not used again.
    keeps = (role == _RESIZES) & ~returned
    before = _blocks(records, role, hands_out, gives_up, inherited)
    slot, slots = _slots(before, hands_out, gives_up, keeps, len(inherited))
    made = (slot >= 0) & ~((role == _ALLOCATES) & ~hands_out) & ~((role == _RESIZES) & (failed | ~returned))
    array = np.zeros(len(inherited) + int(made.sum()), OPERATION)
    for place, event in enumerate(inherited):
        aligned = event.alignment > 0
        array[place] = (
            Function.CALLOC if event.function is Function.CALLOC else Function.MEMALIGN if aligned else Function.MALLOC,
            place + 1,
            event.size,
            event.count if event.function is Function.CALLOC else event.alignment,
        )
    own = array[len(inherited) :]
    own["kind"], own["slot"], own["size"], own["extra"] = kind[made], slot[made], size[made], extra[made]
    index, fresh = np.full(len(array), -1, np.int64), np.ones(len(array), np.bool_)
    index[len(inherited) :] = order[made]
    fresh[len(inherited) :] = (hands_out & (before < 0))[made]
    return Operations(array, len(inherited), slots, int(len(records) - made.sum()), index, fresh)


_NULL = -1
_NO_BLOCK = -2


def _blocks(
    records: npt.NDArray[np.void],
    role: npt.NDArray[np.uint8],
    hands_out: npt.NDArray[np.bool_],
    gives_up: npt.NDArray[np.bool_],
    inherited: Sequence[Event],
) -> npt.NDArray[np.int64]:
    """The block that each call is made on: the call that handed it out, after the inherited ones; or _NULL, _NO_BLOCK.

    A block is given up where its call begins and handed out where its call ends. Of the moments at one address, what
    was handed out last before a call, and not given up in between, is the block that it is made on.
    """
    first = len(inherited)
    gone, made = np.flatnonzero(gives_up), np.flatnonzero(hands_out)
    asks = np.flatnonzero((role == _ASKS) & (records["address"] > 0))
    if records["begin"].any():
        moments = np.concatenate([records["begin"][gone], records["end"][made], records["begin"][asks]])
    else:
        moments = np.concatenate([2 * gone, 2 * made + 1, 2 * asks])
    addresses = np.concatenate([records["address"][gone], records["result"][made], records["address"][asks]])
    given = np.array([event.result for event in inherited], np.uint64)
    in_time = np.argsort(moments, kind="stable")
    addresses = np.concatenate([given, addresses[in_time]])
    calls = np.concatenate([np.arange(-first, 0), np.concatenate([gone, made, asks])[in_time]])
    sorts = np.repeat(np.array([_FREES, _ALLOCATES, _ASKS]), [len(gone), len(made), len(asks)])
    sorts = np.concatenate([np.full(first, _ALLOCATES), sorts[in_time]])
    together = np.argsort(addresses, kind="stable")
    addresses, calls, sorts = addresses[together], calls[together], sorts[together]
    # The last moment before each that changed what lies at the address; asking changes nothing.
    changes = np.where(sorts == _ASKS, -1, np.arange(len(sorts)))
    latest = np.concatenate([[-1], np.maximum.accumulate(changes)[:-1]]) if len(changes) else changes
    known = (latest >= 0) & (addresses[latest] == addresses) & (sorts[latest] == _ALLOCATES)
    blocks = np.full(len(records), _NULL, np.int64)
    users = sorts != _ALLOCATES
    blocks[calls[users]] = np.where(known, first + calls[latest], _NO_BLOCK)[users]
    return blocks


def _slots(
    blocks: npt.NDArray[np.int64],
    hands_out: npt.NDArray[np.bool_],
    gives_up: npt.NDArray[np.bool_],
    keeps: npt.NDArray[np.bool_],
    inherited: int,
) -> tuple[npt.NDArray[np.int64], int]:
    """The slot of each call, 0 for NULL and -1 for a pointer that is no block; and how many slots there are.

    numba makes the walk fast; without it, and for short traces, which would wait for it to load, Python walks.
    """
    if len(blocks) >= WORTH_COMPILING and (walk := compiled_walk()) is not None:
        slots = np.zeros(len(blocks), np.int64)
        slot_of, free = np.zeros(inherited + len(blocks), np.int64), np.zeros(len(blocks) + inherited, np.int64)
        return slots, int(walk(blocks, hands_out, gives_up, keeps, inherited, slots, slot_of, free))
    places = [0] * len(blocks)
    room = inherited + len(blocks)
    columns = (blocks.tolist(), hands_out.tolist(), gives_up.tolist(), keeps.tolist())
    count = assign(*columns, inherited, places, [0] * room, [0] * room)
    return np.array(places, np.int64), count
