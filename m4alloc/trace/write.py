"""Write a history as a trace file, so that whatever reads recordings reads scripts and other tools' logs as well."""

from __future__ import annotations

import lzma
import os
import platform
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from m4alloc.trace.format import HEADER, HEADER_SIZE, MAGIC, RECORD, RECORD_SIZE, VERSION, EndReason
from m4alloc.trace.read import Records
from spec.event import Event, Function

MACHINES = {"x86_64": 62, "aarch64": 183}
BLOCK = 1 << 14
BOUNDS = [(name, np.iinfo(RECORD[name]).min, np.iinfo(RECORD[name]).max) for name in RECORD.names or ()]
"""What each field of a record can hold."""
FILTERS = (
    {"id": lzma.FILTER_DELTA, "dist": RECORD_SIZE},
    {"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "lc": 0, "lp": 3, "pb": 3},
)
"""Of .xz: records have 88 bytes, so eight of them in a row mean different things; the header of 4096 is one of 46."""


def write(
    path: str | os.PathLike[str],
    events: Iterable[Event],
    *,
    quarantine: int = 0,
    quarantine_limit: int = 0,
    allocator: str = "",
    command: Sequence[str] = (),
) -> None:
    """Write the events, in their order, as a complete trace of one process; `Trace.events` gives them back equal.

    An existing file is replaced, and only once the new one is complete; a path that ends in .xz is compressed.
    Raises ValueError: a number that its field cannot hold, a count where the function has none, an alignment of a
    label, a label that is no LABEL's or holds a NUL.  Cost: a microsecond or two an event.
    """
    labels: dict[str, int] = {}

    def blocks() -> Iterator[Records]:
        rows: list[tuple[int, ...]] = []
        for count, event in enumerate(events):
            rows.append(row(event, count, labels))
            if len(rows) == BLOCK:
                yield np.array(rows, RECORD)
                rows.clear()
        yield np.array(rows, RECORD)

    header = header_of(allocator, command)
    header["quarantine"] = quarantine
    header["quarantine_limit"] = quarantine_limit
    _write(Path(path), header, blocks(), labels)


def write_records(
    path: str | os.PathLike[str],
    records: Records,
    labels: Sequence[str] = (),
    *,
    end_reason: EndReason = EndReason.EXIT,
    executable: str = "",
    command: Sequence[str] = (),
) -> None:
    """Write records as they are, with the texts of their labels, as a trace of one process.

    A path that ends in .xz is compressed, each byte as its difference to that of the record before: most of them are 0.
    An existing file is replaced, and only once the new one is complete.  Cost: disk speed; compressed 5 MB a second.
    """
    header = header_of("", command)
    header["end_reason"] = end_reason
    header["executable"] = os.fsencode(executable)[:511]
    _write(Path(path), header, iter([records]), labels)


def header_of(allocator: str, command: Sequence[str]) -> np.void:
    """The header of a whole history, of a process that nobody knows more of than its allocator and command line."""
    header: np.void = np.zeros(1, HEADER)[0]
    header["magic"] = np.void(MAGIC)
    header["version"] = VERSION
    header["header_size"] = HEADER_SIZE
    header["record_size"] = RECORD_SIZE
    header["end_reason"] = EndReason.EXIT
    header["machine"] = MACHINES.get(platform.machine(), 0)
    header["allocator"] = os.fsencode(allocator)[:511]
    words = b"".join(os.fsencode(word) + b"\0" for word in command)[: HEADER["command"].itemsize]
    header["command"] = np.void(words.ljust(HEADER["command"].itemsize, b"\0"))
    header["command_size"] = len(words)
    return header


def _write(path: Path, header: np.void, blocks: Iterator[Records], labels: Collection[str]) -> None:
    """The header, the records and the labels, which are whole when the blocks have come to their end."""
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with scratch.open("w+b") as file:
            file.write(header.tobytes())
            count = 0
            for records in blocks:
                file.write(records.tobytes())
                count += len(records)
            if labels:
                table = "\0".join(labels).encode()
                file.write(table)
                header["labels_offset"] = HEADER_SIZE + count * RECORD_SIZE
                header["labels_size"] = len(table)
                file.seek(0)
                file.write(header.tobytes())
            if path.suffix == ".xz":
                file.seek(0)
                content = file.read()
                file.seek(0)
                file.truncate()
                file.write(lzma.compress(content, check=lzma.CHECK_CRC32, filters=FILTERS))
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def row(event: Event, index: int, labels: dict[str, int]) -> tuple[int, ...]:
    """The event as one record; a label becomes its number in the table, from 1."""
    function = event.function
    counted = function in (Function.CALLOC, Function.REALLOCARRAY)
    label = function is Function.LABEL
    if (event.alignment and (counted or label)) or (event.count != 1 and not counted):
        field = f"alignment {event.alignment}" if event.count == 1 or counted else f"count {event.count}"
        raise ValueError(f"event {index}: a trace has no room for {field} in a call of {function.name.lower()}")
    address, extra = event.address, event.count if counted else event.alignment
    if label:
        address, extra = labels.setdefault(event.label, len(labels) + 1), event.address
    if event.label and (not label or "\0" in event.label):
        owner = function.name.lower()
        raise ValueError(f"event {index}: label {event.label!r} of {owner}: only a LABEL has one, and no NUL is in it")
    row = (
        event.begin,
        event.end,
        address,
        event.size,
        extra,
        event.result,
        event.usable,
        event.intact,
        event.time_ns,
        event.site,
        event.thread,
        event.errno,
        int(function),
        event.flags,
    )
    for (name, low, high), value in zip(BOUNDS, row, strict=True):
        if not low <= value <= high:
            raise ValueError(f"event {index}: {name} is {value}; a trace holds {low} to {high}")
    return row
