"""Our own traces and recordings: one image of an index, or a trace by itself, with everything that is known of it."""

from __future__ import annotations

import lzma
from pathlib import Path

from m4alloc.check.progress import Progress
from m4alloc.trace.format import HEADER_SIZE, RECORD_SIZE, TraceError
from m4alloc.trace.formats.history import History
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.index import TraceTree, open_index
from m4alloc.trace.read import XZ, Trace
from m4alloc.trace.whole import replacing
from m4alloc.trace.write import FILTERS
from m4alloc.view.quantity import number, plural

SHOWN = 5
"""Images that a message names, those of most calls."""


def read_m4t(path: Path, image: str, progress: Progress) -> History:
    """One image of a recording, or a trace.

    image: "" for the one of most calls, or the end of its file's name, PID.N or PID alone.
    Raises TraceError: damaged, or there is no such image.  Cost: O(1) but for compressed ones; O(n log n) if forked.
    """
    tree = tree_of(path)
    if not tree.traces:
        raise FormatError(path, "no process was recorded; docs/record.md says what cannot be")
    chosen = _chosen(path, tree, image)
    notes = []
    if len(tree.traces) > 1 and not image and chosen.path != path:
        others = sorted((trace for trace in tree.traces if trace is not chosen), key=lambda trace: -trace.used)
        named = ", ".join(map(_name, others[:SHOWN])) + ", ..." * (len(others) > SHOWN)
        notes.append(
            f"image {_name(chosen)} of {len(tree.traces)}, the one of most calls ({number(chosen.used)}); "
            f"--image takes another: {named}"
        )
    if not chosen.end_reason.is_complete:
        notes.append(f"the recording ends before the program: {chosen.end_reason.name.lower().replace('_', ' ')}")
    inherited = tuple(tree.inherited(chosen))
    if inherited:
        notes.append(f"{plural(len(inherited), 'block')} from the process that forked this one come first, as calls")
    return History(path, "m4t", chosen, inherited, notes=tuple(notes))


def tree_of(path: Path) -> TraceTree:
    """The recording, or the trace alone when it is compressed.  Raises TraceError, OSError."""
    with path.open("rb") as file:
        head = file.read(len(XZ))
    try:
        if head == XZ or not head:  # an empty file is no index either, and Trace.open says what it is
            trace = Trace.open(path)
            return TraceTree(path, trace.command, None, (trace,))
        return open_index(path)
    except UnicodeDecodeError as error:
        raise FormatError(path, f"damaged: the texts of its labels are not UTF-8: {error.reason}") from error
    except TraceError:
        raise
    except (RecursionError, ValueError, TypeError) as error:
        raise FormatError(path, f"damaged: its index is none that m4alloc writes: {error}") from error


def write_m4t(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write all of a history as a trace; compressed when the name ends in .xz.  Cost: disk speed; 5 MB/s compressed."""
    trace = history.whole().trace
    records = trace.records[trace.order()]
    header = trace.header.copy()
    table = "\0".join(trace.labels).encode()
    header["label_slot"] = 0
    header["labels_offset"] = HEADER_SIZE + len(records) * RECORD_SIZE if trace.labels else 0
    header["labels_size"] = len(table)
    progress.phase("writing records")
    with replacing(path) as file:
        if path.suffix == ".xz":
            content = header.tobytes() + records.tobytes() + table
            file.write(lzma.compress(content, check=lzma.CHECK_CRC32, filters=FILTERS))
        else:
            file.write(header.tobytes())
            file.write(records.tobytes())
            file.write(table)
    return ()


def _name(trace: Trace) -> str:
    return f"{trace.pid}.{trace.image}"


def _chosen(path: Path, tree: TraceTree, image: str) -> Trace:
    own = [trace for trace in tree.traces if trace.path == path]
    if not image:
        return own[0] if own else max(tree.traces, key=lambda trace: trace.used)
    found = [trace for trace in tree.traces if image in (_name(trace), trace.path.name, str(trace.pid))]
    if not found:
        most = sorted(tree.traces, key=lambda trace: -trace.used)
        known = ", ".join(f"{_name(trace)} ({number(trace.used)} calls)" for trace in most[:SHOWN])
        more = f" and {len(most) - SHOWN} more" if len(most) > SHOWN else ""
        raise FormatError(path, f"no image {image} in this recording; there are {known}{more}")
    if len(found) > 1:
        raise FormatError(path, f"image {image} is one of {', '.join(map(_name, found))}")
    return found[0]
