"""Running heap scripts: on an allocator, or over the replies they hold; every claim checked with the acceptor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from capability.fault import Fault
from spec.acceptor import Acceptor
from spec.error import Finding, Misuse, Violation
from spec.event import ACCESSING, MISUSE_CAUGHT, NOT_OBSERVED, Event, Function
from spec.heap import Block
from spec.history import Phase, points
from spec.script_history import recorded, resolved
from spec.statement import ABOUT_CALL, Claim, Script, ScriptError, Step


class Allocator(Protocol):
    """Anything that serves requests one after another; it may raise Misuse or Fault instead of serving one."""

    def request(self, event: Event) -> Event:
        """The same event with its reply."""


class Held(NamedTuple):
    """What a name stands for: the reply that handed it out, and the block that the acceptor made of it."""

    event: Event
    block: Block | None


@dataclass(slots=True)
class Outcome:
    """What came of a script.

    events: the history, replies included. acceptor: at its end.
    failures: the claims that do not hold, with their place. unclaimed: what was found and no claim foresaw.
    """

    script: Script
    acceptor: Acceptor
    events: list[Event] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    unclaimed: list[Finding] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Every claim holds, and nothing was found that no claim foresaw."""
        return not self.failures and not self.unclaimed

    def _repr_html_(self) -> str:
        """For notebooks: whether it is as the script says, what is not, and the heap at its end."""
        from spec.script_picture import outcome

        return outcome(self)


def run(script: Script, allocator: Allocator) -> Outcome:
    """Put the requests of `script` to `allocator`, one after another, and check the replies and the claims.

    Replies, evidence and times in the script are left aside: the allocator gives its own. Of the directives
    (`spec.script_words.DIRECTIVES`) `repeat` is carried out, and is no event of the history; the others are labels.
    Raises: ScriptError for a repeat without a number or an end.  Cost: that of the allocator and O(log n) a step.

    >>> from spec.allocator import ReferenceAllocator
    >>> from spec.script_reader import parse
    >>> script = parse("a = malloc 24\\nfree a\\nfree a ! misuse double-free a ! caught\\nexpect a dead")
    >>> run(script, ReferenceAllocator(capacity=4096)).ok
    True
    """
    judge = _Judge(script)
    blocks: dict[str, Event] = {}
    for step in repeated(script):
        if step.event is None or _repeats(step.event):
            judge.claims(step, None, [])
            continue
        event = _serve(allocator, resolved(replace(step, event=_request(step.event)), blocks))
        if step.name:
            blocks[step.name] = event
        judge.outcome.events.append(event)
        found = judge.outcome.acceptor.step(event)
        judge.done(step, event, found)
    return judge.outcome


def check(script: Script) -> Outcome:
    """Check the replies that `script` holds, in the order of their numbers, and its claims.

    A claim on the line of a call is about the moment when it has returned; `expect` stands where it is.
    Raises: ScriptError when a reply is missing.  Cost: O(log n) a step.

    >>> from spec.script_reader import parse
    >>> check(parse("a = malloc 24 -> 0x1000\\nb = malloc 24 -> 0x1010   ! violates result-disjoint")).ok
    True
    >>> check(parse("a = malloc 24 -> 0x1000\\nexpect a dead")).failures
    ['<script>:2:8: expected a dead, but block #1 (24 bytes at 0x1000) is live since event 1']
    """
    judge = _Judge(script)
    acceptor = judge.outcome.acceptor
    steps = list(_told(script))
    judge.outcome.events = [event for step, event in steps if step.event is not None]
    by_event = {id(event): step for step, event in steps}
    found: dict[int, list[Finding]] = {id(event): [] for _, event in steps}
    for phase, event in points(event for _, event in steps):
        step = by_event[id(event)]
        if step.event is None:
            judge.claims(step, None, [])
            continue
        if phase != Phase.END:
            found[id(event)] += acceptor.release(event)
        if phase != Phase.BEGIN:
            found[id(event)] += acceptor.acquire(event)
        if phase != Phase.BEGIN or not event.end:
            judge.done(step, event, found[id(event)])
    return judge.outcome


def _repeats(event: Event) -> bool:
    return event.function == Function.LABEL and event.label in ("repeat", "end-repeat")


def repeated(script: Script) -> Iterator[Step]:
    """The steps of `script` in the order in which they are carried out, those in a repeat again and again.

    The label `repeat` comes once, `end-repeat` once a round.
    Raises: ScriptError, before the first step, for a repeat without `size` or `end-repeat`, or an end of no repeat.

    >>> from spec.script_reader import parse
    >>> told = parse("label repeat size 3\\nfree NULL\\nlabel end-repeat\\nlabel after")
    >>> [step.line for step in repeated(told)]
    [1, 2, 3, 2, 3, 2, 3, 4]
    """
    ends = _ends(script)
    steps, rounds = script.steps, dict.fromkeys(ends, 0)
    place, back = 0, {end: start for start, end in ends.items()}
    while place < len(steps):
        step = steps[place]
        yield step
        if place in ends:
            rounds[place] = step.event.size if step.event else 0
        start = back.get(place)
        if start is not None:
            rounds[start] -= 1
            if rounds[start]:
                place = start
        place += 1


