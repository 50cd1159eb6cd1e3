"""What an episode says about its allocator: the first rule that broke, if any."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType

from m4alloc.check.history import histories
from m4alloc.check.operation import Directive, Operation
from m4alloc.check.target import End, Episode, Usage
from spec.acceptor import Acceptor
from spec.contract import EXPECTATIONS, RULES, Rule
from spec.error import Violation
from spec.event import (
    ACCESSING,
    ALLOCATING,
    ERRNO_CHANGED,
    FREEING,
    MISUSE_CAUGHT,
    RESIZING,
    WHOLE_SCANNED,
    Event,
    Function,
    returned,
)
from spec.history import Phase, accept, points
from spec.judge import SIZE_MAX
from spec.standard import Contract, ReallocZero, contract
from spec.statement import Settings

SHARING = frozenset({"result-disjoint", "reuse-only-after-free"})
"""The rules that break when a byte of a live block is handed out once more."""
SERVED_SIZE = 1 << 20
SERVED_ALIGNMENT = 4096
SERVED_LIVE = 1 << 28
"""A request of up to so many bytes, aligned to no more, has to succeed while so many are live at most."""
LIFTED = 1 << 40
"""A limit on memory that leaves so many bytes is none: it takes an earlier one back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an allocator is held to: the standards, and what it promises beyond them.

    quarantine: frees of a block's size class before its reuse, for blocks of up to `quarantine_limit` usable bytes.
    catches_misuse: each misuse is reported at the call and flagged; plans then contain misuse.
    misuse: plans contain misuse all the same, to see what it leads to: see `after_misuse`.
    promises: rules that no standard states, by name, such as calloc-zeroes-usable. without: rules that it is known to
    break, or that nobody cares about, by name.
    """

    standard: str = "c17"
    quarantine: int = 0
    quarantine_limit: int = SIZE_MAX
    catches_misuse: bool = False
    promises: frozenset[str] = frozenset()
    without: frozenset[str] = frozenset()
    misuse: bool = False

    @property
    def observes(self) -> int:
        """The event flags whose absence is evidence, too."""
        whole = WHOLE_SCANNED if "calloc-zeroes-usable" in self.promises else 0
        return ERRNO_CHANGED | whole | (MISUSE_CAUGHT if self.catches_misuse else 0)

    @property
    def contract(self) -> Contract:
        """The rules in force."""
        return narrowed(self.standard, self.promises, self.without)

    @property
    def resizes_to_nothing(self) -> bool:
        """Whether the client may ask for realloc(p, 0)."""
        return self.contract.realloc_zero is not ReallocZero.UNDEFINED

    def acceptor(self) -> Acceptor:
        """A fresh acceptor of histories on these terms."""
        return Acceptor(
            self.contract,
            quarantine=self.quarantine,
            quarantine_limit=self.quarantine_limit,
            observes=self.observes,
        )

    def settings(self) -> Settings:
        """The `given` lines of a script on these terms."""
        limit = self.quarantine_limit if self.quarantine else None
        return Settings(
            self.standard, self.quarantine or None, limit, observes=self.observes, promises=self.promises or None
        )


@cache
def narrowed(standard: str, promises: frozenset[str], without: frozenset[str]) -> Contract:
    """The contract of the standards and promises without some of its rules. Raises ValueError: there is no such rule.

    >>> len(narrowed("c17", frozenset(), frozenset({"calloc-zeroes"})).rules) + 1 == len(contract("c17").rules)
    True
    """
    unknown = sorted(without - RULES.keys() - EXPECTATIONS.keys())
    if unknown:
        known = ", ".join([*RULES, *EXPECTATIONS])
        raise ValueError(f"there is no rule {unknown[0]!r}; the rules are {known}")
    whole = contract(standard, promises)
    rules = {name: rule for name, rule in whole.rules.items() if name not in without}
    return replace(whole, rules=MappingProxyType(rules))


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that broke, what was seen, the history that shows it, and the number of the event (from 0) that did."""

    rule: Rule
    message: str
    number: int
    history: tuple[Event, ...] = ()

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.message}"


