"""Heap scripts and allocators under test: what was seen told as a script, and a script put to any target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from m4alloc.check.judgement import Terms
from m4alloc.check.target import Session, Target
from spec.error import Finding, Misuse
from spec.event import Event
from spec.history import Phase, points
from spec.script_history import from_events
from spec.script_run import Outcome, run
from spec.statement import Claim, Script


def told(events: Sequence[Event], terms: Terms) -> Script:
    """The history as a script in which every step claims what the specification finds in it. Cost: O(n log n).

    >>> from spec.script_writer import render
    >>> from spec.event import Function
    >>> history = [Event(Function.MALLOC, size=24, result=0x1000), Event(Function.MALLOC, size=24, result=0x1010)]
    >>> print(render(told(history, Terms())), end="")
    given standard c17
    given observes errno
    a = malloc 24 -> 0x1000
    b = malloc 24 -> 0x1010    ! violates result-disjoint
    """
    acceptor = terms.acceptor()
    own = [event._replace() for event in events]  # each an object of its own
    found: dict[int, list[Finding]] = {id(event): [] for event in own}
    for phase, event in points(own):
        if phase is not Phase.END:
            found[id(event)] += acceptor.release(event)
        if phase is not Phase.BEGIN:
            found[id(event)] += acceptor.acquire(event)
    steps = []
    script = from_events(own, terms.settings())
    for step, event in zip(script.steps, own, strict=True):
        claims = tuple(
            Claim("misuse", (finding.kind,), pointer=step.pointer)
            if isinstance(finding, Misuse)
            else Claim("violates", (finding.rule.name,))
            for finding in found[id(event)]
        )
        steps.append(replace(step, claims=claims))
    return replace(script, steps=tuple(steps))


class Served:
    """A session as an allocator that scripts run on; its LOAD events for changed contents are kept in `broken`."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.broken: list[Event] = []

    def request(self, event: Event) -> Event:
        """The same event with its reply."""
        *broken, reply = self.session.request(event)
        self.broken += broken
        return reply


def play(script: Script, target: Target) -> Outcome:
    """Put the requests of a script to a fresh heap of the target and check the claims against its replies.

    The target fills and compares contents itself. Raises EndedError: it crashed or hung.

    >>> from m4alloc.check.local import reference
    >>> from spec.script import parse
    >>> play(parse("a = malloc 24\\nfree a\\nexpect a dead"), reference()).ok
    True
    """
    session = target.begin()
    try:
        return run(script, Served(session))
    finally:
        session.close()
