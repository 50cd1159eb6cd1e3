"""A history as a timeline: when each call was, what was live after it, and a lane for each block.

A viewer of slices draws one slice at a time in a lane, so blocks that live together lie in different ones. Lanes
belong to sizes, powers of two; of one size `LANES` blocks are drawn at most at once, and the others only counted.
Those that live for more than a sixteenth of the run have half of the lanes, so that what comes and goes is seen.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass

import numpy as np

from m4alloc.check import lives as check_lives
from m4alloc.check.heap_life import heap_life
from m4alloc.trace.formats.blocks import Calls, Integers, Spans, calls_of, live_of, spans_of
from m4alloc.trace.formats.history import History
from m4alloc.view.quantity import binary_size, plural
from spec.event import ACCESSING, Function

LANES = 256
"""Blocks of one size, a power of two, that are drawn at once at most."""
MOMENTS = 4000
"""Moments at which the footprint is told, at most; each the one of most live bytes among its neighbours."""
TICK = 1000
"""Nanoseconds from one event to the next where nobody looked at a clock."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """Columns of a history for viewers of timelines.

    time: of each record, nanoseconds from 0, never falling; TICK apart when there are no times (clocked is false).
    threads: their numbers, in order of appearance; thread: of each record, which of them. live, blocks: bytes and
    blocks after each call. footprint: (nanoseconds, bytes) of the pages that hold a live block. spans: of blocks, by
    beginning;
    lane: of each span, -1 for one that is not drawn; power: its size's, 2**power the smallest that is not below it.
    """

    calls: Calls
    time: Integers
    clocked: bool
    threads: tuple[int, ...]
    thread: Integers
    live: Integers
    blocks: Integers
    footprint: tuple[Integers, Integers]
    spans: Spans
    lane: Integers
    power: Integers

    def notes(self) -> tuple[str, ...]:
        """Sentences on what the timeline leaves out or makes up."""
        hidden = int(np.count_nonzero(self.lane < 0))
        records = self.calls.records
        untold = {
            "call sites": records["site"].any(),
            "alignments": self.calls.alignment.any(),
            "usable sizes": (records["usable"] >= 0).any(),
            "which calls overlap": (np.maximum.accumulate(records["end"])[:-1] > records["begin"][1:]).any(),
        }
        unsaid = ", ".join(name for name, there in untold.items() if there)
        return tuple(
            filter(
                None,
                (
                    "" if self.clocked else "the history has no times: one event is a microsecond",
                    f"{plural(hidden, 'stretch', 'stretches')} of blocks not drawn: too many of one size lived at once"
                    if hidden
                    else "",
                    f"not in a timeline: {unsaid}" if unsaid else "",
                ),
            )
        )

    def size_name(self, power: int) -> str:
        """What the lanes of a size are called.

        >>> Timeline.size_name(None, 0), Timeline.size_name(None, 6)
        ('blocks of up to 1 B', 'blocks of 33 to 64 B')
        """
        if power == 0:
            return f"blocks of up to {binary_size(1)}"
        low, high = (1 << (power - 1)) + 1, 1 << power
        return f"blocks of {low} to {binary_size(high)}" if high < 1024 else f"blocks of up to {binary_size(high)}"


def timeline_of(history: History) -> Timeline:
    """The timeline of a history.  Cost: 5 us a call."""
    calls = calls_of(history)
    records = calls.records
    clocked = bool(records["time_ns"].any())
    time = records["time_ns"].astype(np.int64) if clocked else np.arange(len(records), dtype=np.int64) * TICK
    time = np.maximum.accumulate(time) if len(time) else time
    numbers, first, thread = np.unique(records["thread"], return_index=True, return_inverse=True)
    appearance = np.argsort(first, kind="stable")
    place = np.empty(len(numbers), np.int64)
    place[appearance] = np.arange(len(numbers))
    live, blocks = live_of(calls)
    spans = spans_of(calls)
    power = np.ceil(np.log2(np.maximum(spans.size, 1))).astype(np.int64)
    return Timeline(
        calls=calls,
        time=time,
        clocked=clocked,
        threads=tuple(int(number) for number in numbers[appearance]),
        thread=place[thread],
        live=live,
        blocks=blocks,
        footprint=_footprint(calls, time),
        spans=spans,
        lane=_lanes(calls, spans, power),
        power=power,
    )


def _lanes(calls: Calls, spans: Spans, power: Integers) -> Integers:
    """The lowest lane of its kind that is free when a span begins, -1 when none is."""
    half = LANES // 2
    group = 2 * power + (spans.last - spans.first > len(calls) // 16)  # the odd ones live long
    free: dict[int, list[int]] = {
        int(one): list(range(half, LANES) if one % 2 else range(half)) for one in np.unique(group)
    }
    lanes = [-1] * len(spans.first)
    of_call = np.full(len(calls), -1, np.int64)
    of_call[spans.first] = np.arange(len(spans.first))
    ended = np.full(len(calls), -1, np.int64)
    inside = spans.last < len(calls)
    ended[spans.last[inside]] = np.flatnonzero(inside)
    groups = group.tolist()
    for begins, ends in zip(of_call.tolist(), ended.tolist(), strict=True):
        if ends >= 0 and lanes[ends] >= 0:
            heapq.heappush(free[groups[ends]], lanes[ends])
        if begins >= 0 and (idle := free[groups[begins]]):
            lanes[begins] = heapq.heappop(idle)
    return np.array(lanes, np.int64)


def _footprint(calls: Calls, time: Integers) -> tuple[Integers, Integers]:
    """When the footprint was what, as m4alloc.check.heap_life measures it."""
    records = calls.records
    asked = np.flatnonzero(~np.isin(records["function"], [*ACCESSING, Function.LABEL]))
    rows = records[asked]
    counted = np.isin(rows["function"], (Function.CALLOC, Function.REALLOCARRAY))
    request = np.where(counted, rows["size"] * rows["extra"], rows["size"])
    numbered = bool(rows["begin"].any())
    order = np.arange(len(rows), dtype=np.int64)
    columns = [rows["function"], rows["address"], request, rows["result"], rows["errno"], rows["usable"]]
    columns += [rows["begin"], rows["end"]] if numbered else [2 * order + 1, 2 * order + 2]
    limit = np.uint64(check_lives.HIGHEST)
    clipped = [
        column.astype(np.int64) if column.dtype.itemsize < 8 or column.dtype.kind == "i" else np.minimum(column, limit)
        for column in columns
    ]
    lives = check_lives.lives_of(check_lives.Calls(*(column.astype(np.int64) for column in clipped)))
    life = heap_life(lives, MOMENTS)
    places = np.array([max(0, moment.request - 1) for moment in life.curve], np.int64)
    values = np.array([moment.footprint for moment in life.curve], np.int64)
    return time[asked[places]] if len(places) else places, values
