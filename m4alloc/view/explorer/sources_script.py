"""A heap script as a life: as it tells it, or run on the reference allocator over a protected machine, or on a library.

On the reference allocator each access goes through the pointer that the script names, as a program's would, so that a
pointer to a block that is no more has the tag or the bounds of that time.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from errno import ENOMEM
from typing import TYPE_CHECKING, Protocol

import numpy as np

from capability.architecture import Pointer
from capability.fault import Fault
from capability.memory import TaggedMemory
from m4alloc.check.check_library import place_of
from m4alloc.check.foreign import Foreign, WorkerError
from m4alloc.check.showing import asked, judge_of, told_events
from m4alloc.check.target import EndedError, Session
from m4alloc.trace.formats.heap_script import replied
from m4alloc.view.explorer.build import life_of
from m4alloc.view.explorer.build_bounds import bounded
from m4alloc.view.explorer.build_columns import columns_of_events
from m4alloc.view.explorer.build_guards import NONE, UNTOLD, guarded, unguarded
from m4alloc.view.explorer.build_marks import in_order, marked, sentence
from m4alloc.view.explorer.build_properties import EVENTS as FOLLOWED
from m4alloc.view.explorer.build_properties import followed
from m4alloc.view.explorer.build_protection import (
    Seen,
    WatchedQuarantine,
    granule_of,
    protected,
    through_pointers,
)
from m4alloc.view.explorer.life import Life, Mark
from m4alloc.view.explorer.sources_problem import ViewError
from m4alloc.view.explorer.sources_trace import assumed, environment_of, served_by
from spec.allocator import ReferenceAllocator
from spec.attack import DEFENCES, Defence
from spec.error import Finding, Misuse
from spec.event import (
    ACCESSING,
    ALLOCATING,
    FREEING,
    MISUSE_CAUGHT,
    NEVER_RETURNED,
    NOT_OBSERVED,
    RESIZING,
    Event,
    Function,
)
from spec.history import Phase, points
from spec.judge import hands_out
from spec.script_history import resolved
from spec.script_run import repeated
from spec.statement import Script, Step

if TYPE_CHECKING:
    from m4alloc.strategy import Strategy

BASE = 0x10000
CAPACITY = 1 << 28
"""Where scripts run: low, so that addresses of 32 bits are enough and short to read."""
EVENTS = 200_000
"""Steps that a script is run for at most."""
SHORT = {"none": "flat", "mte": "mte-scudo", "adi": "adi-disrupting", "cheri": "isav9", "sgx": "sgx-shared"}
"""What a kind of hardware stands for."""


@dataclass(slots=True)
class Told:
    """A history, with what was found and seen at each of its events.

    through: of an access, by its number, the event that handed out the pointer that it went through. cut: whether the
    script has more steps.
    """

    events: list[Event] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    through: dict[int, int] = field(default_factory=dict)
    found: list[tuple[int, Finding]] = field(default_factory=list)
    faults: list[tuple[int, Fault]] = field(default_factory=list)
    seen: Seen | None = None
    end: str = ""
    cut: bool = False


class Serves(Protocol):
    """Serves the steps of a script, one after another."""

    def serve(self, step: Step, event: Event, number: int, told: Told) -> Event:
        """The reply to event `number`."""


def life_of_script(
    script: Script,
    *,
    text: str,
    title: str,
    architecture: str = "",
    allocator: str = "",
    limit: int = EVENTS,
    strategy: Strategy | None = None,
) -> Life:
    """The life that a script tells, or that its requests lead to.

    text: the script as it was written. architecture: of `defence_of`; "" for none. allocator: "m4alloc", "system" or
    the path of a library; "" for the reference allocator, or the script's own replies where it holds them all.
    limit: steps drawn; of a script that is run, EVENTS at most. strategy: of the core, where it is what serves.
    Raises ViewError: no such architecture, the library cannot be driven. ScriptError. LibraryError.
    Cost: some tens of microseconds a step.
    """
    if allocator:
        strategy = strategy or assumed(allocator)
        told, served = _on_library(script, allocator, min(limit, EVENTS), strategy), served_by(allocator)
    elif architecture or not replied(script):
        defence = defence_of(architecture or "none")
        told, served = _on_reference(script, defence, min(limit, EVENTS)), "reference allocator, first fit"
    else:
        told, served = _as_told(script, limit), "as the script tells it"
    columns = columns_of_events(told.events)
    quarantine = script.settings.quarantine or 0
    life = life_of(
        columns,
        title=title,
        allocator=served,
        quarantine=(quarantine, script.settings.quarantine_limit or 1 << 62)
        if not (allocator or told.seen)
        else (0, 0),
        end=told.end,
        left_out=f"Only the first {len(told.events):,} steps are drawn." if told.cut else "",
    )
    # A message names an event by the number that it begins with, or by its place from 1.
    numbers = np.array([event.begin or place for place, event in enumerate(told.events, 1)], np.int64)
    by_address = life.events
    life = through_pointers(life, columns.address, told.through)
    life = marked(life, numbers, told.found)
    if told.seen is not None:
        life = protected(life, told.seen)
    marks = [
        Mark(
            event,
            int(life.events.block[event]),
            "fault",
            f"{fault.kind.value} fault",
            fault.message,
            "",
            told.events[event].address,
            max(1, told.events[event].size),
        )
        for event, fault in told.faults
    ]
    if len(told.events) <= FOLLOWED:
        # The properties are those of memory: an access counts where it lands, whatever pointer it went through, and
        # one that the hardware refused never landed.
        landed = [number for number, event in enumerate(told.events) if not _refused(event)]
        promised = (life.quarantine, life.quarantine_limit)
        by_owner = followed(
            replace(life, events=by_address), [told.events[number] for number in landed], landed, promised
        )
        life = replace(by_owner, events=life.events)
    findings = [finding for _, finding in told.found]
    verdict = sentence(findings, len(findings), judge_of(script).contract.name)
    if told.faults:
        verdict += f" The hardware refused {len(told.faults)} of the accesses."
    life = replace(
        life,
        marks=in_order([*life.marks, *marks]),
        sentence=verdict,
        script=tuple(text.splitlines()),
        script_lines=tuple(told.lines),
    )
    if allocator and strategy is not None:
        life = guarded(life, strategy)
    elif allocator:
        life = unguarded(life, UNTOLD.format("the allocator"))
    else:
        life = unguarded(life, NONE if told.seen else UNTOLD.format("a script"))
    return bounded(life)


def _refused(event: Event) -> bool:
    return event.function in ACCESSING and bool(event.flags & MISUSE_CAUGHT)


def defence_of(name: str) -> Defence:
    """The defence of that name: "none", a kind of hardware, or one of `spec.attack.DEFENCES`.  Raises ViewError.

    >>> defence_of("mte").name, defence_of("morello").name
    ('mte-scudo', 'morello')
    """
    found = DEFENCES.get(SHORT.get(name, name))
    if found is None:
        raise ViewError(f"no architecture or defence is called {name!r}; known are {', '.join([*SHORT, *DEFENCES])}")
    return found


def protection_of(defence: Defence) -> str:
    """What a life calls a defence: "none" where the hardware protects nothing."""
    return "none" if defence.family == "flat" else defence.name


def _as_told(script: Script, limit: int) -> Told:
    """The script's own history."""
    told = Told()
    acceptor = judge_of(script)
    numbers: dict[int, int] = {}
    names: dict[str, int] = {}
    for place, event in told_events(script):
        if len(told.events) == limit:
            told.cut = True
            break
        numbers[id(event)] = len(told.events)
        _note(told, script.steps[place], event, names)
    for phase, event in points(told.events):
        found: list[Finding] = acceptor.release(event) if phase is not Phase.END else []
        found += acceptor.acquire(event) if phase is not Phase.BEGIN else []
        told.found += [(numbers[id(event)], finding) for finding in found]
    return told