def _ends(script: Script) -> dict[int, int]:
    """The place of each `repeat` among the steps, and that of its `end-repeat`."""
    ends: dict[int, int] = {}
    open_: list[int] = []
    for place, step in enumerate(script.steps):
        event = step.event
        if event is None or not _repeats(event):
            continue
        if event.label == "repeat":
            if event.size < 1:
                raise ScriptError(script.source, step.line, 1, "a repeat says how often: 'label repeat size 1000'")
            open_.append(place)
        elif not open_:
            raise ScriptError(script.source, step.line, 1, "'label end-repeat' ends no 'label repeat' before it")
        else:
            ends[open_.pop()] = place
    if open_:
        line = script.steps[open_[-1]].line
        raise ScriptError(script.source, line, 1, "'label repeat' has no 'label end-repeat' behind it")
    return ends


def _told(script: Script) -> Iterator[tuple[Step, Event]]:
    """Each step with its event; a label without a number stands in for a step that only claims."""
    blocks: dict[str, Event] = {}
    for step in script.steps:
        event = recorded(script, step, blocks)
        yield step, Event(Function.LABEL) if event is None else event._replace()


def _request(event: Event) -> Event:
    """The request alone: what an allocator is not told is taken out."""
    written = event.result if event.function in ACCESSING else 0
    return event._replace(
        result=written, errno=0, usable=NOT_OBSERVED, intact=NOT_OBSERVED, begin=0, end=0, time_ns=0, flags=0
    )


def _serve(allocator: Allocator, event: Event) -> Event:
    """The reply, or the request marked as caught when the allocator or the hardware refuses it."""
    try:
        return allocator.request(event)
    except (Misuse, Fault):
        return event._replace(flags=MISUSE_CAUGHT)


class _Judge:
    """Checks the claims of one script as its calls return."""

    def __init__(self, script: Script) -> None:
        arguments: dict[str, Any] = script.settings.arguments()
        self.outcome = Outcome(script, Acceptor(**arguments))
        self.names: dict[str, Held] = {}

    def done(self, step: Step, event: Event, found: list[Finding]) -> None:
        """A call has returned (or never will): bind its name, check its claims, keep what none of them foresaw."""
        if step.name:
            self.names[step.name] = Held(event, self.outcome.acceptor.heap.live.get(event.result))
        self.claims(step, event, found)
        foreseen = {claim.words[0] for claim in step.claims if claim.kind in ("misuse", "violates")}
        self.outcome.unclaimed += [finding for finding in found if _name(finding) not in foreseen]

    def claims(self, step: Step, event: Event | None, found: list[Finding]) -> None:
        """Check the claims of one step."""
        for claim in step.claims:
            wrong = self._about_call(claim, event, found) if claim.kind in ABOUT_CALL else self._about_blocks(claim)
            if wrong:
                place = f"{self.outcome.script.source}:{claim.line}:{claim.column}"
                self.outcome.failures.append(f"{place}: expected {claim}, but {wrong}")

    def _about_call(self, claim: Claim, event: Event | None, found: list[Finding]) -> str:
        if claim.kind == "caught":
            return "" if event and event.flags & MISUSE_CAUGHT else "the call was served"
        names = [_name(finding) for finding in found]
        if claim.words[0] not in names:
            return f"found {', '.join(names) or 'nothing'}"
        if claim.pointer is not None and event is not None:
            base = self.names[claim.pointer.name].event.result if claim.pointer.name else 0
            if event.address != base + claim.pointer.offset:
                return f"the call names {event.address:#x}"
        return ""

    def _about_blocks(self, claim: Claim) -> str:
        held = self.names[claim.words[0]]
        block = held.block
        if claim.kind in ("disjoint", "same"):
            return self._about_pair(claim, held, self.names[claim.words[1]])
        if claim.kind == "null":
            return f"it is {held.event.result:#x}" if held.event.result else ""
        if claim.kind == "aligned":
            return f"it is {held.event.result:#x}" if held.event.result % int(claim.words[1]) else ""
        if block is None:
            return "" if claim.kind == "dead" else "it never was"
        now: Block | None = self.outcome.acceptor.heap.live.get(block.base)
        alive = now is not None and now.id == block.id
        if alive == (claim.kind == "live"):
            return ""
        return f"{block} is live since event {block.born}" if alive else f"{block} is dead"

    @staticmethod
    def _about_pair(claim: Claim, one: Held, other: Held) -> str:
        if claim.kind == "same":
            addresses = one.event.result, other.event.result
            return "" if addresses[0] == addresses[1] else f"they are {addresses[0]:#x} and {addresses[1]:#x}"
        if one.block is None or other.block is None:
            return ""
        if one.block.base >= other.block.top or other.block.base >= one.block.top:
            return ""
        return f"{one.block} and {other.block} share bytes"


def _name(finding: Finding) -> str:
    return finding.rule.name if isinstance(finding, Violation) else finding.kind
