"""The attacks of the catalogue on a real allocator, each in a forked child, and what the allocator does about them.

The steps are those of the specification's catalogue. Every request and access is made by address, so that the driver
adds nothing of its own: no block is filled when it is handed out, and none is looked at behind the attack's back.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise, product
from pathlib import Path
from signal import SIGABRT, Signals
from typing import NamedTuple

import numpy as np

from m4alloc.check.foreign import Foreign, ForeignSession
from m4alloc.check.instruction import ABSOLUTE, INSTRUCTION, Row
from m4alloc.check.target import End, EndedError
from m4alloc.lib import driver
from spec.attack import Attack
from spec.attacks.goal import Accepted, Leaked, Overwritten, Served, Shared
from spec.attacks.step import GLOBAL, SECRET, STACK, Action, Keep, Reach, Request, Use
from spec.event import FREEING, MISUSE_CAUGHT, RESIZING, Event, Function
from spec.statement import Step

WORD = 8
AGAIN, AGAIN_BYTES = 1024, 1 << 22
"""How many blocks of each size, and bytes in all, are asked for after an attack to see whether the heap still works."""


class Reaction(StrEnum):
    """What an allocator does about an attack."""

    AT_ONCE = "detected at once"
    """The call that was misuse ended the process or was counted as misuse; for an access, a guard page stopped it."""
    LATE = "detected late"
    """A later valid call ended the process, with a message or without one."""
    SILENT = "silent corruption"
    """The goal was reached: blocks share memory, a live block changed, or what it should not see was read."""
    ACCEPTED = "accepted"
    """A wrong free returned as a right one does: nothing was reported, and no harm was seen in what followed."""
    HARMLESS = "harmless"
    """Nothing was reported, and nothing that was looked at went wrong."""
    CRASHED = "crashed"
    """The process died of the misuse itself without a word, by a signal other than SIGABRT; or in a valid call."""
    HUNG = "hung"
    """A call did not return in time."""
    UNAVAILABLE = "not available"
    """The allocator lacks a function, or chose addresses with which the attack makes no sense."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attack did to the allocator.

    step: where it ended, counted from 1; one more than there are steps for the valid calls afterwards; 0 when it ran to
    the end. note: how, in words: the signal and the message, or what had gone wrong by the end. reached: the goal was
    reached, whatever came after it.
    """

    attack: str
    reaction: Reaction
    step: int = 0
    note: str = ""
    reached: bool = False


class _Block(NamedTuple):
    """A block as its owner knows it. value: what the owner filled it with."""

    address: int
    size: int
    is_live: bool = True
    value: int | None = None
    alignment: int = 0


class _UnavailableError(Exception):
    """The attack cannot be taken here; the message says why."""


class _GivenUp(Exception):  # noqa: N818 - no error: the attacker found nothing to go on with
    """The attacker's plan has not worked out, and nothing is left to try."""


