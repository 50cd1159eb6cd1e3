"""Perfetto traces: TrackEvent packets, for ui.perfetto.dev and trace_processor.

Every call is an instant on its thread's track, with an arrow from the malloc to the free of a block; every block is a
slice in a lane of its size; live bytes, live blocks and the footprint are counters.
Source of the layout: protos/perfetto/trace of the Perfetto project (TracePacket, TrackEvent, TrackDescriptor).
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.blocks import FREE, Integers
from m4alloc.trace.formats.columns import FUNCTIONS
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.timeline import Timeline, timeline_of
from m4alloc.trace.formats.wire import Hole, Message, integer, rows, text
from m4alloc.trace.whole import replacing
from m4alloc.view.quantity import size as size_text
from spec.event import Function

SEQUENCE = 1
PACKET = 1
TIMESTAMP, SEQUENCE_ID, EVENT, INTERNED, FLAGS, DESCRIPTOR = 8, 10, 11, 12, 13, 60
"""Fields of TracePacket."""
UUID, PARENT, NAME, PROCESS, THREAD, COUNTER, RANK, ORDERING = 1, 5, 2, 3, 4, 8, 12, 11
"""Fields of TrackDescriptor."""
CATEGORY, ANNOTATION, TYPE, NAME_ID, TRACK, COUNTER_VALUE, FLOW, FLOW_ENDS = 3, 4, 9, 10, 11, 30, 47, 48
"""Fields of TrackEvent."""
BEGIN, END, INSTANT, COUNT = 1, 2, 3, 4
"""Types of TrackEvent."""
UNIT_COUNT, UNIT_BYTES = 2, 3
CALLS, BLOCKS, LABELS = 1, 2, 3
"""Interned categories."""
BYTES, ADDRESS = 1, 2
"""Interned names of annotations."""
PROCESS_TRACK, LIVE_TRACK, COUNT_TRACK, FOOTPRINT_TRACK, BLOCKS_TRACK = 1, 2, 3, 4, 5
THREADS_FROM, SIZES_FROM, LANES_FROM = 1 << 20, 1 << 24, 1 << 28
"""Numbers of tracks."""
NAMES_FROM = 256
"""Interned names of slices come after those of functions."""
_COMMON = integer(SEQUENCE_ID, SEQUENCE) + integer(FLAGS, 2)


def write_perfetto(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write the timeline as a Perfetto trace.  Cost: 6 us a call; 170 bytes of file a call."""
    progress.phase("matching calls and blocks")
    timeline = timeline_of(history)
    progress.phase("writing packets")
    with replacing(path) as file:
        for packets in _packets(history, timeline):
            file.write(packets)
    return timeline.notes()


def _packets(history: History, timeline: Timeline) -> Iterator[bytes]:
    sizes = np.unique(timeline.spans.size)
    yield _interned(history, sizes.tolist())
    yield from _tracks(history, timeline)
    yield from _calls(timeline)
    yield from _labels(history, timeline)
    yield from _slices(timeline, sizes)
    calls = timeline.calls
    moments = timeline.time[calls.record]
    yield _counter(LIVE_TRACK, moments, timeline.live)
    yield _counter(COUNT_TRACK, moments, timeline.blocks)
    yield _counter(FOOTPRINT_TRACK, *timeline.footprint)


def _packet(*fields: bytes) -> bytes:
    return text(PACKET, b"".join(fields))


def _interned(history: History, sizes: list[int]) -> bytes:
    """The first packet of the sequence: every name that later ones give the number of."""
    names = [(number, name) for number, name in FUNCTIONS.items()]
    names += [(NAMES_FROM + place, size_text(size)) for place, size in enumerate(sizes)]
    first = NAMES_FROM + len(sizes)
    names += [(first + place, label) for place, label in enumerate(history.trace.labels)]
    tables = (
        (1, [(CALLS, "call"), (BLOCKS, "block"), (LABELS, "label")]),
        (2, names),
        (3, [(BYTES, "bytes"), (ADDRESS, "address")]),
    )
    content = b"".join(
        text(field, integer(1, number) + text(2, name)) for field, table in tables for number, name in table
    )
    return _packet(integer(SEQUENCE_ID, SEQUENCE), integer(FLAGS, 1), text(INTERNED, content))


