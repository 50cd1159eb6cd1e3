"""Carry out a plan on a fresh heap and judge what comes back, page by page, by the compiled acceptor."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from m4alloc.check.accept import accept_records
from m4alloc.check.foreign import Foreign
from m4alloc.check.history import ordered_records, record_histories
from m4alloc.check.instruction import Instructions
from m4alloc.check.judgement import LIFTED, SERVED_SIZE, Broken, Terms, counts, judge, with_end
from m4alloc.check.operation import LABELS, Directive
from m4alloc.check.target import EndedError, Episode
from m4alloc.trace.read import Records, decode
from spec.acceptor import Acceptor
from spec.contract import EXPECTATIONS, RULES
from spec.event import ALLOCATING, RESIZING, Event, Function

MOST_KEPT = 1 << 20
"""Events of one plan that are kept to be told; a longer history is judged as it passes and told by its plan."""
ALLOCATE = np.array(sorted(ALLOCATING | RESIZING))


@dataclass(slots=True)
class Seen:
    """What one plan showed.

    broken: the first rule that broke; its history is empty when the plan was too long to keep.
    operations: calls and accesses that were judged. observed: how often each rule was seen to hold.
    """

    broken: Broken | None = None
    operations: int = 0
    observed: dict[str, int] = field(default_factory=dict)


def observe(foreign: Foreign, instructions: Instructions, terms: Terms, *, told: bool = False) -> Seen:
    """Carry out the instructions on a fresh heap and judge every event.

    told: whether what broke comes with its history, which takes some microseconds an event.

    Raises WorkerError.  Cost: 0.3 ms, and below a microsecond an operation with the compiled acceptor.

    >>> from m4alloc.check.instruction import Planner
    >>> from m4alloc.check.operation import Operation
    >>> with Foreign("system") as libc:
    ...     seen = observe(libc, Planner().plan([Operation(Function.MALLOC, size=24)]), Terms("c17,glibc"))
    >>> seen.broken, seen.operations, seen.observed["result-disjoint"]
    (None, 1, 1)
    """
    watch = _Watch(terms)
    with foreign.begin() as session:
        try:
            session.carry_out(instructions, watch.page)
            episode = Episode([], message="")
        except EndedError as ended:
            episode = ended.episode
            watch.ended = True
    return watch.result(episode, told=told)


class _Watch:
    """Judges pages as they come."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.acceptor: Acceptor = terms.acceptor()
        self.kept: list[Records] = []
        self.count = 0
        self.limited = self.ended = self.forked = False
        self.unserved = ""
        self.served = 0
        self.last: list[Event] = []

    def page(self, records: Records) -> bool:
        """Judge a page; whether to go on."""
        self.count += len(records)
        self.last = list(decode(records[-1:], LABELS))
        if self.count <= MOST_KEPT:
            self.kept.append(records)
        labels = records["function"] == Function.LABEL
        free = records[self.unlimited(labels & (records["address"] == Directive.LIMIT_MEMORY), records["size"])]
        self.forked = self.forked or bool(records["site"].any())
        self.served += int(np.count_nonzero(np.isin(free["function"], ALLOCATE) & (free["result"] > 0)))
        self.unserved = self.unserved or failed(free)
        if not self.forked:  # else there are several histories, which `judge` tells apart
            self.acceptor = accept_records(ordered_records(records), self.acceptor, labels=LABELS)
        return not self.guilty

    def unlimited(self, limits: npt.NDArray[np.bool_], sizes: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """Which events of a page come while no limit on memory is in force."""
        where = np.full(len(limits), not self.limited)
        for at in np.flatnonzero(limits):
            self.limited = bool(sizes[at] < LIFTED)
            where[at:] = not self.limited
        return where

    @property
    def guilty(self) -> bool:
        """Whether a violation was seen that counts."""
        return any(counts(violation, self.terms) for violation in self.acceptor.violations)

    def result(self, episode: Episode, *, told: bool) -> Seen:
        """What was seen, once it is over."""
        seen = Seen(None, self.count, {**self.acceptor.tally, "request-served": self.served})
        if not (self.forked or self.unserved or self.ended or self.guilty):
            return seen
        if self.forked and self.count <= MOST_KEPT and not self.ended and not self.unserved and self.sound():
            return seen
        if self.count > MOST_KEPT or (self.guilty and not self.forked and not told):
            seen.broken = self.in_passing(replace(episode, events=self.last))
        else:
            events = [event for page in self.kept for event in decode(page, LABELS)]
            whole = Episode(events, episode.end, episode.signal, episode.message)
            seen.broken = judge(whole, self.terms, seen.observed if self.forked else None)
        return seen

    def sound(self) -> bool:
        """Whether neither the first process nor a forked child saw anything broken."""
        for records in record_histories(np.concatenate(self.kept)):
            acceptor = accept_records(records, self.terms.acceptor(), labels=LABELS)
            if acceptor.violations:
                return False
        return True

    def in_passing(self, episode: Episode) -> Broken | None:
        """What a history showed that was too long to keep."""
        if self.guilty:
            first = next(violation for violation in self.acceptor.violations if counts(violation, self.terms))
            return with_end(Broken(first.rule, first.message, self.count), episode)
        if self.ended:
            return Broken(RULES["call-returns"], episode.describe_end(), self.count)
        if self.unserved and "request-served" not in self.terms.without:
            return Broken(EXPECTATIONS["request-served"], self.unserved, self.count)
        return None


def failed(records: Records) -> str:
    """The first request that failed though it is small enough for somebody to ask why; empty when there is none."""
    asks = np.isin(records["function"], ALLOCATE)
    no_block = (records["result"] == 0) | ((records["function"] == Function.POSIX_MEMALIGN) & (records["errno"] != 0))
    small = (records["size"] <= SERVED_SIZE) & (records["size"] > 0)
    found = np.flatnonzero(asks & no_block & small)
    if not len(found):
        return ""
    record = records[found[0]]
    return f"{Function(int(record['function'])).name.lower()} of {int(record['size'])} bytes failed"
