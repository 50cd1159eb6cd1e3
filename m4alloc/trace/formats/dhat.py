"""DHAT profiles, version 2 of valgrind's JSON: what dh_view.html shows, a tree of the places that allocate.

A place is a function of the malloc family and the address it returned to; blocks whose call site nobody noted are
told apart by size. As in DHAT, a resize counts as one more block of the place that made the block.
Source of the fields: the comment "File format notes" in valgrind's dhat/dh_main.c.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from sortedcontainers import SortedDict

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.blocks import ALLOCATE, FREE, Calls, Integers, calls_of, live_of, spans_of
from m4alloc.trace.formats.columns import FUNCTIONS
from m4alloc.trace.formats.history import History
from m4alloc.trace.read import Records
from m4alloc.trace.whole import replacing
from m4alloc.view.quantity import binary_size
from spec.event import ACCESSING, Function

VERSION = 2
ROOT = "[root]"
"""The first frame of every table."""
SHORT_US, SHORT_EVENTS = 10, 16
"""What counts as a short life, in microseconds, and in events where there are no times."""


def write_dhat(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write the profile; times in microseconds, or in events when the history has none.  Cost: 2 us a call."""
    progress.phase("counting blocks by place")
    profile = profile_of(history)
    with replacing(path) as file:
        file.write(json.dumps(profile, indent=1).encode())
    lost = ["DHAT holds sums of blocks by place, not the blocks"]
    if not history.trace.records["site"].any():
        lost.append("the history has no call sites: places are functions and sizes")
    return tuple(lost)


def profile_of(history: History) -> dict[str, Any]:
    """The profile as the JSON that DHAT's viewer loads.

    >>> from m4alloc.trace.formats.history import of_records, records_of
    >>> from spec.event import Event
    >>> made = [Event(Function.MALLOC, size=8, result=64), Event(Function.REALLOC, address=64, size=20, result=96)]
    >>> profile = profile_of(of_records(Path("example"), "m4t", *records_of(made)))
    >>> [(place["tb"], place["tbk"], place["gb"], place["eb"]) for place in profile["pps"]], profile["ftbl"]
    ([(28, 2, 20, 20)], ['[root]', 'malloc', 'blocks of 5 to 8 B'])
    """
    history = history.whole()
    calls = calls_of(history)
    records, trace = calls.records, history.trace
    clocked = bool(records["time_ns"].any())
    time = records["time_ns"].astype(np.int64) // 1000 if clocked else np.arange(len(records), dtype=np.int64)
    time = np.maximum.accumulate(time) if len(time) else time
    live, _ = live_of(calls)
    place, frames = _places(calls)
    # Of several equal peaks DHAT takes the last.
    peak = len(live) - 1 - int(np.argmax(live[::-1])) if len(live) else 0
    end = int(time[-1]) if len(time) else 0
    columns = _sums(calls, place, len(frames), peak, time[calls.record], end)
    accesses = bool(np.isin(records["function"], [*ACCESSING]).any())
    if accesses:
        columns |= _accesses(calls, place, len(frames))
    table, indices = _table(frames)
    points: list[dict[str, Any]] = []
    for number, stack in enumerate(indices):
        points.append({name: int(values[number]) for name, values in columns.items()} | {"fs": stack})
    return {
        "dhatFileVersion": VERSION,
        "mode": "heap",
        "verb": "Allocated",
        "bklt": True,
        "bkacc": accesses,
        "tu": "µs" if clocked else "events",
        "Mtu": "s" if clocked else "Mevents",
        "tuth": SHORT_US if clocked else SHORT_EVENTS,
        "cmd": " ".join(trace.command) or history.source.name,
        "pid": trace.pid,
        "te": end,
        "tg": int(time[calls.record[peak]]) if len(live) else 0,
        "pps": points,
        "ftbl": table,
    }


def _places(calls: Calls) -> tuple[Integers, list[tuple[str, str]]]:
    """The number of each block's place, and what the places are called: the function and what called it."""
    begins = np.flatnonzero(calls.action == ALLOCATE)
    record = calls.record[begins]
    function = calls.records["function"][record].astype(np.int64)
    site = calls.records["site"][record]
    power = np.ceil(np.log2(np.maximum(calls.size[begins], 1))).astype(np.int64)
    known = site > 0
    keys = np.stack([function, np.where(known, site, 0).astype(np.int64), np.where(known, -1, power)], axis=1)
    unique, place = np.unique(keys, axis=0, return_inverse=True)
    frames = []
    for code, where, size in unique.tolist():
        low = (1 << (size - 1)) + 1 if size > 0 else 0
        caller = f"{where & (2**64 - 1):#x}" if size < 0 else f"blocks of {low} to {binary_size(1 << size)}"
        frames.append((FUNCTIONS.get(code, str(code)), caller))
    return place.reshape(-1).astype(np.int64), frames


