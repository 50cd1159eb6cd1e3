"""Write small recordings by hand, as the recorder would have."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from m4alloc.trace import format as layout
from m4alloc.trace.read import Trace
from spec.event import Event, Function

COUNTED = (Function.CALLOC, Function.REALLOCARRAY)


def write_trace(
    path: Path,
    events: Sequence[Event],
    *,
    pid: int = 100,
    image: int = 0,
    parent: str = "",
    fork_sequence: int = 0,
    end_reason: layout.EndReason = layout.EndReason.EXIT,
    info_version: int = 0,
    quarantine: int = 0,
) -> Trace:
    """The events as a trace file; events without numbers get those of a sequential history after the fork."""
    header = np.zeros(1, layout.HEADER)
    command = b"program\0--option\0"
    header[0]["magic"] = np.void(layout.MAGIC)
    header["version"] = layout.VERSION
    header["header_size"] = layout.HEADER_SIZE
    header["record_size"] = layout.RECORD_SIZE
    header["end_reason"] = end_reason
    header["pid"] = pid
    header["image"] = image
    header["parent_file"] = parent.encode()
    header["fork_sequence"] = fork_sequence
    header["info_version"] = info_version
    header["quarantine"] = quarantine
    header["allocator"] = b"libhand.so"
    header["executable"] = b"/bin/program"
    header[0]["command"] = np.void(command.ljust(2688, b"\0"))
    header["command_size"] = len(command)
    records = np.zeros(len(events), layout.RECORD)
    for index, event in enumerate(events):
        begin = event.begin or fork_sequence + 2 * index + 1
        end = event.end if event.begin else begin + 1
        extra = event.count if event.function in COUNTED else event.alignment
        records[index] = (
            begin, end, event.address, event.size, extra, event.result, event.usable, event.intact,
            event.time_ns, event.site, event.thread, event.errno, int(event.function), event.flags,
        )  # fmt: skip
    path.write_bytes(header.tobytes() + records.tobytes())
    return Trace.open(path)
