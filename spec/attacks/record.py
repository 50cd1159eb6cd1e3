"""Recording: an attack is carried out on the reference allocator, and what it asks of the hardware is written down.

Nothing is stopped while it is recorded. Refusals of the hardware show when the log is played; a refusal of the
allocator, which looks at addresses alone, is an entry of its own and the end of the log.
"""

from __future__ import annotations

from fractions import Fraction
from typing import NamedTuple

from capability.architecture import Access, Architecture, Hazard, Pointer, Retirement
from capability.memory import TaggedMemory
from capability.perms import Perms
from capability.sgx.boundary import Position, position
from spec.attacks.defence import Defence
from spec.attacks.goal import Held
from spec.attacks.seam import (
    Accessed,
    Derived,
    Entry,
    Examined,
    Filled,
    Loaded,
    Made,
    Moved,
    Refused,
    Retired,
    Stored,
    Watched,
)
from spec.attacks.step import Action, Change, Churn, HostBuffer, Keep, Make, Reach, Request, Use, free, malloc
from spec.error import Bug, Misuse
from spec.event import FREEING, RESIZING, Event, Function
from spec.statement import Pointer as Place

_ACCESSES = {Use.LOAD: Access.LOAD, Use.STORE: Access.STORE, Use.FETCH: Access.FETCH}


class Record(NamedTuple):
    """An attack on one defence: the seam log, what the names stand for at its end, and the reply to each step."""

    log: list[Entry]
    names: dict[str, Held]
    replies: dict[int, Event]


class _Memory(TaggedMemory):
    """A memory that reports what the allocator itself does to its bytes."""

    __slots__ = ("recorder",)
    recorder: _Recorder | None

    def fill(self, address: int, size: int, value: int) -> None:
        if self.recorder is not None:
            self.recorder.write(Filled(self.recorder.step, address, size, value))
        super().fill(address, size, value)

    def move(self, target: int, source: int, size: int) -> None:
        if self.recorder is not None:
            self.recorder.write(Moved(self.recorder.step, target, source, size))
        super().move(target, source, size)


class _Observed:
    """The architecture, with each derivation and retirement in the log."""

    def __init__(self, inner: Architecture, recorder: _Recorder) -> None:
        self._inner = inner
        self._recorder = recorder

    @property
    def granule(self) -> int:
        return self._inner.granule

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Pointer:
        """Derivations in another memory are the allocator asking what can be represented."""
        recorder = self._recorder
        if memory is not recorder.memory:
            return self._inner.derive(memory, base, size, perms)
        recorder.memory.recorder = None
        pointer = self._inner.derive(memory, base, size, perms)
        recorder.memory.recorder = recorder
        recorder.derived(pointer, base, size, perms)
        return pointer

    def check(self, memory: TaggedMemory, pointer: Pointer, address: int, size: int, access: Access) -> None:
        """Nothing is stopped while recording."""

    def retire(self, memory: TaggedMemory, pointer: Pointer | None) -> Retirement:
        recorder = self._recorder
        recorder.write(Retired(recorder.step, None if pointer is None else recorder.numbers[id(pointer)]))
        recorder.memory.recorder = None
        done = self._inner.retire(memory, pointer)
        recorder.memory.recorder = recorder
        return done

    def detection(self, kind: Hazard) -> Fraction:
        return self._inner.detection(kind)


class _Stop(Exception):  # noqa: N818 - no error: the attack ends here
    """The allocator or the bridge has refused; the rest of the attack does not happen."""


