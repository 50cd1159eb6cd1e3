"""Marks: what the specification finds in a history, each at its event and its block."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np

from m4alloc.check.accept import accept_records, acceptor_on
from m4alloc.check.lives import HIGHEST, Integers, one_after_another
from m4alloc.trace.read import Records, Trace
from m4alloc.view.explorer.build_columns import Columns
from m4alloc.view.explorer.life import Life, Mark
from m4alloc.view.quantity import number, plural
from spec.error import Finding, Misuse, Violation
from spec.event import ACCESSING, NOT_OBSERVED, RESIZING, Event
from spec.heap import Block, Heap
from spec.judge import SIZE_MAX, extent, hands_out

STANDARD = "c17,glibc"
KEPT = 1000
"""Findings that become marks; the rest are counted."""
_EVENT = re.compile(r"\bevent (\d+)")
_BLOCK = re.compile(r"\bblock #(\d+)")


class Numbers(Protocol):
    """What place has what goes by a number."""

    def get(self, number: int, default: Any = None, /) -> Any: ...


def numbered(trace: Trace) -> Trace:
    """The trace with begin and end numbers, one call after the other, where it has none."""
    begin = trace.records["begin"][trace.records["function"] > 0]
    if len(begin) == 0 or (begin[0] > 0 and bool(np.all(begin > 0))):
        return trace
    order = trace.order()
    records: Records = trace.records[order].copy()
    records["begin"], records["end"] = one_after_another(len(records))
    return replace(trace, records=records)


def findings_in(
    trace: Trace, inherited: Sequence[Event], progress: Callable[[int], None] | None = None
) -> tuple[list[Finding], int]:
    """What the specification finds in a numbered trace, the first KEPT of it, and how much in all.

    inherited: the allocations whose blocks were there at the start.
    Cost: about a tenth of a microsecond a call; some microseconds where something is wrong, or memory is accessed.
    """
    heap = Heap()
    for event in inherited:
        if not heap.overlapping(event.result, event.result + extent(event)):
            heap.insert(Block(event.result, event.request_size, event.usable, event.alignment))
    acceptor = acceptor_on(
        heap,
        STANDARD,
        quarantine=trace.quarantine,
        quarantine_limit=trace.quarantine_limit if trace.quarantine else SIZE_MAX,
        limit=KEPT,
    )
    accept_records(trace.records, acceptor, labels=trace.labels, order=trace.order(), progress=progress)
    return acceptor.findings, acceptor.counts.total()


def marked(life: Life, numbers: Integers, found: Iterable[tuple[int, Finding]]) -> Life:
    """The life with a mark for each finding; found: with the number of the event that each was found at.

    numbers: what the messages call each event.
    """
    events = _Places(numbers)
    marks = [_mark(life, event, finding, events) for event, finding in found]
    return replace(life, marks=in_order([*life.marks, *marks]))


def renamed(text: str, events: Numbers, blocks: Numbers) -> str:
    """A message whose events and blocks are called as the page calls them: by their places in the life, from 1.

    events, blocks: what place, from 0, has what the message calls so; a block that is not in there is "a block".

    >>> renamed("block #3 (8 bytes), freed at event 13", {13: 6}, {3: 2})
    'block #3 (8 bytes), freed at event 7'
    """

    def block(found: re.Match[str]) -> str:
        place = blocks.get(int(found[1]))
        return "a block" if place is None else f"block #{place + 1}"

    def event(found: re.Match[str]) -> str:
        place = events.get(int(found[1]))
        return found[0] if place is None else f"event {place + 1}"

    told = _EVENT.sub(event, text)
    return _BLOCK.sub(block, told)


def in_order(marks: Iterable[Mark]) -> tuple[Mark, ...]:
    """The marks by event; of one event labels stand last."""
    return tuple(sorted(marks, key=lambda mark: (mark.event, mark.kind == "label")))


def places(columns: Columns, findings: Iterable[Finding]) -> list[tuple[int, Finding]]:
    """Each finding with the number of its event, by the number that the call began with."""
    begins = columns.begin
    found = []
    for finding in findings:
        begin = finding.event.begin if finding.event is not None else 0
        place = int(np.searchsorted(begins, begin))
        found.append((min(place, max(0, len(begins) - 1)), finding))
    return found


def sentence(findings: Sequence[Finding], total: int, standard: str = STANDARD) -> str:
    """What the specification says of the whole, in a sentence."""
    violations = sum(isinstance(finding, Violation) for finding in findings)
    misuses = len(findings) - violations
    if not findings:
        return f"The specification ({standard}) objects to nothing."
    parts = []
    if violations:
        names = sorted({finding.rule.name for finding in findings if isinstance(finding, Violation)})
        parts.append(f"{plural(violations, 'violation')} by the allocator ({', '.join(names)})")
    if misuses:
        names = sorted({finding.kind for finding in findings if isinstance(finding, Misuse)})
        parts.append(f"{plural(misuses, 'misuse')} by the program ({', '.join(names)})")
    more = f", and {number(total - len(findings))} more that are not marked" if total > len(findings) else ""
    return f"The specification ({standard}) finds {' and '.join(parts)}{more}."


class _Places:
    """The places of numbers that rise."""

    def __init__(self, numbers: Integers) -> None:
        self.numbers = numbers

    def get(self, number: int, default: Any = None, /) -> Any:
        """The place of the number, or the default."""
        at = int(np.searchsorted(self.numbers, number))
        return at if at < len(self.numbers) and self.numbers[at] == number else default


def _mark(life: Life, event: int, finding: Finding, events: Numbers) -> Mark:
    """The mark of one finding."""
    block = int(life.events.block[event])
    address, length = _bytes(finding)
    address = min(address, HIGHEST)  # as the columns are
    harmed = finding.block
    born = events.get(harmed.born) if harmed is not None else None
    blocks = {harmed.id: int(life.events.block[born])} if harmed is not None and born is not None else {}
    message = renamed(finding.message, events, blocks)
    if isinstance(finding, Misuse):
        return Mark(event, block, "misuse", finding.kind, message, "", address, length)
    rule = finding.rule
    reason = message.replace(f" {rule.sentence}", "")
    return Mark(event, block, "violation", rule.name, reason, rule.sentence, address, length)


def _bytes(finding: Finding) -> tuple[int, int]:
    """The bytes that a finding is about: those accessed, those harmed, or those handed out."""
    event, harmed = finding.event, finding.block
    if event is not None and event.function in ACCESSING:
        return event.address, max(1, event.size)
    if harmed is not None and isinstance(finding, Violation) and event is not None and hands_out(event):
        low, high = max(harmed.base, event.result), min(harmed.top, event.result + extent(event))
        return (low, high - low) if low < high else (event.result, extent(event))
    if harmed is not None:
        return harmed.base, harmed.extent
    if event is not None and hands_out(event):
        return event.result, extent(event)
    if event is not None and event.address and (event.function in RESIZING or event.usable == NOT_OBSERVED):
        return event.address, 1
    return 0, 0
