"""Heap scripts: as they are when they hold replies, else run on an allocator first."""

from __future__ import annotations

from pathlib import Path

from m4alloc.check.progress import Progress
from m4alloc.trace.formats.compressed import decompressed
from m4alloc.trace.formats.history import History, of_records, records_of
from m4alloc.trace.formats.problem import FormatError
from m4alloc.trace.whole import replacing
from spec.allocator import ReferenceAllocator
from spec.event import Event
from spec.script import ScriptError, Settings, from_events, parse, render, run, to_events
from spec.script_words import REPLYING
from spec.statement import Script

CAPACITY = 1 << 36
"""Bytes of the arena that a script without replies is run in."""


def read_script(path: Path, image: str, progress: Progress) -> History:
    """The history that a script tells; one without replies is told by the reference allocator.

    Raises FormatError, ScriptError as one: what is wrong at which line and column.  Cost: 20 us a line.
    """
    progress.phase("reading the script")
    try:
        script = parse(decompressed(path).decode("utf-8-sig").replace("\r\n", "\n"), str(path))
        return of_script(path, script, to_events(script)) if replied(script) else rerun(path, script)
    except UnicodeDecodeError as error:
        raise FormatError(path, f"not UTF-8: {error.reason}", byte=error.start) from error
    except ScriptError as error:
        raise FormatError(path, error.message, line=error.line, column=error.column) from error
    except FormatError:
        raise
    except ValueError as error:  # a number of thousands of digits
        raise FormatError(path, str(error)) from error


def rerun(path: Path, script: Script) -> History:
    """The history of the script's requests on the reference allocator, misuse refused.  Raises ScriptError."""
    outcome = run(script, ReferenceAllocator(capacity=CAPACITY, quarantine=script.settings.quarantine or 0))
    return of_script(path, script, outcome.events, "reference")


def replied(script: Script) -> bool:
    """Whether every call of the script that has a reply holds it, so that it is a history by itself.

    >>> replied(parse("a = malloc 8 -> 0x1000\\nfree a")), replied(parse("a = malloc 8\\nfree a"))
    (True, False)
    """
    return all(step.replied for step in script.steps if step.event is not None and step.event.function in REPLYING)


def of_script(path: Path, script: Script, events: list[Event], placed_by: str = "") -> History:
    """The history that a script and its events are; placed_by: the allocator that gave the replies, "" for the file."""
    try:
        records, labels = records_of(events)
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    settings = script.settings
    made = of_records(
        path,
        "heap",
        records,
        labels,
        allocator=placed_by,
        quarantine=settings.quarantine or 0,
        quarantine_limit=settings.quarantine_limit or 0,
        script=script,
        notes=[f"addresses are those of a run on {placed_by}"] if placed_by else [],
    )
    return History(path, "heap", made.trace, placed_by=placed_by, script=script, notes=made.notes)


def write_script(path: Path, history: History, progress: Progress) -> tuple[str, ...]:
    """Write a history as a script with its replies.  Cost: 20 us an event, and its text in memory."""
    trace = history.whole().trace
    settings = Settings()
    if trace.quarantine:
        settings = Settings(quarantine=trace.quarantine, quarantine_limit=trace.quarantine_limit)
    progress.phase("writing the script")
    try:
        text = render(from_events(list(trace.events()), settings, str(path)))
    except ValueError as error:
        raise FormatError(history.source, f"no heap script can tell it: {error}") from error
    with replacing(path) as file:
        file.write(text.encode())
    lost = ["a script holds no times"] if trace.records["time_ns"].any() else []
    if trace.allocator or trace.command:
        lost.append("a script does not say what ran on which allocator")
    return tuple(lost)
