"""Trace: a recorded history, mapped from its file, with the calls as spec events in the order in which they began."""

from __future__ import annotations

import lzma
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from m4alloc.trace.format import (
    HEADER,
    HEADER_SIZE,
    MAGIC,
    RECORD,
    RECORD_SIZE,
    TEXT,
    VERSION,
    EndReason,
    TraceError,
)
from spec.event import Event, Function

Records = npt.NDArray[np.void]
BLOCK = 1 << 16
"""Records that `events` decodes at once."""
XZ = b"\xfd7zXZ\0"
"""The first bytes of a file that xz compressed."""

_FUNCTIONS = {int(function): function for function in Function}
_COUNTED = (Function.CALLOC, Function.REALLOCARRAY)


@dataclass(frozen=True, slots=True)
class Trace:
    """One process image's calls. `records` is the file itself, mapped: an array of format.RECORD in file order.

    Slots that a thread claimed and never used have function 0; `events` and `used` leave them out.
    """

    path: Path
    header: np.void
    records: Records
    labels: tuple[str, ...] = ()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Trace:
        """Map the trace file; the process that writes it may still be running. One compressed by xz is read to memory.

        Raises TraceError: no trace, of another version, or cut off. OSError: it cannot be opened.
        Cost: O(1), but for the unused slots at the end; of a compressed one about 100 MB of trace a second.
        """
        path = Path(path)
        with path.open("rb") as file:
            head = file.read(HEADER_SIZE)
            content = None
            if head[: len(XZ)] == XZ:
                content = _decompressed(path, head + file.read())
                head = content[:HEADER_SIZE]
            size = os.fstat(file.fileno()).st_size if content is None else len(content)
            header = _header(path, head)
            offset, length = int(header["labels_offset"]), int(header["labels_size"])
            end = offset or HEADER_SIZE + (size - HEADER_SIZE) // RECORD_SIZE * RECORD_SIZE
            if not HEADER_SIZE <= end <= end + length <= size or (end - HEADER_SIZE) % RECORD_SIZE:
                raise TraceError(
                    f"{path}: cut off: its header says that labels lie at bytes {offset} to {offset + length}, "
                    f"and the file has {size}"
                )
            count = (end - HEADER_SIZE) // RECORD_SIZE
            records: Records = np.zeros(0, RECORD)
            if count and content is not None:
                records = np.frombuffer(content, RECORD, count, HEADER_SIZE)
            elif count:
                records = np.memmap(file, RECORD, "r", offset=HEADER_SIZE, shape=(count,))
            if content is None:
                file.seek(end)
                labels = file.read(length)
            else:
                labels = content[end : end + length]
        named = _split(path, labels) if length else _texts(path, records, int(header["label_slot"]))
        return cls(path, header, _without_tail(records), named)

    def __repr__(self) -> str:
        return f"<Trace {str(self.path)!r} of process {self.pid}, {len(self.records):,} records>"

    def _repr_html_(self) -> str:
        """For notebooks: its figures and a heap map."""
        from m4alloc.view.notebook import trace

        return trace(self)

    @property
    def pid(self) -> int:
        return int(self.header["pid"])

    @property
    def parent_pid(self) -> int:
        return int(self.header["parent_pid"])

    @property
    def image(self) -> int:
        """The N of FILE.PID.N: 0 for the first image that the process ran, one more after each exec."""
        return int(self.header["image"])

    @property
    def parent(self) -> str | None:
        """The file name of the trace whose process forked this one; None when the heap was empty at the start."""
        return _text(self.header["parent_file"]) or None

    @property
    def fork_sequence(self) -> int:
        """The last number that the parent had drawn when it forked this process; the child's numbers go on from it."""
        return int(self.header["fork_sequence"])

    @property
    def end_reason(self) -> EndReason:
        return EndReason(int(self.header["end_reason"]))

    @property
    def quarantine(self) -> int:
        """How many blocks of its size class are freed before a freed block is used again, as the allocator promised."""
        return int(self.header["quarantine"])

    @property
    def quarantine_limit(self) -> int:
        """The largest usable size that `quarantine` is promised for."""
        return int(self.header["quarantine_limit"])

    @property
    def allocator(self) -> str:
        """The path of the object that served malloc."""
        return _text(self.header["allocator"])

    @property
    def executable(self) -> str:
        return _text(self.header["executable"])

    @property
    def command(self) -> tuple[str, ...]:
        """The words of the command line, as far as the header has room for them."""
        raw = self.header["command"].tobytes()[: int(self.header["command_size"])]
        return tuple(os.fsdecode(word) for word in raw.split(b"\0")[:-1]) if raw else ()

    @property
    def used(self) -> int:
        """How many calls the trace holds. Cost: one pass over the file."""
        return int(np.count_nonzero(self.records["function"]))

    def order(self) -> npt.NDArray[np.intp]:
        """The indices of the used records, by begin number; of equal ones (a history without numbers) by position."""
        begin = self.records["begin"]
        used = np.flatnonzero(self.records["function"])
        numbers = begin[used]
        return used if np.all(numbers[1:] >= numbers[:-1]) else used[np.argsort(numbers, kind="stable")]

    def events(self) -> Iterator[Event]:
        """The calls in the order in which they began, those that never returned (end 0) included.

        Raises TraceError: a record has a function that there is not.
        Cost: about a million events a second; memory for the order, 8 bytes a call.
        """
        order = self.order()
        for start in range(0, len(order), BLOCK):
            try:
                yield from decode(self.records[order[start : start + BLOCK]], self.labels)
            except KeyError as error:
                message = f"{self.path}: damaged: there is no function {error}; docs/trace-format.md lists them"
                raise TraceError(message) from None


