"""Heap scripts and histories for notebooks: their lines, what was claimed of them, and the heap they lead to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING, TypeVar

from spec.picture import badge, lines, table

if TYPE_CHECKING:
    from spec.event import Event
    from spec.script_run import Outcome
    from spec.statement import Script, Step

Row = TypeVar("Row")
MOST = 60
"""Lines that are shown; of more, the first two thirds of that and the last third."""


def script(one: Script) -> str:
    """The text of a script; claims in bold, on the right of their lines.

    >>> from spec.script_reader import parse
    >>> "<b>! misuse double-free a</b>" in script(parse("a = malloc 8\\nfree a\\nfree a  ! misuse double-free a"))
    True
    """
    text = [*str(one).splitlines()]
    shown = [
        asked + (f"<b>! {claim}</b>" if mark else "")
        for line in _cut(text, f"... {len(text) - MOST:,} more")
        for asked, mark, claim in [escape(line).partition("! ")]
    ]
    return lines([]).replace("</pre>", "\n".join(shown) + "</pre>")


def outcome(one: Outcome) -> str:
    """Whether everything came as the script says; what did not, what nobody claimed, and the heap at the end.

    >>> from spec.script import check, parse
    >>> found = outcome(check(parse("a = malloc 24 -> 0x1000\\nb = malloc 24 -> 0x1010")))
    >>> "NOT AS CLAIMED" in found, "result-disjoint" in found
    (True, True)
    """
    count = f"{len(one.events):,} event{'s' * (len(one.events) != 1)}"
    head = f"<p>{badge('AS CLAIMED' if one.ok else 'NOT AS CLAIMED', one.ok)} {count}</p>"
    told = [*one.failures, *(f"nobody claimed: {finding}" for finding in one.unclaimed)]
    heap = one.acceptor.heap
    drawn = heap._repr_html_() if heap.live or heap.graves else ""
    return head + (lines(told) if told else "") + drawn


def history(events: Sequence[Event]) -> str:
    """A row an event: its number, thread, what was asked in the words of heap scripts, the reply, usable bytes.

    The number is that of its begin; where it has none, its place.

    Cost: O(n log n), for the names of the blocks.

    >>> from spec.event import Event, Function
    >>> ">a = malloc 24</td>" in history([Event(Function.MALLOC, size=24, result=4096)])
    True
    """
    steps = _steps(events)
    rows = [_row(number, step) for number, step in enumerate(steps, 1)]
    left = len(rows) - MOST
    shown = _cut(rows, ["", "", f"... {left:,} more", "", ""])
    return table(shown, ["event", "thread", "request", "reply", "usable"], right=[0, 1, 4])


def text(events: Sequence[Event]) -> str:
    """The same as lines of a heap script."""
    from spec.script_writer import line_of

    return "\n".join(line_of(step) for step in _steps(events))


def _steps(events: Sequence[Event]) -> Sequence[Step]:
    from spec.script_history import from_events

    return from_events(events).steps


def _row(number: int, step: Step) -> list[str]:
    """The cells of one event."""
    from dataclasses import replace

    from spec.event import NOT_OBSERVED
    from spec.script_writer import line_of

    event = step.event
    assert event is not None  # a history has no lines that only claim
    bare = event._replace(thread=0, begin=0, end=0, usable=NOT_OBSERVED, intact=NOT_OBSERVED, errno=0, site=0)
    asked, _, reply = line_of(replace(step, event=bare)).partition(" -> ")
    if event.errno:
        reply = f"{reply} errno {event.errno}".strip()
    usable = f"{event.usable:,}" if event.usable != NOT_OBSERVED else ""
    return [f"{event.begin or number:,}", str(event.thread), asked, reply, usable]


def _cut(rows: Sequence[Row], more: Row) -> Iterator[Row]:
    """The rows that are shown, with `more` where some are left out."""
    if len(rows) <= MOST:
        yield from rows
        return
    yield from rows[: 2 * MOST // 3]
    yield more
    yield from rows[-MOST // 3 :]
