"""Compile a recorded history into the replayer's operations: blocks become slots, so any allocator may place them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from m4alloc.trace.read import Trace
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function

OPERATION = np.dtype([("kind", "<u4"), ("slot", "<u4"), ("size", "<u8"), ("extra", "<u8")])
PLAN = np.dtype([("slots", "<u8"), ("prelude", "<u8"), ("operations", "<u8")])

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
    failed requests, calls that never returned, and calls on pointers that were no live block.
    """

    array: npt.NDArray[np.void]
    prelude: int
    slots: int
    skipped: int

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
    Cost: about a microsecond a call.
    """
    records = trace.records[trace.order()]
    records = records[_ROLE[records["function"]] > 0]
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
    before = _blocks(records, role, hands_out, gives_up, inherited)
    slot, slots = _slots(before, hands_out.tolist(), gives_up.tolist(), len(inherited))
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
    return Operations(array, len(inherited), slots, int(len(records) - made.sum()))


_NULL = -1
_NO_BLOCK = -2


def _blocks(
    records: npt.NDArray[np.void],
    role: npt.NDArray[np.uint8],
    hands_out: npt.NDArray[np.bool_],
    gives_up: npt.NDArray[np.bool_],
    inherited: Sequence[Event],
) -> list[int]:
    """The block that each call is made on: the call that handed it out, after the inherited ones; or _NULL, _NO_BLOCK.

    A block is given up where its call begins and handed out where its call ends; both are walked in one order.
    """
    gone, made = np.flatnonzero(gives_up), np.flatnonzero(hands_out)
    asks = np.flatnonzero((role == _ASKS) & (records["address"] > 0))
    if records["begin"].any():
        moments = np.concatenate([records["begin"][gone], records["end"][made], records["begin"][asks]])
    else:
        moments = np.concatenate([2 * gone, 2 * made + 1, 2 * asks])
    calls = np.concatenate([gone, made, asks])
    addresses = np.concatenate([records["address"][gone], records["result"][made], records["address"][asks]])
    sorts = np.repeat([_FREES, _ALLOCATES, _ASKS], [len(gone), len(made), len(asks)])
    order = np.argsort(moments, kind="stable")
    at = {event.result: place for place, event in enumerate(inherited)}
    blocks = [_NULL] * len(records)
    columns = (calls[order].tolist(), addresses[order].tolist(), sorts[order].tolist())
    for call, address, sort in zip(*columns, strict=True):
        if sort == _FREES:
            blocks[call] = at.pop(address, _NO_BLOCK)
        elif sort == _ALLOCATES:
            at[address] = len(inherited) + call
        else:
            blocks[call] = at.get(address, _NO_BLOCK)
    return blocks


def _slots(
    blocks: list[int], hands_out: list[bool], gives_up: list[bool], inherited: int
) -> tuple[npt.NDArray[np.int64], int]:
    """The slot of each call, 0 for NULL and -1 for a pointer that is no block; and how many slots there are.

    The calls are walked in the order in which they will be made: a slot is free once the call on its block was made.
    """
    slot_of = {place: place + 1 for place in range(inherited)}
    count = inherited + 1
    free: list[int] = []
    slots: list[int] = []
    for call, (block, hands, gives) in enumerate(zip(blocks, hands_out, gives_up, strict=True)):
        if block == _NO_BLOCK:
            slots.append(-1)
            continue
        slot = 0 if block == _NULL else slot_of.pop(block) if gives else slot_of[block]
        if hands:
            if slot == 0:
                slot = free.pop() if free else count
                count = max(count, slot + 1)
            slot_of[inherited + call] = slot
        elif gives:
            free.append(slot)
        slots.append(slot)
    return np.array(slots, np.int64), count