class _Recorder:
    """One attack being recorded."""

    def __init__(self, defence: Defence) -> None:
        self.defence = defence
        memory = defence.memory(_Memory)
        assert isinstance(memory, _Memory)
        self.memory = memory
        memory.recorder = self
        self.allocator = defence.allocator(memory, _Observed(defence.architecture, self))
        self.log: list[Entry] = []
        self.names: dict[str, Held] = {}
        self.replies: dict[int, Event] = {}
        self.numbers: dict[int, int] = {}
        self.issued: dict[int, int] = {}
        self._kept: list[Pointer] = []
        self._stored = 0
        self._next = 0
        self._again = 0
        self.step = 0

    def write(self, entry: Entry) -> None:
        """Add to the log."""
        self.log.append(entry)

    def number(self) -> int:
        """A number for one more pointer."""
        self._next += 1
        return self._next

    def derived(self, pointer: Pointer, base: int, size: int, perms: Perms) -> None:
        """The allocator has derived a pointer for a block."""
        number = self._again or self.number()
        self._kept.append(pointer)  # so that no other pointer gets its identity
        self.numbers[id(pointer)] = self.issued[base] = number
        self.write(Derived(self.step, number, base, size, perms))

    # Steps

    def take(self, action: Action) -> None:
        """Carry out one step.  Raises _Stop."""
        match action:
            case Request():
                self._request(action)
            case Reach():
                self._reach(action)
            case Make():
                self._make(action)
            case Keep():
                self._keep(action)
            case Churn():
                self._churn(action)
            case HostBuffer():
                self._host_buffer(action)

    def _request(self, request: Request) -> None:
        step = request.step
        event, place = step.event, step.pointer
        assert event is not None
        if event.function is Function.FILL:
            assert place is not None
            held = self.names[place.name]
            self.write(Accessed(self.step, held.number, held.address, held.size, Access.STORE, event.result))
            self.names[place.name] = held._replace(value=event.result)
            return
        if place is not None:
            base = self.names[place.name].address if place.name else 0
            event = event._replace(address=base + place.offset)
            self._examine(event, place)
        old = self.allocator.heap.live.get(event.address) if event.address else None
        try:
            reply = self.allocator.request(event)
        except Misuse as misuse:
            self._refuse("allocator", misuse.kind, misuse.message)
        self.replies[self.step] = reply
        if old is not None:
            now = self.allocator.heap.live.get(event.address)
            if now is None or now.id != old.id:
                self._bury(event.address)
        if step.name:
            number = self.issued.get(reply.result, 0)
            self.names[step.name] = Held(number, reply.result, event.request_size, max(reply.usable, 0), reply)

    def _examine(self, event: Event, place: Place) -> None:
        """Free and realloc look at the pointer itself, once its address has been found to be a live block's."""
        gives_up = event.function in FREEING or event.function in RESIZING
        if not (gives_up and place.name and self.defence.examines and event.address in self.allocator.heap.live):
            return
        given = self.names[place.name].number
        self.write(Examined(self.step, given, self.issued[event.address], event.address))

    def _bury(self, address: int) -> None:
        for name, held in self.names.items():
            if held.address == address and held.is_live:
                self.names[name] = held._replace(is_live=False)

    def _reach(self, reach: Reach) -> None:
        address = self.names[reach.at.name].address + reach.at.offset
        size = self.names[reach.upto].address + reach.size - address if reach.upto else reach.size
        if size < 1:
            raise Bug(f"{reach}: {reach.upto} does not lie above {reach.at}")
        access, through = _ACCESSES[reach.use], self.names[reach.through].number
        self.write(Accessed(self.step, through, address, size, access, reach.value, reach.data, reach.is_attempt))

    def _make(self, make: Make) -> None:
        of, number = self.names[make.of], self.number()
        self.write(Made(self.step, number, make, of.number, of.address))
        size = make.size if make.change in (Change.NARROW, Change.WIDEN) else of.size
        self.names[make.name] = of._replace(number=number, size=size)

    def _keep(self, keep: Keep) -> None:
        through = self.names[keep.through]
        if keep.stored:
            self._stored = self.names[keep.stored].number
            self.write(Stored(self.step, through.number, through.address, self._stored))
            return
        number = self.number()
        self.write(Loaded(self.step, number, through.number, through.address, self._stored))
        original = next(held for held in self.names.values() if held.number == self._stored)
        self.names[keep.loaded] = original._replace(number=number)

    def _churn(self, churn: Churn) -> None:
        """Free and malloc in turn; where the attacker watches, each round begins with a look at the tags.

        The block's pointer has one number throughout, so that every round is the same entries.
        """
        started = len(self.log)
        self._again = self.names[churn.name].number
        for _ in range(churn.times):
            before = self.names[churn.name].address
            if churn.until:
                self.write(Watched(self.step, self._again, self.names[churn.until].number, 0))
            self._request(free(churn.name))
            self._request(malloc(churn.name, churn.size))
            if churn.until and self.names[churn.name].address != before:
                raise Bug(f"{churn}: the block moved from {before:#x}, and skipping rounds would move others")
        self._again = 0
        end = len(self.log)
        for index in range(started, end):
            entry = self.log[index]
            if isinstance(entry, Watched):
                self.log[index] = entry._replace(skip=end)

    def _host_buffer(self, buffer: HostBuffer) -> None:
        """The enclave's bridge tests that the buffer is outside, if it tests at all."""
        of = self.names[buffer.at.name]
        address = of.address + buffer.at.offset
        where = position(address, buffer.size, self.memory.base, self.memory.top - self.memory.base)
        if self.defence.checks_buffers and where is not Position.OUTSIDE:
            self._refuse("bridge", f"buffer {where.value}", f"{buffer.size} bytes at {address:#x} are not outside")
        number = self.number()
        self.write(Made(self.step, number, Make(Change.FORGE, buffer.name, buffer.at.name), of.number, address))
        self.names[buffer.name] = of._replace(number=number, address=address, size=buffer.size)

    def _refuse(self, by: str, kind: str, message: str) -> None:
        self.write(Refused(self.step, by, kind, message))
        raise _Stop


def record(steps: tuple[Action, ...], defence: Defence) -> Record:
    """Carry out an attack on the reference allocator over `defence`, as if nothing were caught by the hardware.

    Cost: that of the allocator.

    >>> from spec.attacks.defence import DEFENCES
    >>> from spec.attacks.step import store
    >>> for entry in record((malloc("a", 64), free("a"), store("a")), DEFENCES["flat"]).log:
    ...     print(type(entry).__name__)
    Derived
    Examined
    Retired
    Accessed
    """
    recorder = _Recorder(defence)
    for index, action in enumerate(steps):
        recorder.step = index
        try:
            recorder.take(action)
        except _Stop:
            break
    return Record(recorder.log, recorder.names, recorder.replies)
