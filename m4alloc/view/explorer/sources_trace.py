"""A recorded history, of whatever format, as a life."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from m4alloc.check.images import ending
from m4alloc.check.lives import Integers, Lives
from m4alloc.check.progress import Progress, Silent
from m4alloc.trace.formats import History, open_history
from m4alloc.trace.formats.place import REFERENCE
from m4alloc.trace.read import Trace, decode
from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_bounds import bounded
from m4alloc.view.explorer.build_columns import columns_of_trace
from m4alloc.view.explorer.build_guards import NONE, UNTOLD, guarded, unguarded
from m4alloc.view.explorer.build_marks import findings_in, marked, numbered, places, sentence
from m4alloc.view.explorer.build_properties import EVENTS, about_marks, followed
from m4alloc.view.explorer.life import Life
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.quantity import number, plural
from spec.event import Event
from spec.judge import extent

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy

LONG = 160
"""Characters of a note that are shown."""
VARIABLE = "M4ALLOC_STRATEGY"
"""Tells the core its strategy."""


def life_of_trace(
    path: Path,
    *,
    image: str = "",
    format: str = "",
    allocator: str = "",
    limit: int,
    progress: Progress,
    strategy: Strategy | None = None,
) -> Life:
    """The life of one process image.

    image: of a recording of several; "" for the one of most calls. format: a name of m4alloc.trace.formats, "" to tell
    from the file. allocator: what the requests are made again on; "" for the replies of the file. limit: events drawn.
    strategy: of the core, where it is what serves or served them.
    Raises ViewError: it holds no call. TraceError, AllocatorError, LibraryError, OSError.
    Cost: three seconds or so for a million events.
    """
    history = open_history(
        path,
        format=format,
        image=image,
        allocator=allocator,
        progress=progress,
        environment=environment_of(strategy) if allocator else None,
    )
    return life_of_history(history, limit=limit, progress=progress, strategy=strategy)


def life_of_history(
    history: History, *, limit: int, progress: Progress | None = None, strategy: Strategy | None = None
) -> Life:
    """The life that a history tells, whatever it was read from.

    limit: events drawn. strategy: of the core, where that served it; None for one that is not known.
    Raises ViewError: it holds no call; it was served by another allocator than the core. TraceError: it is damaged.

    >>> from m4alloc.trace.formats.history import of_records, records_of
    >>> from spec.script import parse, to_events
    >>> records, _ = records_of(to_events(parse("a = malloc 24 -> 0x1000\\nfree a\\nfree a")))
    >>> life = life_of_history(of_records(Path("x"), "m4t", records), limit=100)
    >>> len(life.blocks), [mark.name for mark in life.marks]
    (1, ['double-free', 'no-double-free'])
    """
    progress = progress or Silent()
    trace = history.trace
    # `end` says of the one, and here no calls come first.
    said = ("ends before the program", "from the process that forked this one")
    left_out = [note for note in history.notes if not any(words in note for words in said)]
    if history.inherited:
        left_out.append(f"{plural(len(history.inherited), 'block')} are from the process that forked this one.")
    if not trace.used and not history.inherited:
        raise ViewError(f"{history.source}: holds no call: there is nothing to draw")
    if trace.used > limit:
        trace = _first(trace, limit)
        left_out.append(f"Only the first {number(limit)} of {number(history.trace.used)} events are drawn.")
    columns = columns_of_trace(trace)
    progress.phase("matching frees with their blocks")
    life = life_of(
        columns,
        title=called(trace.command) or history.source.name,
        allocator=served_by(history.placed_by or trace.allocator),
        inherited=there(history.inherited),
        quarantine=(trace.quarantine, trace.quarantine_limit),
        end="" if trace.end_reason.is_complete else ending(trace),
        left_out=" ".join(_sentence(one) for one in left_out),
    )
    progress.phase("judging every reply", trace.used)
    counted = numbered(trace)
    findings, total = findings_in(counted, history.inherited, progress.advance)
    life = marked(life, columns.begin, places(columns, findings))
    life = replace(life, sentence=sentence(findings, total))
    # A short history is followed whole; of a long one what concerns the blocks that something was found of.
    followable = range(len(columns)) if len(columns) <= EVENTS and not history.inherited else about_marks(life)
    if len(followable):
        progress.phase("following the properties of blocks")
        chosen = trace.order()[np.asarray(followable, np.int64)]
        events = list(decode(trace.records[chosen], trace.labels))
        life = followed(life, events, followable, (trace.quarantine, trace.quarantine_limit))
    return bounded(_with_guards(life, history, strategy))


def _with_guards(life: Life, history: History, strategy: Strategy | None) -> Life:
    """The life with the guards of the core's strategy, or a note why there are none."""
    if history.placed_by == REFERENCE:
        return unguarded(life, NONE)
    if strategy is not None and life.allocator.startswith("system malloc"):
        raise ViewError(f"{history.source}: --strategy is the core's, and this was served by {life.allocator}")
    strategy = strategy or assumed(history.placed_by)
    teller = "the allocator" if history.placed_by else "a recording"
    return guarded(life, strategy) if strategy is not None else unguarded(life, UNTOLD.format(teller))


def assumed(allocator: str) -> Strategy | None:
    """The strategy of the core that is run now under that name, None where nobody says which that is."""
    from m4alloc.strategy import Strategy

    return Strategy.default() if allocator == "m4alloc" and VARIABLE not in os.environ else None


def environment_of(strategy: Strategy | None) -> dict[str, str] | None:
    """What the core's environment has to hold."""
    return None if strategy is None else {VARIABLE: strategy.to_environment()}


def called(command: Sequence[str]) -> str:
    """A command line, its program without the directories.

    >>> called(["/usr/bin/git", "log"])
    'git log'
    """
    return " ".join([*(Path(word).name for word in command[:1]), *command[1:]])


def served_by(allocator: str) -> str:
    """An allocator by the name that people know; the library itself where it is the path of one.

    >>> served_by("/usr/lib/libm4alloc.so"), served_by("/lib/x86_64-linux-gnu/libc.so.6"), served_by("/x/libmine.so")
    ('m4alloc', 'system malloc (libc.so.6)', 'libmine.so')
    """
    name = Path(allocator).name
    known = {"": "as the file tells it", "libm4alloc.so": "m4alloc", "system": "system malloc"}
    return known.get(name) or (f"system malloc ({name})" if name.startswith("libc.so") else name)


def there(inherited: Sequence[Event]) -> Lives | None:
    """The blocks that a history begins with, None for none."""
    if not inherited:
        return None

    def column(values: list[int]) -> Integers:
        return np.array(values, np.int64)

    count = len(inherited)
    return Lives(
        column([event.result for event in inherited]),
        column([event.request_size for event in inherited]),
        column([extent(event) for event in inherited]),
        np.full(count, -1, np.int64),
        np.full(count, 1, np.int64),
        1,
        np.zeros(0, np.int64),
    )


def _first(trace: Trace, limit: int) -> Trace:
    """The trace with its first events alone."""
    return replace(trace, records=trace.records[np.sort(trace.order()[:limit])])


def _sentence(note: str) -> str:
    """A note as a sentence; a long list is cut."""
    if len(note) > LONG:
        note = f"{note[: note.rindex(',', 0, LONG)]} and more" if "," in note[:LONG] else f"{note[:LONG]} ..."
    text = note[:1].upper() + note[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