def _note(told: Told, step: Step, event: Event, names: dict[str, int]) -> None:
    """Add an event. names: of each name the event that it was last given to; updated."""
    number = len(told.events)
    if event.function in ACCESSING and step.pointer is not None and step.pointer.name in names:
        told.through[number] = names[step.pointer.name]
    if step.name:
        names[step.name] = number
    told.events.append(event)
    told.lines.append(step.line)


def _run(script: Script, served: Serves, told: Told, limit: int) -> Told:
    """Put the steps to what serves them, one after another, and judge the replies; what ends it is the last event."""
    acceptor = judge_of(script)
    blocks: dict[str, Event] = {}
    names: dict[str, int] = {}
    for step in repeated(script):
        if step.event is None or step.event.label in ("repeat", "end-repeat"):
            continue
        if len(told.events) == limit:
            told.cut = True
            break
        number = len(told.events)
        bare = asked(step)
        assert bare.event is not None
        try:
            event = served.serve(step, resolved(bare, blocks), number, told)
        except EndedError as error:
            told.end = error.episode.describe_end()
            asked_for = resolved(bare, blocks)
            pending = None if asked_for.function in ACCESSING else error.episode.pending
            event = pending or asked_for._replace(flags=NEVER_RETURNED)
        if step.name:
            blocks[step.name] = event
        _note(told, step, event, names)
        told.found += [(number, finding) for finding in acceptor.step(event)]
        if told.end:
            break
    return told


