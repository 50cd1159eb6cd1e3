"""What the core has counted in a process, as libm4alloc.so writes it when the process ends: one line of JSON each.

docs/statistics.md says what each number is, and when it is exact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

SCHEMA = "m4alloc/1"
LONGEST_PATH = 511
"""Bytes of a path that the library takes."""


@dataclass(frozen=True, slots=True)
class ClassStatistics:
    """One size class. slot_size and spans are bytes, the rest slabs, slots, blocks or calls.

    slot_size: 0 for requests of zero bytes. mallocs, frees, remote_frees, refills, flushes, slabs_made: so far.
    """

    slot_size: int
    spans: int
    slabs: int
    slabs_peak: int
    slabs_made: int
    slots: int
    live_blocks: int
    cached_slots: int
    free_slots: int
    mallocs: int
    frees: int
    remote_frees: int
    refills: int
    flushes: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """One process image at its end. Sizes are bytes; resident and resident_peak are None where /proc is not mounted."""

    pid: int
    parent: int
    image: str
    resident: int | None
    resident_peak: int | None
    live: int
    live_blocks: int
    large: int
    large_blocks: int
    cached: int
    spans: int
    spans_peak: int
    dirty: int
    reserved: int
    committed: int
    metadata: int
    slabs: int
    heaps: int
    misuses: int
    mallocs: int
    frees: int
    remote_frees: int
    large_mallocs: int
    large_frees: int
    large_freed: int
    sampled_mallocs: int
    sampled_frees: int
    refills: int
    flushes: int
    slabs_made: int
    purges: int
    purged: int
    commits: int
    prefaults: int
    held: int
    regions: int
    threads: int
    classes: tuple[ClassStatistics, ...]

    def to_json(self) -> dict[str, Any]:
        """The members as docs/json-schema/run.json has them."""
        return asdict(self)


def read_line(line: str) -> Statistics:
    """The statistics that one line of the library's says; members that we do not know are left aside.

    Raises ValueError: the line is not whole, or of another schema.

    >>> read_line('{"schema": "m4alloc/1", "pid": 7')
    Traceback (most recent call last):
    ValueError: not a line of statistics: Expecting ',' delimiter: line 1 column 33 (char 32)
    """
    try:
        found = json.loads(line)
        if found["schema"] != SCHEMA:
            raise ValueError(f"its schema is {found['schema']}, not {SCHEMA}")
        classes = (_known(ClassStatistics, counts) for counts in found["classes"])
        found["classes"] = tuple(ClassStatistics(**counts) for counts in sorted(classes, key=lambda c: c["slot_size"]))
        return Statistics(**_known(Statistics, found))
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"not a line of statistics: {error}") from error


def _known(kind: type[ClassStatistics] | type[Statistics], members: Mapping[str, Any]) -> dict[str, Any]:
    return {field.name: members[field.name] for field in fields(kind)}


def read(path: Path) -> tuple[list[Statistics], int]:
    """The statistics in a file, in the order in which the processes ended, and how many lines are not whole.

    A process that is killed while it writes leaves such a line, and so does a full disk. No file: nothing.
    """
    whole: list[Statistics] = []
    damaged = 0
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    for line in text.splitlines():
        try:
            whole.append(read_line(line))
        except ValueError:
            damaged += 1
    return whole, damaged


def option(path: Path) -> str:
    """The option that makes every process image append its statistics to a file when it ends.

    Raises ValueError: the library takes no such path.

    >>> option(Path("/tmp/100%"))
    'stats=/tmp/100%%'
    >>> option(Path("/tmp/a,b"))
    Traceback (most recent call last):
    ValueError: statistics cannot be written to /tmp/a,b: the path has a comma, which ends an option
    """
    text = str(path).replace("%", "%%")
    if not text.startswith("/"):
        raise ValueError(f"statistics cannot be written to {path}: the path is not absolute")
    if "," in text:
        raise ValueError(f"statistics cannot be written to {path}: the path has a comma, which ends an option")
    if len(text.encode(errors="surrogateescape")) > LONGEST_PATH:
        raise ValueError(f"statistics cannot be written to {path}: the path has over {LONGEST_PATH} bytes")
    return f"stats={text}"
