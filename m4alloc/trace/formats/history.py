"""History: what a file of any format says of one process's heap, in the form in which everything else takes it.

A `History` is a `Trace` in memory (or mapped), as if the recorder had written it: records in the layout of
docs/trace-format.md, and a header that says what ran on what. So whatever takes a trace takes every format.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

import numpy as np

from m4alloc.trace import write as trace_file
from m4alloc.trace.format import RECORD, EndReason
from m4alloc.trace.read import Records, Trace
from spec.event import Event, Function
from spec.statement import Script

PRELUDE = "m4alloc.prelude"
"""The label that ends the calls that make what was there at the start."""


@dataclass(frozen=True, slots=True)
class History:
    """One process image's heap, read from a file.

    source: the file. format: its format's name. trace: header and records; `trace.path` is the file, or the image's own
    in a recording of several. inherited: the allocations whose blocks were there at the start, as
    `TraceTree.inherited` gives them. placed_by: the allocator that was run to get the addresses, "" when they are the
    file's own. script: the heap script, when it was one. notes: sentences on what the file does not say, what was left
    out and what was made up. addressed: whether the addresses are any; blocks that have none stand 4 GiB
    apart until an allocator has placed them, which `open_history` sees to.
    """

    source: Path
    format: str
    trace: Trace
    inherited: tuple[Event, ...] = ()
    placed_by: str = ""
    script: Script | None = None
    notes: tuple[str, ...] = ()
    addressed: bool = True

    def events(self) -> Iterator[Event]:
        """What the heap has seen, in order: what was there at the start, then the calls.  Cost: 1 us an event."""
        return chain(self.inherited, self.trace.events())

    def records(self) -> Records:
        """The used records in the order in which the calls began, without what was inherited.  Cost: O(n)."""
        return self.trace.records[self.trace.order()]

    def whole(self) -> History:
        """The same with what was there at the start as calls before the first, ended by a label `m4alloc.prelude`."""
        if not self.inherited:
            return self
        labels = dict.fromkeys(self.trace.labels)
        number = list(labels).index(PRELUDE) + 1 if PRELUDE in labels else len(labels) + 1
        moment = int(self.trace.header["fork_sequence"])
        mark = Event(Function.LABEL, begin=moment, end=moment + 1, label=PRELUDE)
        numbers = {PRELUDE: number}
        rows = [trace_file.row(event, place, numbers) for place, event in enumerate([*self.inherited, mark])]
        records = np.concatenate([np.array(rows, RECORD), self.records()])
        labels[PRELUDE] = None
        header = self.trace.header.copy()
        header["parent_file"], header["fork_sequence"], header["label_slot"] = b"", 0, 0
        trace = replace(self.trace, header=header, records=records, labels=tuple(labels))
        return replace(self, trace=trace, inherited=())

    def note(self, *sentences: str) -> History:
        """The same with more to say of it; empty sentences are left out."""
        return replace(self, notes=(*self.notes, *filter(None, sentences)))


def of_records(
    source: Path,
    format: str,
    records: Records,
    labels: Sequence[str] = (),
    *,
    allocator: str = "",
    command: Sequence[str] = (),
    end_reason: EndReason = EndReason.EXIT,
    quarantine: int = 0,
    quarantine_limit: int = 0,
    pid: int = 0,
    script: Script | None = None,
    notes: Iterable[str] = (),
    addressed: bool = True,
) -> History:
    """A history of records as they are, with the texts of their labels, number 1 first."""
    header = trace_file.header_of(allocator, command)
    header["end_reason"], header["pid"] = end_reason, pid
    header["quarantine"], header["quarantine_limit"] = quarantine, quarantine_limit
    trace = Trace(source, header, records, tuple(labels))
    return History(source, format, trace, script=script, notes=tuple(filter(None, notes)), addressed=addressed)


def records_of(events: Iterable[Event]) -> tuple[Records, tuple[str, ...]]:
    """The events as records, and the texts of their labels.  Raises ValueError: a number that no record can hold.

    Cost: a microsecond or two an event.

    >>> records, labels = records_of([Event(Function.MALLOC, size=24, result=4096), Event(Function.LABEL, label="x")])
    >>> records["size"].tolist(), labels
    ([24, 0], ('x',))
    """
    labels: dict[str, int] = {}
    rows = [trace_file.row(event, place, labels) for place, event in enumerate(events)]
    return np.array(rows, RECORD), tuple(labels)