def _sums(calls: Calls, place: Integers, places: int, peak: int, time: Integers, end: int) -> dict[str, Integers]:
    """The columns of the places: total, at most at once, at the peak of all and at the end; and lifetimes."""
    where = place[calls.block] if len(place) else calls.block

    def by_place(chosen: Any, weights: Integers) -> Integers:
        return np.bincount(where[chosen], weights[chosen], places).astype(np.int64)

    made = calls.action != FREE
    change = _changes(calls)
    count = np.zeros(len(calls), np.int64)
    count[calls.action == ALLOCATE], count[calls.action == FREE] = 1, -1
    whole, until_peak = slice(None), slice(0, peak + 1)
    spans = spans_of(calls)
    stop = np.where(spans.last < len(calls), time[np.minimum(spans.last, len(calls) - 1)], end) if len(calls) else end
    lives = np.bincount(place[spans.block], stop - time[spans.first], places).astype(np.int64) if len(calls) else place
    most, most_blocks = _at_most(where, change, count, places)
    return {
        "tb": by_place(made, calls.size),
        "tbk": by_place(made, np.ones(len(calls), np.int64)),
        "tl": lives,
        "mb": most,
        "mbk": most_blocks,
        "gb": by_place(until_peak, change),
        "gbk": by_place(until_peak, count),
        "eb": by_place(whole, change),
        "ebk": by_place(whole, count),
    }


def _changes(calls: Calls) -> Integers:
    """By how many bytes each call changes what is live."""
    live, _ = live_of(calls)
    return np.diff(live, prepend=0)


def _at_most(where: Integers, change: Integers, count: Integers, places: int) -> tuple[Integers, Integers]:
    """The most bytes that each place had live at once, and how many blocks those were, the last time it had."""
    most, blocks = np.zeros(places, np.int64), np.zeros(places, np.int64)
    order = np.argsort(where, kind="stable")
    starts = np.flatnonzero(np.diff(where[order], prepend=-1)).tolist()
    for start, stop in pairwise([*starts, len(order)]):
        part = order[start:stop]
        live = np.cumsum(change[part])
        last = len(live) - 1 - int(np.argmax(live[::-1]))
        number = int(where[part[0]])
        most[number], blocks[number] = live[last], np.cumsum(count[part])[last]
    return most, blocks


def _table(frames: list[tuple[str, str]]) -> tuple[list[str], list[list[int]]]:
    """The table of frames, and of each place the numbers of its own, innermost first."""
    table: dict[str, int] = {ROOT: 0}
    indices = [[table.setdefault(frame, len(table)) for frame in pair] for pair in frames]
    return list(table), indices


@dataclass(slots=True)
class _Held:
    base: int
    size: int
    place: int


def _accesses(calls: Calls, place: Integers, places: int) -> dict[str, Integers]:
    """Bytes read and written in the blocks of each place."""
    read, written = np.zeros(places, np.int64), np.zeros(places, np.int64)
    held: SortedDict[int, _Held] = SortedDict()
    at: dict[int, int] = {}
    call_of = dict(zip(calls.record.tolist(), range(len(calls)), strict=True))
    records: Records = calls.records
    names = ("function", "address", "size", "result")
    for number, (function, address, size, result) in enumerate(zip(*(records[n].tolist() for n in names), strict=True)):
        call = call_of.get(number)
        if call is not None:
            block = int(calls.block[call])
            if block in at:
                held.pop(at.pop(block), None)
            if calls.action[call] != FREE:
                held[result] = _Held(result, max(1, int(calls.size[call])), int(place[block]))
                at[block] = result
        elif function in ACCESSING:
            below = held.bisect_right(address)
            found = held.peekitem(below - 1)[1] if below else None
            if found is not None and address < found.base + found.size:
                (read if function == Function.LOAD else written)[found.place] += size
    return {"rb": read, "wb": written}