def decode(records: Records, labels: tuple[str, ...] = ()) -> Iterator[Event]:
    """The records as events, in the order given. Raises KeyError: one has a function that there is not, or 0."""
    codes = records["function"]
    counted = np.isin(codes, _COUNTED)
    label = codes == Function.LABEL
    extra = records["extra"]
    marks: Iterator[str] = repeat("")
    if labels:
        named = np.where(label, records["address"], 0).tolist()
        marks = (labels[index - 1] if 0 < index <= len(labels) else "" for index in named)
    address = np.where(label, extra, records["address"])
    columns: list[Any] = [
        map(_FUNCTIONS.__getitem__, codes.tolist()),
        records["thread"].tolist(),
        address.tolist(),
        records["size"].tolist(),
        np.where(counted, extra, np.uint64(1)).tolist(),
        np.where(counted | label, np.uint64(0), extra).tolist(),
        *(records[name].tolist() for name in ("result", "errno", "usable", "intact", "begin", "end")),
        *(records[name].tolist() for name in ("time_ns", "site", "flags")),
        marks,
    ]
    return map(partial(tuple.__new__, Event), zip(*columns, strict=False))


def _decompressed(path: Path, content: bytes) -> bytes:
    """All xz streams, one after the other. Raises TraceError: damaged, cut off, or more than there is memory for."""
    parts = []
    rest = content
    while rest:
        reader = lzma.LZMADecompressor(lzma.FORMAT_XZ)
        try:
            parts.append(reader.decompress(rest))
        except (lzma.LZMAError, MemoryError) as error:
            raise TraceError(f"{path}: damaged: xz cannot decompress it: {error or 'out of memory'}") from error
        if not reader.eof:
            raise TraceError(f"{path}: cut off: its xz stream has no end after {len(content):,} bytes")
        rest = reader.unused_data.lstrip(b"\0")  # padding between streams
    return b"".join(parts)


def _header(path: Path, head: bytes) -> np.void:
    if not head:
        raise TraceError(f"{path}: empty; a trace begins with a header of {HEADER_SIZE} bytes")
    if head[: len(MAGIC)] != MAGIC[: len(head)]:
        if not head.strip(b"\0"):
            raise TraceError(f"{path}: the process ended before its trace had begun")
        raise TraceError(f"{path}: not a trace: it begins with {head[:8]!r}, a trace with {MAGIC!r}")
    if len(head) < HEADER_SIZE:
        raise TraceError(f"{path}: cut off: {len(head)} bytes, and the header alone has {HEADER_SIZE}")
    header: np.void = np.frombuffer(head, HEADER)[0]
    if header["version"] != VERSION:
        raise TraceError(f"{path}: trace version {header['version']}; this m4alloc reads version {VERSION}")
    if header["header_size"] != HEADER_SIZE or header["record_size"] != RECORD_SIZE:
        raise TraceError(
            f"{path}: damaged: header of {header['header_size']} bytes and records of {header['record_size']}; "
            f"version {VERSION} has {HEADER_SIZE} and {RECORD_SIZE}"
        )
    if header["end_reason"] not in list(EndReason):
        raise TraceError(f"{path}: damaged: there is no end reason {header['end_reason']}")
    return header


def _split(path: Path, labels: bytes) -> tuple[str, ...]:
    """The labels' texts behind the records.  Raises TraceError: they are no UTF-8."""
    try:
        return tuple(labels.decode().split("\0"))
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: damaged: the texts of its labels are no UTF-8 at byte {error.start}") from None


def _texts(path: Path, records: Records, slot: int) -> tuple[str, ...]:
    """The labels' texts that a running program wrote into slots of the records, from the newest, in `slot`, back.

    Raises TraceError: a slot is no text.
    """
    found: list[str] = []
    number = 1
    texts = records.view(TEXT)
    while slot:
        text = texts[slot - 1] if slot <= len(texts) else None
        if text is None or text["function"] or (found and text["number"] != number - 1):
            raise TraceError(f"{path}: damaged: record {slot} should hold the text of a label")
        number = int(text["number"])
        found.append(bytes(text["text"]).decode(errors="backslashreplace"))
        slot = int(text["before"])
    if number != 1:
        raise TraceError(f"{path}: damaged: its label texts begin with number {number}, not with 1")
    return tuple(reversed(found))


def _without_tail(records: Records) -> Records:
    """The records without the unused ones at the end of the file."""
    stop = len(records)
    while stop:
        start = max(0, stop - 4096)
        used = np.flatnonzero(records["function"][start:stop])
        if len(used):
            return records[: start + int(used[-1]) + 1]
        stop = start
    return records[:0]


def _text(field: bytes) -> str:
    return os.fsdecode(bytes(field))
