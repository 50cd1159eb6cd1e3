"""Drive an allocator and the reference allocator together, and find where they disagree.

Addresses, usable sizes and what happens to requests of zero bytes are an allocator's own business. What must agree is
whether a request succeeds, the error when both give one, and what a block holds: calloc's zeros, realloc's kept bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from m4alloc.check.local import reference
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.search import smallest
from m4alloc.check.strategies import plans
from m4alloc.check.target import Session, Target
from spec.event import ALLOCATING, FREEING, NOT_OBSERVED, RESIZING, Event, Function
from spec.judge import hands_out
from spec.script_history import from_events
from spec.script_writer import render


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first request on which two allocators disagree.

    field: what of the reply differs: "success", "errno" or "contents". events, theirs: the target's history and the
    reference's, up to and with that request.
    """

    target: str
    field: str
    message: str
    events: list[Event]
    theirs: list[Event]

    def __str__(self) -> str:
        """What differs, and the target's history as a script."""
        head = f"# {self.target} and the reference differ in {self.field}: {self.message}"
        return f"{head}\n{render(from_events(self.events))}"


@dataclass(slots=True)
class Pair:
    """One block of the client's, as each of the two allocators handed it out."""

    ours: int
    theirs: int


class Lockstep:
    """Puts every request to both; `step` returns the divergence, if there is one. Both sessions stay the caller's."""

    def __init__(self, name: str, ours: Session, theirs: Session) -> None:
        self.name = name
        self.sessions = ours, theirs
        self.pairs: list[Pair] = []
        self.events: list[Event] = []
        self.theirs: list[Event] = []

    def step(self, operation: Operation) -> Divergence | None:
        """Carry the operation out on both sides, unless it names no block. Raises EndedError: the target crashed."""
        function = operation.function
        pair = None
        if operation.aim is Aim.LIVE:
            if not self.pairs:
                return None
            pair = self.pairs[-1 - operation.block % len(self.pairs)]
        elif operation.misuse or (operation.aim is Aim.NULL and function is Function.USABLE_SIZE):
            return None
        ours, theirs = (
            session.request(
                Event(
                    function,
                    operation.thread,
                    (pair.ours, pair.theirs)[side] if pair is not None else 0,
                    operation.size,
                    operation.count,
                    operation.alignment,
                )
            )[-1]
            for side, session in enumerate(self.sessions)
        )
        self.events.append(ours)
        self.theirs.append(theirs)
        found = self.compare(ours, theirs)
        self.settle(pair, ours, theirs)
        return found

    def compare(self, ours: Event, theirs: Event) -> Divergence | None:
        """What of the two replies should agree, and does not."""
        allocates = ours.function in ALLOCATING or ours.function in RESIZING
        if not allocates or ours.request_size == 0:
            return None
        if hands_out(ours) != hands_out(theirs):
            return self.divergence("success", describe(ours), describe(theirs))
        if not hands_out(ours) and ours.errno and ours.errno != theirs.errno:
            return self.divergence("errno", describe(ours), describe(theirs))
        # Of calloc one may look at the request, the other at all that is usable.
        right = [min(reply.intact, reply.request_size) for reply in (ours, theirs)]
        if NOT_OBSERVED not in right and right[0] != right[1]:
            return self.divergence("contents", f"{right[0]} bytes are right", f"{right[1]}")
        return None

    def divergence(self, field: str, ours: str, theirs: str) -> Divergence:
        """A divergence at the last request."""
        request = self.events[-1].function.name.lower()
        message = f"{request} at event {len(self.events)}: {ours} instead of {theirs}"
        return Divergence(self.name, field, message, list(self.events), list(self.theirs))

    def settle(self, pair: Pair | None, ours: Event, theirs: Event) -> None:
        """Keep what both handed out, give back what only one did, drop what was given up."""
        if ours.function in FREEING and pair is not None:
            self.pairs.remove(pair)
        elif ours.function in RESIZING and pair is not None:
            gone = [reply.result != 0 or (reply.request_size == 0 and not reply.errno) for reply in (ours, theirs)]
            if any(gone):
                self.pairs.remove(pair)
                for side, (session, address) in enumerate(zip(self.sessions, (pair.ours, pair.theirs), strict=True)):
                    if not gone[side]:
                        session.request(Event(Function.FREE, address=address))
        if ours.function in ALLOCATING or ours.function in RESIZING:
            if hands_out(ours) and hands_out(theirs):
                self.pairs.append(Pair(ours.result, theirs.result))
                return
            for session, reply in zip(self.sessions, (ours, theirs), strict=True):
                if hands_out(reply):
                    session.request(Event(Function.FREE, address=reply.result))


def describe(reply: Event) -> str:
    """A reply in words.

    >>> describe(Event(Function.MALLOC, errno=12))
    'NULL with errno 12'
    """
    return "a block" if hands_out(reply) else f"NULL with errno {reply.errno}"


def diverges(target: Target, other: Target, plan: Sequence[Operation]) -> Divergence | None:
    """Where the target and the other disagree on a plan, both on fresh heaps."""
    ours, theirs = target.begin(), other.begin()
    try:
        lockstep = Lockstep(target.name, ours, theirs)
        return next((found for operation in plan if (found := lockstep.step(operation)) is not None), None)
    finally:
        theirs.close()
        ours.close()


def find_divergence(target: Target, budget: int = 100, *, threads: int = 2, seed: int = 0) -> Divergence | None:
    """The divergence from the reference on the smallest plan found, or None after `budget` plans.

    Cost: 0.2 ms an operation of a library, whose requests go one by one.
    """
    other = reference()
    functions = target.functions & other.functions - {Function.NEW}  # realloc may not take what operator new made
    chosen = plans(functions, threads=threads, limit=1 << 16)
    found = smallest(chosen, lambda plan: diverges(target, other, plan), lambda seen: seen.field, budget, seed)
    return None if found is None else found[1]
