"""The index of a recording: the traces of all process images of one run, and which was forked from which."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from m4alloc.trace.format import MAGIC, EndReason, TraceError
from m4alloc.trace.inherit import live_at
from m4alloc.trace.read import Trace
from m4alloc.trace.whole import write_whole
from spec.event import Event

SCHEMA = "m4alloc/1"
KIND = "trace-index"


@dataclass(frozen=True, slots=True)
class TraceTree:
    """The traces of one recording in the order in which they began, so each after the one it was forked from."""

    path: Path
    program: tuple[str, ...]
    status: int | None
    traces: tuple[Trace, ...]

    def parent(self, trace: Trace) -> Trace | None:
        """The trace that this one was forked from; None for an image that began with an empty heap.

        Raises TraceError: the parent's trace is missing.
        """
        if trace.parent is None:
            return None
        for other in self.traces:
            if other.path.name == trace.parent:
                return other
        raise TraceError(f"{trace.path}: its parent's trace {trace.parent} is not in {self.path}")

    def children(self, trace: Trace) -> list[Trace]:
        """The traces forked from this one."""
        return [other for other in self.traces if other.parent == trace.path.name]

    def inherited(self, trace: Trace) -> list[Event]:
        """The allocations whose blocks the process had when it was forked, by begin; a resized block as a malloc.

        Cost: O(n log n) in the calls of all its ancestors.
        """
        parent = self.parent(trace)
        return [] if parent is None else live_at(parent, trace.fork_sequence, self.inherited(parent))

    def history(self, trace: Trace) -> Iterator[Event]:
        """What the heap of this process has seen: the blocks it was forked with, then its own calls."""
        return chain(self.inherited(trace), trace.events())


def open_index(path: str | os.PathLike[str]) -> TraceTree:
    """Open a recording by its index FILE, or one trace by its own name (with its ancestors, when they are beside it).

    Traces of processes that the program left behind are in no index: they are found beside it.
    Raises TraceError: neither an index nor a trace, or one of its traces is damaged. OSError: it cannot be opened.
    """
    path = Path(path)
    with path.open("rb") as file:
        head = file.read(len(MAGIC))
    if head == MAGIC:
        return TraceTree(path, Trace.open(path).command, None, tuple(_in_order(_with_ancestors(path))))
    index = read_index(path)
    try:
        names = [image["file"] for image in index["images"]]
        program, status = tuple(index["program"]), index["status"]
    except (KeyError, TypeError) as error:
        raise TraceError(f"{path}: damaged: the index has no {error}") from error
    missing = [name for name in names if not path.with_name(name).exists()]
    if missing:
        raise TraceError(f"{path}: its trace {missing[0]} is not beside it")
    traces = [Trace.open(path.with_name(name)) for name in names]
    return TraceTree(path, program, status, tuple(_in_order([*traces, *_later(path, set(names), index)])))


def read_index(path: Path) -> dict[str, Any]:
    """The index as it was written. Raises TraceError: the file is none."""
    try:
        index = json.loads(path.read_bytes()) if path.is_file() else None  # a device may have no end
    except ValueError:
        index = None
    if not isinstance(index, dict) or index.get("kind") != KIND:
        raise TraceError(
            f"{path}: neither a trace (which begins with {MAGIC!r}) nor the index of a recording "
            f'(JSON with "kind": "{KIND}")'
        )
    if index.get("schema") != SCHEMA:
        raise TraceError(f"{path}: schema {index.get('schema')}; this m4alloc reads {SCHEMA}")
    return index


def write_index(
    path: Path, program: Sequence[str], status: int | None, images: Iterable[Path], started_ns: int | None = None
) -> None:
    """Write the index of the traces, in one step: whoever reads it sees all of it or what was there before.

    started_ns: when the recording began; traces beside it that begin later are of the same recording.
    """
    traces = _in_order(Trace.open(image) for image in images)
    names = {trace.path.name for trace in traces}
    index = {
        "schema": SCHEMA,
        "kind": KIND,
        "program": list(program),
        "status": status,
        **({} if started_ns is None else {"started_ns": started_ns}),
        "images": [_entry(trace, names) for trace in traces],
    }
    write_whole(path, json.dumps(index, indent=1) + "\n")


def images_beside(path: Path) -> set[Path]:
    """The files that a recording into `path` may have made: FILE.PID.N, with the first bytes of a trace."""
    pattern = re.compile(re.escape(path.name) + r"\.\d+\.\d+")
    found = set()
    for entry in path.parent.iterdir():
        if pattern.fullmatch(entry.name) and entry.is_file():
            with entry.open("rb") as file:
                if file.read(len(MAGIC)) == MAGIC:
                    found.add(entry)
    return found


def _entry(trace: Trace, names: set[str]) -> dict[str, Any]:
    reason = trace.end_reason.name.lower().replace("_", "-")
    successor = f"{trace.path.name.rpartition('.')[0]}.{trace.image + 1}"
    if trace.end_reason is EndReason.RUNNING and successor in names:
        reason = "exec"
    return {
        "file": trace.path.name,
        "pid": trace.pid,
        "image": trace.image,
        "parent": trace.parent,
        "fork_sequence": trace.fork_sequence,
        "command": list(trace.command),
        "allocator": trace.allocator,
        "calls": trace.used,
        "end": reason,
    }


def _later(path: Path, known: set[str], index: Mapping[str, Any]) -> Iterator[Trace]:
    """The traces beside an index that belong to it and were not there when it was written."""
    since = index.get("started_ns")
    if not isinstance(since, int):
        return
    for image in sorted(images_beside(path)):
        if image.name in known:
            continue
        with contextlib.suppress(TraceError):  # one that is being made just now
            trace = Trace.open(image)
            if int(trace.header["started_ns"]) >= since:
                yield trace


def _with_ancestors(path: Path) -> list[Trace]:
    found = [Trace.open(path)]
    while found[-1].parent is not None and path.with_name(str(found[-1].parent)).exists():
        found.append(Trace.open(path.with_name(str(found[-1].parent))))
    return found


def _in_order(traces: Iterable[Trace]) -> list[Trace]:
    """Parents before children: a child is forked after its parent began, on the same clock."""
    return sorted(traces, key=lambda trace: (int(trace.header["monotonic_ns"]), trace.pid, trace.image))