def judge(episode: Episode, terms: Terms, observed: dict[str, int] | None = None) -> Broken | None:
    """The first rule that the episode breaks, or None. Cost: some microseconds an event while nothing is wrong.

    observed: how often each rule was seen to hold is added here.
    """
    misused = False
    for child, events in enumerate(histories(episode.events)):
        acceptor = accept(events, terms.acceptor())
        if observed is not None and not child:
            for name, number in acceptor.tally.items():
                observed[name] = observed.get(name, 0) + number
        # What a child began with is known in part only: a free there of what is not known is nobody's misuse.
        misused = misused or (not child and bool(acceptor.misuses))
        if acceptor.violations:
            if child and not misused:
                events = without_doubt(events, terms)
            broken = first_violation(events, terms, innocent=not misused)
            if broken is not None:
                broken = with_end(broken, episode, in_child=bool(child))
                return in_child(broken) if child else broken
    broken = None if "request-served" in terms.without else unserved(episode.events)
    if broken is not None or episode.end is End.FINISHED or (misused and not terms.catches_misuse):
        return broken
    if "call-returns" in terms.without:
        return None
    events = episode.events
    return Broken(RULES["call-returns"], how_it_ended(episode), max(len(events) - 1, 0), tuple(events))


def without_doubt(events: Sequence[Event], terms: Terms) -> list[Event]:
    """A child's history without what looks like misuse in it, of a client that is known to have kept its side.

    A call that was under way at the fork handed its block to the parent; a free of that block, under way as well, says
    nothing of the child's heap. A call that itself breaks a rule stays. Cost: O(n log n) a pass; few passes.

    >>> from spec.event import Event, Function
    >>> free = Event(Function.FREE, address=0x1000)
    >>> malloc = Event(Function.MALLOC, size=16, result=0x1000)
    >>> without_doubt([malloc, free, free], Terms()) == [malloc, free]
    True
    """
    kept = [event._replace() for event in events]  # each an object of its own
    while True:
        acceptor = accept(kept, terms.acceptor())
        doubtful = {id(misuse.event) for misuse in acceptor.misuses} - {id(one.event) for one in acceptor.violations}
        known = [event for event in kept if id(event) not in doubtful]
        if len(known) == len(kept):
            return kept
        kept = known


def with_end(broken: Broken, episode: Episode, *, in_child: bool = False) -> Broken:
    """The same; where the rule broke because the process ended or hung, with how it did.

    in_child: it was a child, forked while other threads ran.
    """
    if episode.end is End.FINISHED or broken.rule.name not in ("call-returns", "block-accessible"):
        return broken
    how = how_it_ended(episode)
    event = broken.history[broken.number] if broken.history else None
    if event is not None and broken.rule.name == "call-returns" and event.function not in ACCESSING:
        # The last event of the episode may be another process's, or another thread's.
        hung = episode.end is End.HUNG
        how = f"{'no answer in time' if hung else episode.signal_name()} inside {event.function.name.lower()}"
        how += " (a lock that another thread held at the fork? see pthread_atfork)" if hung and in_child else ""
        how += said_by(episode)
    return replace(broken, message=f"{how}: {broken.message}")


def how_it_ended(episode: Episode) -> str:
    """The end of an episode in words, with what it said."""
    return episode.describe_end() + said_by(episode)


def said_by(episode: Episode) -> str:
    """What the process wrote to standard error, behind how it ended."""
    return f"; it said: {episode.message}" if episode.message else ""


def in_child(broken: Broken) -> Broken:
    """The same, said to be of a forked child."""
    return Broken(broken.rule, f"in a forked child, {broken.message}", broken.number, broken.history)


def counts(violation: Violation, terms: Terms, *, innocent: bool = False) -> bool:
    """Whether a violation is one on these terms.

    Once the client has broken its side, no standard demands anything. Where misuse is looked into, one thing still
    counts: that live blocks share memory, from where on the client's own data are at an attacker's disposal.
    """
    if innocent or not violation.after_misuse or terms.catches_misuse:
        return True
    return terms.misuse and violation.rule.name in SHARING


