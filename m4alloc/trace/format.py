"""The trace file's layout as numpy sees it: a header of one page, then records of one fixed size.

docs/trace-format.md documents it; a test holds that table, these types and the recorder's C structures to each other.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

MAGIC = b"\x89M4T\r\n\x1a\n"
"""The first bytes; as in PNG, the odd ones show a file that was sent as text."""
VERSION = 1
HEADER_SIZE = 4096
RECORD_SIZE = 88

HEADER = np.dtype(
    [
        ("magic", "V8"),
        ("version", "<u4"),
        ("header_size", "<u4"),
        ("record_size", "<u4"),
        ("end_reason", "<u4"),
        ("pid", "<u4"),
        ("parent_pid", "<u4"),
        ("image", "<u4"),
        ("machine", "<u4"),
        ("fork_sequence", "<u8"),
        ("started_ns", "<u8"),
        ("monotonic_ns", "<u8"),
        ("limit", "<u8"),
        ("quarantine", "<u4"),
        ("info_version", "<u4"),
        ("quarantine_limit", "<u8"),
        ("labels_offset", "<u8"),
        ("labels_size", "<u8"),
        ("command_size", "<u4"),
        ("label_slot", "<u4"),
        ("reserved", "V16"),
        ("parent_file", "S256"),
        ("allocator", "S512"),
        ("executable", "S512"),
        ("command", "V2688"),
    ]
)

RECORD = np.dtype(
    [
        ("begin", "<u8"),
        ("end", "<u8"),
        ("address", "<u8"),
        ("size", "<u8"),
        ("extra", "<u8"),
        ("result", "<u8"),
        ("usable", "<i8"),
        ("intact", "<i8"),
        ("time_ns", "<u8"),
        ("site", "<u8"),
        ("thread", "<u4"),
        ("errno", "<u2"),
        ("function", "u1"),
        ("flags", "u1"),
    ]
)

TEXT = np.dtype(
    [
        ("begin", "<u8"),
        ("end", "<u8"),
        ("before", "<u4"),
        ("number", "<u4"),
        ("text", "S62"),
        ("function", "u1"),
        ("flags", "u1"),
    ]
)
"""The text of a label that a running program has used, in a slot of the records whose function stays 0."""


class EndReason(IntEnum):
    """Why the trace holds no more records."""

    RUNNING = 0
    """The process still runs, or it was killed, or left by _exit() or exec()."""
    EXIT = 1
    """The process called exit() or returned from main."""
    LIMIT = 2
    """The file reached `--limit`."""
    DISK_FULL = 3
    FILE_LIMIT = 4
    """The file reached the process's RLIMIT_FSIZE."""
    MAP_FAILED = 5
    """The process has no address space left, or no mapping."""
    VANISHED = 6
    """The file was deleted, replaced, or can no longer be opened by the process."""

    @property
    def is_complete(self) -> bool:
        """Whether every call of the process is in the trace."""
        return self <= EndReason.EXIT


class TraceError(ValueError):
    """A file is not a trace that can be read here; the message says which file, what is wrong, and what would be."""