def _track(uuid: int, parent: int, *fields: bytes) -> bytes:
    return _packet(
        integer(SEQUENCE_ID, SEQUENCE),
        text(DESCRIPTOR, integer(UUID, uuid) + (integer(PARENT, parent) if parent else b"") + b"".join(fields)),
    )


def _tracks(history: History, timeline: Timeline) -> Iterator[bytes]:
    trace = history.trace
    pid = trace.pid or 1
    command = [*trace.command] or [history.source.name]
    said = [f"allocator {trace.allocator or history.placed_by or 'unknown'}", *history.notes, *timeline.notes()]
    process = integer(1, pid) + b"".join(text(2, word) for word in command) + text(6, Path(command[0]).name)
    yield _track(PROCESS_TRACK, 0, text(PROCESS, process + b"".join(text(8, label) for label in said)))
    counters = ((LIVE_TRACK, "live bytes"), (COUNT_TRACK, "live blocks"), (FOOTPRINT_TRACK, "footprint"))
    for rank, (uuid, quantity) in enumerate(counters):
        unit = UNIT_COUNT if uuid == COUNT_TRACK else UNIT_BYTES
        yield _track(uuid, PROCESS_TRACK, text(NAME, quantity), text(COUNTER, integer(3, unit)), integer(RANK, rank))
    for place, number in enumerate(timeline.threads):
        thread = integer(1, pid) + integer(2, number or pid) + text(5, f"thread {number or place + 1}")
        yield _track(THREADS_FROM + place, PROCESS_TRACK, text(THREAD, thread))
    yield _track(BLOCKS_TRACK, PROCESS_TRACK, text(NAME, "blocks"), integer(ORDERING, 3), integer(RANK, 10))
    drawn = timeline.lane >= 0
    for power, lane in sorted(set(zip(timeline.power[drawn].tolist(), timeline.lane[drawn].tolist(), strict=True))):
        name = text(NAME, timeline.size_name(power))
        yield _track(_lane_track(power, lane), BLOCKS_TRACK, name, integer(RANK, power))


def _lane_track(power: int, lane: int) -> int:
    return LANES_FROM + (power << 8) + lane


def _event(moments: Integers, kind: int, *parts: bytes | Hole | Message) -> bytes:
    """Packets of one kind of event, one a moment."""
    event = Message(EVENT, [integer(TYPE, kind), *parts])
    return rows(Message(PACKET, [Hole(TIMESTAMP, moments), _COMMON, event]), len(moments))


def _calls(timeline: Timeline) -> Iterator[bytes]:
    """An instant for each call; those about a block are joined by a flow, and say what they are about."""
    calls = timeline.calls
    records, time = calls.records, timeline.time
    function = records["function"].astype(np.int64)
    track = THREADS_FROM + timeline.thread
    for ends, flow in ((False, FLOW), (True, FLOW_ENDS)):
        chosen = np.flatnonzero((calls.action == FREE) == ends)
        record = calls.record[chosen]
        result, address = records["result"][record], records["address"][record]
        where = np.where(calls.action[chosen] == FREE, address, result).astype(np.int64)
        yield _event(
            time[record],
            INSTANT,
            integer(CATEGORY, CALLS),
            Hole(NAME_ID, function[record], 2),
            Hole(TRACK, track[record], 5),
            Hole(flow, calls.block[chosen] + 1, fixed=True),
            Message(ANNOTATION, [integer(1, ADDRESS), Hole(7, where, 10)]),
            *([] if ends else [Message(ANNOTATION, [integer(1, BYTES), Hole(3, calls.size[chosen], 9)])]),
        )
    about = np.zeros(len(records), np.bool_)
    about[calls.record] = True
    others = np.flatnonzero(~about & (function != Function.LABEL))
    yield _event(
        time[others],
        INSTANT,
        integer(CATEGORY, CALLS),
        Hole(NAME_ID, function[others], 2),
        Hole(TRACK, track[others], 5),
        Message(ANNOTATION, [integer(1, ADDRESS), Hole(7, records["address"][others].astype(np.int64), 10)]),
        Message(ANNOTATION, [integer(1, BYTES), Hole(3, records["size"][others].astype(np.int64), 10)]),
    )