def first_violation(events: Sequence[Event], terms: Terms, *, innocent: bool = False) -> Broken | None:
    """The first violation in a history that counts, and the number of the event that shows it. Cost: O(n log n).

    innocent: the client is known to have kept its side, whatever the history looks like.
    """
    acceptor = terms.acceptor()
    own = [event._replace() for event in events]  # each an object of its own
    numbers = {id(event): number for number, event in enumerate(own)}
    for phase, event in points(own):
        found = acceptor.release(event) if phase is not Phase.END else []
        if phase is not Phase.BEGIN:
            found = found + acceptor.acquire(event)
        for finding in found:
            if isinstance(finding, Violation) and counts(finding, terms, innocent=innocent):
                return Broken(finding.rule, finding.message, numbers[id(event)], tuple(events))
    return None


def unserved(events: Sequence[Event]) -> Broken | None:
    """The first request that failed though there was memory for it: not while the client itself limits memory.

    Cost: O(n).
    """
    live: dict[int, int] = {}
    total = 0
    limited = False
    for number, event in enumerate(events):
        function = event.function
        if function is Function.LABEL:
            if event.label == Directive.LIMIT_MEMORY.label:
                limited = event.size < LIFTED
            continue
        allocates = function in ALLOCATING or function in RESIZING
        failed = not event.result or (function is Function.POSIX_MEMALIGN and event.errno != 0)
        if allocates and failed and not limited and ought_to_be_served(event, total):
            what = f"{function.name.lower()} of {event.request_size} bytes failed with {total} bytes live"
            return Broken(EXPECTATIONS["request-served"], what, number, tuple(events))
        if (function in FREEING or (function in RESIZING and not failed)) and event.address:
            total -= live.pop(event.address, 0)
        if allocates and not failed:
            total += event.request_size - live.get(event.result, 0)
            live[event.result] = event.request_size
    return None


def ought_to_be_served(event: Event, live: int) -> bool:
    """Whether a request is so small that there is memory for it, and its arguments are in order."""
    alignment = event.alignment
    valid = alignment & (alignment - 1) == 0 and (event.function is not Function.POSIX_MEMALIGN or alignment % 8 == 0)
    if event.function in (Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN):
        valid = valid and 0 < alignment <= SERVED_ALIGNMENT
    return returned(event) and valid and 0 < event.request_size <= SERVED_SIZE and live <= SERVED_LIVE


def changed(event: Event) -> str:
    """What a LOAD event with lost contents says.

    >>> changed(Event(Function.LOAD, address=0x1000, size=64, intact=8))
    'byte 8 of the 64 at 0x1000 is not what was stored there'
    """
    return f"byte {event.intact} of the {event.size} at {event.address:#x} is not what was stored there"


SLACK = 1 << 21
"""Bytes that may be used for the first time in later rounds whatever the plan: pages on their way back, caches."""


def held_back(plan: Sequence[Operation], terms: Terms) -> int:
    """Bytes that the quarantine may keep from reuse: its length for each size and each thread of the plan.

    Blocks above `quarantine_limit` may be held back, too, but not more bytes of them: else their size class would be
    within the limit. A size class is at most a quarter larger than the request, and twice the class before it.

    >>> held_back([Operation(Function.MALLOC, size=4096)] * 2, Terms(quarantine=10, quarantine_limit=8192))
    51200
    """
    sizes = {min(operation.size + operation.size // 4, 2 * terms.quarantine_limit) for operation in plan}
    threads = {operation.thread for operation in plan}
    return terms.quarantine * sum(sizes) * len(threads)


def judge_usage(plan: Sequence[Operation], usage: Usage, terms: Terms) -> Broken | None:
    """Freed memory was not reused, if later rounds take fresh memory for three tenths of what they are handed out.

    Some allocators take their time until they go round: jemalloc settles after some tens of times what is live. Some
    give memory back to the system and take other addresses the next time (hardened_malloc, musl): that is no leak, and
    the process does not grow by it.
    """
    if "freed-is-reused" in terms.without:
        return None
    allowed = held_back(plan, terms) + usage.late_total * 3 // 10 + SLACK
    if usage.late <= allowed or 0 <= usage.memory < usage.late // 2:
        return None
    message = (
        f"of the {usage.late_total} bytes that the later rounds were handed out {usage.late} were at addresses never "
        f"used before, though no more than {usage.live} were live at once"
    )
    return Broken(EXPECTATIONS["freed-is-reused"], message, len(plan))