def _on_reference(script: Script, defence: Defence, limit: int) -> Told:
    seen = Seen(protection_of(defence), granule_of(defence.architecture))
    return _run(script, _Reference(script, defence, seen), Told(seen=seen), limit)


class _Reference:
    """The reference allocator over a defence, with a client that keeps the pointers that it was given."""

    def __init__(self, script: Script, defence: Defence, seen: Seen) -> None:
        base, top = script.settings.arena or (BASE, BASE + CAPACITY)
        length = script.settings.quarantine or defence.quarantine
        architecture = defence.architecture
        self.allocator = ReferenceAllocator(architecture=architecture, capacity=top - base, base=base)
        self.memory = _memory(defence, base, top - base)
        self.allocator.memory = self.memory
        self.quarantine = WatchedQuarantine(length)
        self.allocator.quarantine = self.quarantine
        self.pointers: dict[str, Pointer] = {}
        self.waiting: dict[int, int] = {}
        self.seen = seen

    def serve(self, step: Step, event: Event, number: int, told: Told) -> Event:
        """The reply; the request itself, flagged, where it is refused."""
        allocator, heap = self.allocator, self.allocator.heap
        old = heap.live.get(event.address) if event.address else None
        try:
            if event.function in ACCESSING:
                named = self.pointers.get(step.pointer.name) if step.pointer is not None else None
                reply = allocator.access(event, named or allocator.pointer(event.address))
            else:
                reply = allocator.request(event)
        except Misuse:
            return _turned_down(event)
        except Fault as fault:
            told.faults.append((number, fault))
            return _turned_down(event)
        now = heap.live.get(event.address) if event.address else None
        gives_up = event.function in FREEING or event.function in RESIZING
        if old is not None and gives_up and (now is None or now.id != old.id):
            self.waiting[old.base] = number
            self.seen.retagged(number, old.base, old.usable, self.memory.allocation_tag(old.base))
        elif old is not None and gives_up:
            self.seen.reusable[old.base, number] = number  # resized in place: nothing to wait for
        if hands_out(reply):
            pointer = self.seen.pointers[number] = allocator.pointer(reply.result)
            if step.name:
                self.pointers[step.name] = pointer
        for base in self.quarantine.released:
            if base in self.waiting:
                self.seen.reusable[base, self.waiting.pop(base)] = number
        self.quarantine.released.clear()
        try:
            self.memory.synchronise()
        except Fault as fault:
            told.faults.append((number, fault))  # an asynchronous mode tells of it when it has happened
        return reply


def _turned_down(event: Event) -> Event:
    """The reply to a request that was refused: one for memory fails as if there were none."""
    asks = event.function in ALLOCATING or event.function in RESIZING
    return event._replace(flags=event.flags | MISUSE_CAUGHT, errno=ENOMEM if asks else event.errno)


def _memory(defence: Defence, base: int, capacity: int) -> TaggedMemory:
    """Fresh memory, as the architecture needs it."""
    like = defence.memory()
    return TaggedMemory(
        base, capacity, capability_granule=like.capability_granule, allocation_granule=like.allocation_granule
    )


def _on_library(script: Script, allocator: str, limit: int, strategy: Strategy | None) -> Told:
    """The same requests put to a library in a child of its own; what ends it is the end of the history."""
    told = Told()
    try:
        with Foreign(place_of(allocator), timeout=10.0, environment=environment_of(strategy)) as foreign:
            session = foreign.begin()
            try:
                _run(script, _Library(session), told, limit)
            finally:
                session.close()
    except WorkerError as error:
        raise ViewError(str(error)) from error
    return told


class _Library:
    """A library that is driven step by step."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def serve(self, step: Step, event: Event, number: int, told: Told) -> Event:
        """The reply."""
        reply = self.session.request(event)[-1]
        return _as_asked(event, reply) if event.function in ACCESSING else reply


def _as_asked(event: Event, reply: Event) -> Event:
    """An access as the script has it: the driver accesses blocks whole, which the program did not do.

    Of what it saw of the block's contents there remains a change among the bytes that the script loads.
    """
    changed = reply.address + reply.intact - event.address
    if event.function is not Function.LOAD or reply.intact in (NOT_OBSERVED, reply.size):
        return event
    return event._replace(intact=changed) if 0 <= changed < event.size else event
