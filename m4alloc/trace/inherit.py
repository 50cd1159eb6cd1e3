"""The blocks that a process had at one moment of its history: what a child forked then starts with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from m4alloc.trace.read import Records, Trace, decode
from spec.event import ALLOCATING, FREEING, RESIZING, Event, Function


def live_at(trace: Trace, sequence: int, inherited: Sequence[Event] = ()) -> list[Event]:
    """The allocations whose blocks were live when the process had drawn the number `sequence`, by begin.

    A block is given up at the begin of the call that frees or resizes it and held from the end of the call that
    returned it, so a call in flight at that moment holds nothing. A block that was resized comes as a malloc of its
    last size. inherited: the blocks that the process was itself forked with.
    Cost: O(n log n) in the calls up to there.
    """
    records = trace.records[trace.order()]
    records = records[: int(np.searchsorted(records["begin"], sequence, side="right"))]
    codes = records["function"]
    resizing = np.isin(codes, [*RESIZING])
    returned = (records["end"] > 0) & (records["end"] <= sequence)
    failed = resizing & returned & (records["result"] == 0) & (records["errno"] > 0)
    releases = np.flatnonzero(((np.isin(codes, [*FREEING]) | resizing) & ~failed) & (records["address"] > 0))
    acquires = np.flatnonzero(
        (np.isin(codes, [*ALLOCATING]) | resizing)
        & returned
        & (records["result"] > 0)
        & ~((codes == Function.POSIX_MEMALIGN) & (records["errno"] > 0))
    )
    moments = np.concatenate([records["begin"][releases], records["end"][acquires]])
    addresses = np.concatenate([records["address"][releases], records["result"][acquires]])
    indices = np.concatenate([np.full(len(releases), -1), acquires])
    order = np.argsort(moments, kind="stable")
    live: dict[int, int] = {event.result: -1 - place for place, event in enumerate(inherited)}
    for address, index in zip(addresses[order].tolist(), indices[order].tolist(), strict=True):
        if index < 0:
            live.pop(address, None)
        else:
            live[address] = index
    own = sorted(index for index in live.values() if index >= 0)
    kept = sorted(-1 - index for index in live.values() if index < 0)
    return [*(inherited[place] for place in kept), *_as_allocations(records[own])]


def _as_allocations(records: Records) -> list[Event]:
    return [
        event
        if event.function not in RESIZING
        else event._replace(function=Function.MALLOC, address=0, size=event.request_size, count=1, intact=-1)
        for event in decode(records)
    ]
