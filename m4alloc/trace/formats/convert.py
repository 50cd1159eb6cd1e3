"""The verb `m4alloc convert`: a heap's history from one format to another."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from m4alloc.check.progress import Progress, Silent
from m4alloc.trace.formats.blocks import FREE, calls_of, live_of
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.formats.reading import open_history
from m4alloc.trace.formats.registry import by_name, of_output
from m4alloc.trace.formats.scratch import STANDARD, is_stream, writable
from m4alloc.trace.index import SCHEMA
from m4alloc.view.quantity import number, plural, size


@dataclass(frozen=True, slots=True)
class ConvertReport:
    """What was read and written.

    source_format, target_format: names of formats. events: calls and labels read. blocks: that were made in all, a
    resized one counted once. allocated_bytes: asked for by all calls together, a resize with its whole new size.
    peak_bytes: live at once, as requested. left_bytes, left_blocks: live at the end. placed_by: the allocator that gave
    the addresses, "" when they are the input's. read: sentences on what the input does not say, or was left out of it.
    lost: sentences on what the output has no room for. written_bytes: of the output.
    """

    source: Path
    source_format: str
    target: Path
    target_format: str
    events: int
    blocks: int
    allocated_bytes: int
    peak_bytes: int
    left_blocks: int
    left_bytes: int
    placed_by: str
    read: tuple[str, ...]
    lost: tuple[str, ...]
    written_bytes: int

    def to_json(self) -> dict[str, Any]:
        """The report as `m4alloc convert --json` prints it."""
        return {
            "schema": SCHEMA,
            "verb": "convert",
            "source": {"path": str(self.source), "format": self.source_format},
            "target": {"path": str(self.target), "format": self.target_format, "bytes": self.written_bytes},
            "events": self.events,
            "blocks": self.blocks,
            "allocated_bytes": self.allocated_bytes,
            "peak_bytes": self.peak_bytes,
            "left": {"blocks": self.left_blocks, "bytes": self.left_bytes},
            "placed_by": self.placed_by,
            "read": list(self.read),
            "lost": list(self.lost),
        }

    def lines(self) -> list[str]:
        """The report as text."""
        left = f"{plural(self.left_blocks, 'block')}, {size(self.left_bytes)} never freed"
        return [
            f"{self.source} ({self.source_format}): {plural(self.events, 'event')}, {plural(self.blocks, 'block')}, "
            f"{size(self.allocated_bytes)} asked for, {size(self.peak_bytes)} at once; {left}",
            *(f"  {sentence}" for sentence in self.read),
            f"{self.target} ({self.target_format}): {number(self.written_bytes)} bytes",
            *(f"  {sentence}" for sentence in self.lost),
        ]


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    source_format: str = "",
    target_format: str = "",
    image: str = "",
    allocator: str | os.PathLike[str] = "",
    progress: Progress | None = None,
) -> ConvertReport:
    """Read `source` and write `target`, which appears whole or not at all.

    source, target: "-" is the standard input, or output; pipes and devices are read and written as they are.
    source_format, target_format: names of formats, "" to tell from the file. image, allocator: as of `open_history`.
    Raises TraceError: what is wrong with the input, or a format that is unknown, cannot be read or written, or needs a
    package. AllocatorError, LibraryError, OSError.
    Cost: a million events in seconds between traces and columns, and in some tens of seconds from or to text.

    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "two.heap").write_text("a = malloc 24\\nb = calloc 2 8\\nfree a\\n")
    >>> report = convert(folder / "two.heap", folder / "two.rep")
    >>> report.events, report.blocks, report.peak_bytes, (folder / "two.rep").read_text().split("\\n")[4:]
    (3, 2, 40, ['a 0 24', 'a 1 16', 'f 0', ''])
    """
    source = STANDARD[name][0] if (name := os.fspath(source)) in STANDARD else Path(source)
    target = STANDARD[name][1] if (name := os.fspath(target)) in STANDARD else Path(target)
    told = progress or Silent()
    wanted = by_name(target_format) if target_format else of_output(target)
    wanted.refuse_writing(target)
    if not target.parent.is_dir():
        raise FormatError(target, f"there is no folder {target.parent} to write it to")
    if target.is_dir():
        raise FormatError(target, "a folder; the name of a file is wanted")
    if not is_stream(target) and target.exists() and source.exists() and target.samefile(source):
        raise FormatError(target, "the output is the input itself; write to another name")
    history = open_history(source, format=source_format, image=image, allocator=allocator, progress=told).whole()
    calls = calls_of(history)
    live, blocks = live_of(calls)
    with writable(target) as file:
        lost = wanted.write(file, history, told)
        written = file.stat().st_size
    return ConvertReport(
        source=source,
        source_format=history.format,
        target=target,
        target_format=wanted.name,
        events=len(calls.records),
        blocks=calls.blocks,
        allocated_bytes=int(calls.size[calls.action != FREE].sum()),
        peak_bytes=int(live.max(initial=0)),
        left_blocks=int(blocks[-1]) if len(blocks) else 0,
        left_bytes=int(live[-1]) if len(live) else 0,
        placed_by=history.placed_by,
        read=history.notes,
        lost=lost,
        written_bytes=written,
    )