def _labels(history: History, timeline: Timeline) -> Iterator[bytes]:
    """An instant for each label, called by its text."""
    records = timeline.calls.records
    marks = np.flatnonzero(records["function"] == Function.LABEL)
    number = records["address"][marks].astype(np.int64)
    first = NAMES_FROM + len(np.unique(timeline.spans.size)) - 1
    known = (number > 0) & (number <= len(history.trace.labels))
    yield _event(
        timeline.time[marks],
        INSTANT,
        integer(CATEGORY, LABELS),
        Hole(NAME_ID, np.where(known, first + number, Function.LABEL), 4),
        Hole(TRACK, THREADS_FROM + timeline.thread[marks], 5),
    )


def _slices(timeline: Timeline, sizes: Integers) -> Iterator[bytes]:
    """A slice for each stretch of a block's life that has a lane; those never freed stay open.

    Both kinds of packets are in the order of the calls, in turns: where two have one time, the end of what was in a
    lane must come before the beginning of what comes to it.
    """
    calls, spans = timeline.calls, timeline.spans
    drawn = np.flatnonzero(timeline.lane >= 0)
    track = _lanes(timeline)[drawn]
    begin = timeline.time[calls.record[spans.first[drawn]]]
    name = NAMES_FROM + np.searchsorted(sizes, spans.size[drawn])
    opened = _event(
        begin,
        BEGIN,
        integer(CATEGORY, BLOCKS),
        Hole(NAME_ID, name, 4),
        Hole(TRACK, track, 5),
        Hole(FLOW, spans.block[drawn] + 1, fixed=True),
        Message(ANNOTATION, [integer(1, ADDRESS), Hole(7, spans.address[drawn], 10)]),
        Message(ANNOTATION, [integer(1, BYTES), Hole(3, spans.size[drawn], 9)]),
    )
    ended = drawn[spans.last[drawn] < len(calls)]
    closed = _event(timeline.time[calls.record[spans.last[ended]]], END, Hole(TRACK, _lanes(timeline)[ended], 5))
    yield _in_turns(opened, len(drawn), 2 * spans.first[drawn] + 1, closed, len(ended), 2 * spans.last[ended])


def _lanes(timeline: Timeline) -> Integers:
    return LANES_FROM + (timeline.power << 8) + np.maximum(timeline.lane, 0)


def _in_turns(first: bytes, count: int, places: Integers, second: bytes, more: int, others: Integers) -> bytes:
    """Packets of two kinds merged by their places."""
    width, other_width = len(first) // max(1, count), len(second) // max(1, more)
    left = [first[at : at + width] for at in range(0, len(first), max(1, width))]
    right = [second[at : at + other_width] for at in range(0, len(second), max(1, other_width))]
    both = left + right
    order = np.argsort(np.concatenate([places, others]), kind="stable")
    return b"".join([both[place] for place in order.tolist()])


def _counter(track: int, moments: Integers, values: Integers) -> bytes:
    """A counter's values: of several at one time the last, and none that repeats the one before."""
    if len(values):
        kept = np.concatenate([moments[1:] != moments[:-1], [True]])
        moments, values = moments[kept], values[kept]
        kept = np.concatenate([[True], values[1:] != values[:-1]])
        moments, values = moments[kept], values[kept]
    return _event(moments, COUNT, integer(TRACK, track), Hole(COUNTER_VALUE, values, 9))
