"""What an episode says about its allocator: the first rule that broke, if any.

Most rules are the contract's. Four more can be seen only by a client that uses its blocks and waits for its
calls to return; they are named here.
"""

from __future__ import annotations

from dataclasses import dataclass

from m4alloc.check.operation import Operation
from m4alloc.check.target import End, Episode, Usage
from spec.acceptor import Acceptor
from spec.contract import PROMISE, Rule
from spec.error import Violation
from spec.event import ERRNO_CHANGED, MISUSE_CAUGHT, Event, Function
from spec.history import accept
from spec.judge import SIZE_MAX
from spec.statement import Settings

CLIENT_RULES = {
    rule.name: rule
    for rule in (
        Rule(
            "block-keeps-contents",
            "A live block keeps the values stored in it until it is given up.",
            (("c17", "ISO C17 6.2.4 p2"), ("c23", "ISO C23 6.2.4 p2")),
        ),
        Rule(
            "block-accessible",
            "Every usable byte of a live block can be loaded and stored.",
            (("c17", "ISO C17 7.22.3 p1"), ("glibc", "glibc malloc_usable_size(3)")),
        ),
        Rule(
            "call-returns",
            "A call that keeps the contract returns: it neither ends the program nor waits for ever.",
            (("c17", "ISO C17 7.22.3"), ("posix", "POSIX.1-2024 malloc(), RETURN VALUE")),
        ),
        Rule(
            "freed-is-reused",
            "Freed memory is handed out again: repeating requests that free all they allocate does not use ever more.",
            ((PROMISE, "what every allocator is for; no standard says it"),),
        ),
    )
}
"""Rules that a test client sees and an address log does not, by name."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What an allocator is held to: the standards, and what it promises beyond them.

    quarantine: frees of a block's size class before its reuse, for blocks of up to `quarantine_limit` usable bytes.
    catches_misuse: each misuse is reported at the call and flagged; plans then contain misuse.
    """

    standard: str = "c17"
    quarantine: int = 0
    quarantine_limit: int = SIZE_MAX
    catches_misuse: bool = False

    @property
    def observes(self) -> int:
        """The event flags whose absence is evidence, too."""
        return ERRNO_CHANGED | (MISUSE_CAUGHT if self.catches_misuse else 0)

    def acceptor(self) -> Acceptor:
        """A fresh acceptor of histories on these terms."""
        return Acceptor(
            self.standard, quarantine=self.quarantine, quarantine_limit=self.quarantine_limit, observes=self.observes
        )

    def settings(self) -> Settings:
        """The `given` lines of a script on these terms."""
        limit = self.quarantine_limit if self.quarantine else None
        return Settings(self.standard, self.quarantine or None, limit, observes=self.observes)


@dataclass(frozen=True, slots=True)
class Broken:
    """A rule that broke, what was seen, and the number of the event (from 0) that showed it."""

    rule: Rule
    message: str
    number: int

    def __str__(self) -> str:
        return f"{self.rule.name}: {self.message}"


def judge(episode: Episode, terms: Terms) -> Broken | None:
    """The first rule that the episode breaks, or None. Cost: some microseconds an event while nothing is wrong."""
    events = episode.events
    quiet = episode.end is End.FINISHED and not any(map(lost, events))
    if quiet and not accept(events, terms.acceptor()).violations:
        return None
    acceptor = terms.acceptor()
    for number, event in enumerate(events):
        for finding in acceptor.step(event):
            if isinstance(finding, Violation):
                return Broken(finding.rule, finding.message, number)
        if lost(event):
            return Broken(CLIENT_RULES["block-keeps-contents"], changed(event), number)
    if episode.end is End.FINISHED:
        return None
    rule = "call-returns" if episode.pending is not None or episode.end is End.HUNG else "block-accessible"
    said = f"; it said: {episode.message}" if episode.message else ""
    return Broken(CLIENT_RULES[rule], episode.describe_end() + said, len(events))


def lost(event: Event) -> bool:
    """Whether the event is a load that did not find what was stored."""
    return event.function is Function.LOAD and 0 <= event.intact < event.size


def changed(event: Event) -> str:
    """What a LOAD event with lost contents says.

    >>> changed(Event(Function.LOAD, address=0x1000, size=64, intact=8))
    'byte 8 of the 64 at 0x1000 is not what was stored there'
    """
    return f"byte {event.intact} of the {event.size} at {event.address:#x} is not what was stored there"


SLACK = 1 << 20


def held_back(plan: list[Operation], terms: Terms) -> int:
    """Bytes that the quarantine may keep from reuse: its length for each size and each thread of the plan.

    Blocks above `quarantine_limit` may be held back, too, but not more bytes of them: else their size class would be
    within the limit. A size class is at most a quarter larger than the request, and twice the class before it.

    >>> held_back([Operation(Function.MALLOC, size=4096)] * 2, Terms(quarantine=10, quarantine_limit=8192))
    51200
    """
    sizes = {min(operation.size + operation.size // 4, 2 * terms.quarantine_limit) for operation in plan}
    threads = {operation.thread for operation in plan}
    return terms.quarantine * sum(sizes) * len(threads)


def judge_usage(plan: list[Operation], usage: Usage, terms: Terms) -> Broken | None:
    """Freed memory was not reused, if more was used than was live or held back, plus an eighth of all and 1 MiB."""
    allowed = usage.live + held_back(plan, terms) + usage.total // 8 + SLACK
    if usage.distinct <= allowed:
        return None
    message = (
        f"{usage.distinct} bytes at distinct addresses were used for {usage.total} bytes in all, "
        f"though never more than {usage.live} were live at once"
    )
    return Broken(CLIENT_RULES["freed-is-reused"], message, len(plan))