class _Run:
    """One attack in one child."""

    def __init__(self, session: ForeignSession, attack: Attack, functions: frozenset[Function]) -> None:
        self.session = session
        self.attack = attack
        self.functions = functions
        self.names: dict[str, _Block] = {}
        self.data: dict[str, bytes] = {}
        self.misused = 0
        self.counted = 0
        self.step = 0
        self.given_up = 0
        """An address that is in no block, and was freed all the same."""
        self._stored: dict[int, int] = {}

    # One instruction

    def make(self, rows: Iterable[Row]) -> list[Event]:
        """Carry out instructions by address.  Raises EndedError."""
        events = self.session.told(np.array(list(rows), INSTRUCTION), looking=False)
        if not self.counted and any(event.flags & MISUSE_CAUGHT for event in events):
            self.counted = self.step
        return events

    def load(self, address: int, size: int) -> bytes:
        """Bytes of the child's memory, by loads of the child."""
        ats = range(address, address + size, WORD)
        rows = [Row(Function.LOAD, ABSOLUTE, size=min(WORD, address + size - at), offset=at) for at in ats]
        words = [event.result.to_bytes(WORD, "little")[: event.size] for event in self.make(rows)]
        return b"".join(words)

    def store(self, address: int, size: int, value: int) -> None:
        """Store `size` bytes of one value."""
        self.make([Row(Function.STORE, ABSOLUTE, size=size, count=value, offset=address)])

    # Steps

    def take(self, action: Action) -> None:
        """Carry out one step of the attack.  Raises EndedError, _UnavailableError, _GivenUp."""
        match action:
            case Request():
                self._request(action.step)
            case Reach():
                self._reach(action)
            case Keep():
                self._keep(action)
            case _:
                raise _UnavailableError(f"{action} needs a model of the hardware")

    def _request(self, step: Step) -> None:
        event, place = step.event, step.pointer
        assert event is not None
        if event.function is Function.FILL:
            assert place is not None
            block = self.names[place.name]
            self.names[place.name] = block._replace(value=event.result)
            self.store(block.address, block.size, event.result)
            return
        if event.function not in self.functions:
            raise _UnavailableError(f"the library exports no {event.function.name.lower()}")
        address = 0
        if place is not None:
            block_or_none = self.names.get(place.name)
            address = block_or_none.address + place.offset if block_or_none else self._elsewhere(place.offset)
            self._note_misuse(event, block_or_none, place.offset)
            if block_or_none is None and event.function in FREEING:
                self.given_up = address
        count = event.count if event.function is Function.CALLOC else 1
        row = Row(event.function, ABSOLUTE, event.thread, 0, event.size, count, event.alignment, _signed(address))
        reply = self.make([row])[-1]
        if place is not None and place.name:
            self._follow(event, place.name, reply)
        if step.name:
            if reply.result == 0 and event.request_size < 1 << 32 and event.request_size:
                raise _UnavailableError(f"{step.name} was refused with errno {reply.errno}")
            served = reply.result != 0
            self.names[step.name] = _Block(reply.result, event.request_size, served, alignment=event.alignment)

    def _elsewhere(self, address: int) -> int:
        """The real address that stands for the stack or a static variable; any other is taken as it is."""
        if address not in (STACK, GLOBAL):
            return address
        for line in Path(f"/proc/{self.session.pid}/maps").read_text().splitlines():
            span, rights, _, _, _, *name = line.split()
            low, high = (int(end, 16) for end in span.split("-"))
            is_stack = name == ["[stack]"]
            is_data = bool(name) and Path(name[0]).name == driver().name
            if rights.startswith("rw") and (is_stack if address == STACK else is_data):
                return (low + high) // 2 & -16
        raise _UnavailableError("no such memory in the child")

    def _note_misuse(self, event: Event, block: _Block | None, offset: int) -> None:
        """Whether this call breaks the contract."""
        wrong = block is None or offset or not block.is_live
        if block is not None and event.function in (Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED):
            wrong = wrong or (event.size, event.alignment) != (block.size, block.alignment)
        if wrong and not self.misused:
            self.misused = self.step

    def _follow(self, event: Event, name: str, reply: Event) -> None:
        """The block was given up, if the call was one that gives up."""
        moved = event.function in RESIZING and (reply.result or not event.size)
        if event.function in FREEING or moved:
            self.names[name] = self.names[name]._replace(is_live=False)

    def _reach(self, reach: Reach) -> None:
        through, target = self.names[reach.through], self.names[reach.at.name]
        address = target.address + reach.at.offset
        size = reach.size
        if reach.upto:
            size = self.names[reach.upto].address + reach.size - address
            if not 0 < size <= 1 << 16:
                raise _UnavailableError(f"{reach.upto} does not lie close above {reach.at}")
        inside = through.address <= address and address + size <= through.address + through.size
        if not (inside and through.is_live) and not self.misused:
            self.misused = self.step
        if reach.use is Use.STORE:
            self.store(address, size, reach.value)
        else:
            self.data[reach.data] = self.load(address, size)

    def _keep(self, keep: Keep) -> None:
        through = self.names[keep.through]
        if not through.is_live and not self.misused:
            self.misused = self.step
        if keep.stored:
            word = self.names[keep.stored].address
            self._stored[through.address] = word
            self.make(
                Row(Function.STORE, ABSOLUTE, size=1, count=byte, offset=through.address + index)
                for index, byte in enumerate(word.to_bytes(WORD, "little"))
            )
            return
        word = int.from_bytes(self.load(through.address, WORD), "little")
        origin = next((block for block in self.names.values() if block.address == word), None)
        if origin is None or word not in self._stored.values():
            raise _GivenUp
        self.names[keep.loaded] = origin

    # Afterwards

    def is_reached(self) -> bool:
        """Whether the attack's goal was reached."""
        match self.attack.goal:
            case Overwritten(block=name):
                block = self.names[name]
                return block.value is not None and set(self.load(block.address, block.size)) != {block.value}
            case Leaked(data=name):
                return bytes((SECRET,)) * WORD in self.data.get(name, b"")
            case Shared(one=one, other=other):
                return _overlap(self.names[one], self.names[other])
            case Served(block=name):
                return self.names[name].address != 0
        return False  # that something was written or accepted is seen in what becomes of the heap

    def aftermath(self) -> str:
        """Use the heap as an innocent program does: what is wrong with it, "" when nothing is.  Raises EndedError."""
        self.step = len(self.attack.steps) + 1
        owned = [(name, block) for name, block in self.names.items() if block.is_live and block.address]
        sizes = sorted({block.size for _, block in owned if 0 < block.size < 1 << 32} | {64})
        asked = [step.step.event for step in self.attack.steps if isinstance(step, Request)]
        threads = sorted({0, *(event.thread for event in asked if event is not None)})
        for size, thread in product(sizes, threads):
            count = min(AGAIN, AGAIN_BYTES // size)
            replies = self.make(Row(Function.MALLOC, thread=thread, size=size) for _ in range(count))
            if not all(reply.result for reply in replies):
                return f"malloc({size}) fails"
            owned += [(f"a new block of {size} bytes", _Block(reply.result, size)) for reply in replies]
        for name, block in owned:
            if block.address <= self.given_up < block.address + block.size:
                return f"{name} holds the address that was freed"
        owned.sort(key=lambda pair: pair[1].address)
        for (name, one), (other_name, other) in pairwise(owned):
            if _overlap(one, other):
                return f"{name} and {other_name} share memory"
        self.make(Row(Function.FREE, ABSOLUTE, offset=_signed(block.address)) for _, block in owned)
        return ""


def strike(foreign: Foreign, attack: Attack) -> Finding:
    """Carry out one attack on a fresh heap of the library, and say what became of it.

    Cost: some milliseconds; the library's timeout for a call that hangs.

    >>> from spec.attack import CATALOGUE
    >>> with Foreign("system") as libc:
    ...     finding = strike(libc, CATALOGUE["double-free-with-one-between"])
    >>> finding.reaction, finding.step
    (<Reaction.AT_ONCE: 'detected at once'>, 5)
    """
    with foreign.begin() as session:
        run = _Run(session, attack, foreign.functions)
        try:
            return _carried_out(run)
        except EndedError as ended:
            return _ended(run, ended)
        except _UnavailableError as error:
            return Finding(attack.name, Reaction.UNAVAILABLE, run.step, str(error))


def _carried_out(run: _Run) -> Finding:
    attack = run.attack
    try:
        for index, action in enumerate(attack.steps):
            run.step = index + 1
            run.take(action)
    except _GivenUp:
        return Finding(attack.name, Reaction.HARMLESS, run.step, "the attacker finds nothing to go on with")
    if run.counted:
        return _counted(run)
    reached = run.is_reached()
    try:
        wrong = run.aftermath()
    except EndedError as ended:
        found = _ended(run, ended)
        note = f"{found.note}; by then {attack.goal.text}" if reached else found.note
        return Finding(attack.name, found.reaction, found.step, note, reached)
    if run.counted:
        return _counted(run)
    if reached:
        return Finding(attack.name, Reaction.SILENT, 0, attack.goal.text, True)
    if wrong:
        return Finding(attack.name, Reaction.SILENT, 0, wrong, isinstance(attack.goal, Accepted))
    if isinstance(attack.goal, Accepted):  # ignored, or carried out and the harm is still to come: they look alike
        return Finding(attack.name, Reaction.ACCEPTED, 0, "nothing was reported, and no harm seen in what followed")
    return Finding(attack.name, Reaction.HARMLESS)


def _counted(run: _Run) -> Finding:
    reaction = Reaction.AT_ONCE if run.counted <= (run.misused or run.counted) else Reaction.LATE
    return Finding(run.attack.name, reaction, run.counted, "counted as misuse")


def _ended(run: _Run, ended: EndedError) -> Finding:
    """What it means that the child ended in this step."""
    episode = ended.episode
    said = episode.message.splitlines()[0] if episode.message else ""
    how = episode.describe_end()
    note = f"{how}: {said}" if said else how
    if episode.end is End.HUNG:
        return Finding(run.attack.name, Reaction.HUNG, run.step, note)
    if not run.misused:
        return Finding(run.attack.name, Reaction.CRASHED, run.step, f"in a valid call: {note}")
    if run.step > run.misused:
        return Finding(run.attack.name, Reaction.LATE, run.step, note)
    speaks = episode.signal in (SIGABRT, Signals.SIGILL, Signals.SIGTRAP) or not episode.signal or said
    return Finding(run.attack.name, Reaction.AT_ONCE if speaks else Reaction.CRASHED, run.step, note)


def assault(foreign: Foreign, attacks: Iterable[Attack]) -> list[Finding]:
    """Carry out each of the attacks that need no model of the hardware, on a fresh heap each."""
    return [strike(foreign, attack) for attack in attacks if attack.is_native]


def _overlap(one: _Block, other: _Block) -> bool:
    served = bool(one.address and other.address)
    return served and one.address < other.address + other.size and other.address < one.address + one.size


def _signed(address: int) -> int:
    return address - (1 << 64) if address >> 63 else address
