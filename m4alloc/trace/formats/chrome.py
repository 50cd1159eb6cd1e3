"""Chrome traces (JSON): the older form that chrome://tracing and Perfetto read.

Every block is a pair of asynchronous events ("b" and "e") of one id, which may overlap as they like; live bytes, live
blocks and the footprint are counters, labels are instants. Perfetto calls this form legacy.
Source: "Trace Event Format", the Chromium project's document.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.blocks import Integers
from m4alloc.trace.formats.columns import FUNCTIONS
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.timeline import Timeline, timeline_of
from m4alloc.trace.whole import replacing
from m4alloc.view.quantity import plural
from m4alloc.view.quantity import size as size_text
from spec.event import Function

WORD = 2**64 - 1


def write_chrome(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write the timeline as JSON, compressed when the name ends in .gz.  Cost: 10 us and 330 bytes a call."""
    progress.phase("matching calls and blocks")
    timeline = timeline_of(history)
    progress.phase("writing events")
    with replacing(path) as file:
        if path.suffix == ".gz":
            with gzip.GzipFile(fileobj=file, mode="wb", mtime=0) as packed:
                _write(cast(BinaryIO, packed), history, timeline)
        else:
            _write(file, history, timeline)
    marks = np.count_nonzero(timeline.calls.records["function"] == Function.LABEL)
    others = len(timeline.calls.records) - len(timeline.calls) - int(marks)
    left = f"{plural(others, 'call')} about no block left out" if others else ""
    return tuple(note for note in (*timeline.notes(), left) if note and "not drawn" not in note)


def _write(file: BinaryIO, history: History, timeline: Timeline) -> None:
    trace = history.trace
    other = {"allocator": trace.allocator or history.placed_by, "command": " ".join(trace.command)}
    notes = [*history.notes, *timeline.notes()]
    file.write(b'{"displayTimeUnit":"ns","otherData":' + json.dumps({**other, "notes": notes}).encode())
    file.write(b',"traceEvents":[\n')
    separator = b""
    for part in _parts(history, timeline):
        if part:
            file.write(separator + ",\n".join(part).encode())
            separator = b",\n"
    file.write(b"\n]}\n")


def _parts(history: History, timeline: Timeline) -> Iterator[list[str]]:
    pid = history.trace.pid or 1
    command = history.trace.command or (history.source.name,)
    yield [_named("process_name", pid, pid, Path(command[0]).name)] + [
        _named("thread_name", pid, number or pid, f"thread {number or place + 1}")
        for place, number in enumerate(timeline.threads)
    ]
    yield _blocks(timeline, pid)
    yield _labels(history, timeline, pid)
    moments = timeline.time[timeline.calls.record]
    for name, times, values in (
        ("live bytes", moments, timeline.live),
        ("live blocks", moments, timeline.blocks),
        ("footprint", *timeline.footprint),
    ):
        yield _counter(name, pid, times, values)


def _named(kind: str, pid: int, tid: int, name: str) -> str:
    return json.dumps({"name": kind, "ph": "M", "pid": pid, "tid": tid, "ts": 0, "args": {"name": name}})


def _blocks(timeline: Timeline, pid: int) -> list[str]:
    """Begin and end of each stretch of a block's life, in the order of the calls; a resize is both."""
    calls, spans = timeline.calls, timeline.spans
    function = calls.records["function"][calls.record]
    threads = [number or pid for number in timeline.threads]
    who = [threads[place] for place in timeline.thread[calls.record].tolist()]
    when = (timeline.time[calls.record] / 1000).tolist()
    events: list[list[str]] = [[] for _ in range(len(calls))]
    columns = (spans.first, spans.last, spans.size, spans.address)
    for number, (first, last, size, address) in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        name = f'"name":"{size_text(size)}","cat":"block","id":{number},"pid":{pid}'
        if last < len(calls):
            events[last].insert(0, f'{{{name},"ph":"e","tid":{who[last]},"ts":{when[last]:.3f}}}')
        about = f'"bytes":{size},"address":"{address & WORD:#x}","by":"{FUNCTIONS.get(int(function[first]), "?")}"'
        events[first].append(f'{{{name},"ph":"b","tid":{who[first]},"ts":{when[first]:.3f},"args":{{{about}}}}}')
    return [event for both in events for event in both]


def _labels(history: History, timeline: Timeline, pid: int) -> list[str]:
    records, labels = timeline.calls.records, history.trace.labels
    made = []
    for place in np.flatnonzero(records["function"] == Function.LABEL).tolist():
        number = int(records["address"][place])
        text = labels[number - 1] if 0 < number <= len(labels) else "label"
        tid = timeline.threads[int(timeline.thread[place])] or pid
        head = {"name": text, "cat": "label", "ph": "i", "s": "t", "pid": pid, "tid": tid}
        made.append(json.dumps({**head, "ts": int(timeline.time[place]) / 1000}))
    return made


def _counter(name: str, pid: int, moments: Integers, values: Integers) -> list[str]:
    if not len(values):
        return []
    kept = np.concatenate([moments[1:] != moments[:-1], [True]])
    columns = ((moments[kept] / 1000).tolist(), values[kept].tolist())
    head = f'{{"name":"{name}","ph":"C","pid":{pid},"tid":{pid},"ts":'
    return [f'{head}{when:.3f},"args":{{"{name}":{value}}}}}' for when, value in zip(*columns, strict=True)]
