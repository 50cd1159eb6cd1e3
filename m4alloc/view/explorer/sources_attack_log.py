"""What a machine was asked in one run of an attack, entry by entry, and the events that it comes to."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import NamedTuple

from capability.architecture import Access, Architecture, Hazard, Pointer, Retirement
from capability.memory import TaggedMemory
from capability.perms import Perms
from m4alloc.view.explorer.build_protection import Seen
from spec.attacks.plan import Plan
from spec.attacks.seam import Accessed, Derived, Entry, Loaded, Retired, State, Stored
from spec.attacks.step import Action, Churn, Request
from spec.event import MISUSE_CAUGHT, Event, Function


class Played(NamedTuple):
    """One entry that was played. pointer: what it made. tag: of the granules of a block that it gave up."""

    entry: Entry
    pointer: Pointer | None
    tag: int
    reusable: frozenset[int]


@dataclass(slots=True)
class Heard:
    """The entries that were played in the last try of a run, in order."""

    plan: Plan
    played: list[Played] = field(default_factory=list)
    memory: TaggedMemory | None = None

    def listening(self) -> Plan:
        """The same plan, whose entries tell what they did.

        >>> from spec.attack import plan
        >>> heard = Heard(plan("double-free", "flat"))
        >>> _ = heard.listening().trial(0)
        >>> [type(one.entry).__name__ for one in heard.played]
        ['Derived', 'Examined', 'Retired', 'Refused']
        """
        twin = copy.copy(self.plan)
        twin.record = self.plan.record._replace(log=[_Telling(entry, self) for entry in self.plan.record.log])
        return twin

    def note(self, entry: Entry, state: State, reusable: frozenset[int]) -> None:
        """An entry has been played, or has raised."""
        if state.memory is not self.memory:  # another try, on a fresh machine
            self.memory = state.memory
            self.played.clear()
        pointer = state.pointers.get(entry.gives) if entry.gives else None
        tag = -1
        if isinstance(entry, Retired) and entry.number is not None:
            tag = state.memory.allocation_tag(state.pointers[entry.number].base)
        self.played.append(Played(entry, pointer, tag, reusable))


class _Telling:
    """An entry that tells what it did."""

    def __init__(self, inner: Entry, heard: Heard) -> None:
        self.inner, self.heard = inner, heard

    @property
    def step(self) -> int:
        return self.inner.step

    @property
    def uses(self) -> tuple[int, ...]:
        return self.inner.uses

    @property
    def gives(self) -> int:
        return self.inner.gives

    def play(self, state: State, architecture: Architecture) -> None:
        """Play it, and tell, whether it raises or not."""
        retiring = _Retiring(architecture)
        try:
            self.inner.play(state, retiring if isinstance(self.inner, Retired) else architecture)
        finally:
            self.heard.note(self.inner, state, frozenset(one.base for one in retiring.done.reusable))


class _Retiring:
    """An architecture whose last retirement is kept."""

    def __init__(self, inner: Architecture) -> None:
        self.inner = inner
        self.done = Retirement()

    @property
    def granule(self) -> int:
        return self.inner.granule

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Pointer:
        return self.inner.derive(memory, base, size, perms)

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        self.inner.check(memory, pointer, address, size, access)

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        self.done = self.inner.retire(memory, pointer)
        return self.done

    def detection(self, kind: Hazard) -> Fraction:
        return self.inner.detection(kind)


def events_of(heard: Heard, steps: int, seen: Seen, *, stopped: bool) -> list[tuple[int, Event]]:
    """The events of the first `steps` steps, each with its step's index; `seen` is told what the machine had.

    stopped: whether the last of them was refused.
    """
    told: list[tuple[int, Event]] = []
    births: dict[int, int] = {}
    bases = {one.entry.number: one.entry.base for one in heard.played if isinstance(one.entry, Derived)}
    quarantine = heard.plan.defence.quarantine
    for step, action in enumerate(heard.plan.attack.steps[:steps]):
        played = [one for one in heard.played if one.entry.step == step]
        for event, about in _step(heard.plan, step, action, played, refused=stopped and step == steps - 1):
            number = len(told)
            told.append((step, event))
            for one in about:
                if isinstance(one.entry, Accessed | Stored | Loaded):
                    if one.entry.through in births:
                        seen.through[number] = births[one.entry.through]
                elif isinstance(one.entry, Derived) and one.pointer is not None:
                    seen.pointers[number] = one.pointer
                    births[one.entry.number] = number
                elif isinstance(one.entry, Retired) and one.entry.number is not None and heard.memory is not None:
                    base = bases[one.entry.number]
                    size = next(
                        gone.entry.size
                        for gone in heard.played
                        if isinstance(gone.entry, Derived) and gone.entry.number == one.entry.number
                    )
                    seen.retagged(number, base, size, one.tag)
                    if not quarantine and base in one.reusable:
                        seen.reusable[base, number] = number
    return told


def _step(
    plan: Plan, step: int, action: Action, played: Sequence[Played], *, refused: bool
) -> Iterator[tuple[Event, Sequence[Played]]]:
    """The events of one step, each with the entries that belong to it."""
    flags = MISUSE_CAUGHT if refused else 0
    if isinstance(action, Churn):
        yield from _churned(action, played, flags)
        return
    accesses = [one for one in played if isinstance(one.entry, Accessed | Stored | Loaded)]
    if accesses:
        for one in accesses:
            yield _access(plan, one.entry, flags), (one,)
    elif isinstance(action, Request):
        event, place = action.step.event, action.step.pointer
        reply = plan.record.replies.get(step)
        if reply is not None and not refused:
            yield reply, played
            return
        assert event is not None
        base = plan.record.names[place.name].address if place is not None and place.name else 0
        address = base + place.offset if place is not None else 0
        yield event._replace(address=address, flags=MISUSE_CAUGHT), ()
    else:
        yield Event(Function.LABEL, label=str(action), flags=flags), ()


def _churned(action: Churn, played: Sequence[Played], flags: int) -> Iterator[tuple[Event, Sequence[Played]]]:
    """A block freed and allocated anew, again and again."""
    base = next((one.entry.base for one in played if isinstance(one.entry, Derived)), 0)
    for one in played:
        if isinstance(one.entry, Retired):
            yield Event(Function.FREE, address=base), (one,)
        elif isinstance(one.entry, Derived):
            base = one.entry.base
            yield Event(Function.MALLOC, size=action.size, result=base, usable=one.entry.size), (one,)
    if not played or flags:
        yield Event(Function.LABEL, label=str(action), flags=flags), ()


def _access(plan: Plan, entry: Entry, flags: int) -> Event:
    """An access as an event; a pointer in memory has the bytes of the machine's pointers."""
    if isinstance(entry, Accessed):
        function = Function.STORE if entry.access is Access.STORE else Function.LOAD
        return Event(function, address=entry.address, size=entry.size, flags=flags)
    assert isinstance(entry, Stored | Loaded)
    function = Function.STORE if isinstance(entry, Stored) else Function.LOAD
    return Event(function, address=entry.address, size=plan.defence.memory().capability_granule, flags=flags)
