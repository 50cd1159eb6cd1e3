"""Allocators that run in this process: the reference allocator, the native core as an Arena, and those of users.

What ends the process ends the test run with it: an allocator that may crash is better driven as a library
(m4alloc.check.foreign), in children.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from m4alloc.check.executor import Executor
from m4alloc.check.face import Face, Reply
from m4alloc.check.judgement import Terms
from m4alloc.check.operation import LABELS, Directive, Operation
from m4alloc.check.pattern import common_prefix, pattern
from m4alloc.check.process_memory import ProcessMemory
from m4alloc.check.target import Closing, End, EndedError, Episode, Usage
from m4alloc.check.threads import Turns
from spec.allocator import ReferenceAllocator
from spec.error import Misuse
from spec.event import MISUSE_CAUGHT, NEVER_RETURNED, Event, Function


class UnreachableError(Exception):
    """The memory of an allocator does not reach where its block lies; `access` is LOAD or STORE."""

    def __init__(self, access: Function, address: int, size: int, message: str) -> None:
        super().__init__(message)
        self.access, self.address, self.size = access, address, size


class ReferenceFace:
    """The reference allocator with its own memory."""

    functions = frozenset(Function) - {Function.LOAD, Function.STORE, Function.FILL, Function.LABEL}

    def __init__(self, allocator: ReferenceAllocator) -> None:
        self.allocator = allocator

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request; a misuse changes nothing and is flagged."""
        try:
            event = self.allocator.request(Event(function, 0, address, size, count, alignment))
        except Misuse:
            return Reply(0, 0, MISUSE_CAUGHT)
        return Reply(event.result, event.errno)

    def usable(self, address: int) -> int:
        """Usable bytes of a live block."""
        return self.allocator.request(Event(Function.USABLE_SIZE, address=address)).result

    def fill(self, address: int, size: int, seed: int) -> None:
        """Write the pattern."""
        self.allocator.memory.store(address, pattern(seed, size))

    def intact(self, address: int, size: int, seed: int) -> int:
        """Compare with the pattern."""
        return common_prefix(self.allocator.memory.load(address, size), pattern(seed, size))

    def zeros(self, address: int, size: int) -> int:
        """Count leading zeros."""
        return self.allocator.memory.leading_zeros(address, size)


class ArenaFace(ProcessMemory):
    """A native Arena, asked on addresses, in this process: every function, and every usable byte."""

    functions = ReferenceFace.functions

    def __init__(self, arena: Any) -> None:
        super().__init__()
        self.arena = arena

    def call(self, function: Function, address: int, size: int, count: int, alignment: int) -> Reply:
        """Make one request."""
        result, errno, misuse = self.arena.call(int(function), address, size, count, alignment)
        return Reply(result, errno, MISUSE_CAUGHT if misuse else 0)

    def usable(self, address: int) -> int:
        """Usable bytes of a live block."""
        usable: int = self.arena.call(int(Function.USABLE_SIZE), address)[0]
        return usable


class LocalTarget(Closing):
    """An allocator in this process; its threads are real ones, of which one runs at a time.

    make: gives an allocator for each episode. shared: always the same one, so that an episode gives back at its end
    what it holds. executor: what carries requests out. standard: what it is held to, unless one says otherwise.
    Of the directives, repeat and thread-end are carried out, parallel one step after another; those about forks and
    limits are left out, and give no event.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Face],
        *,
        shared: bool = False,
        executor: type[Executor] = Executor,
        standard: str = "c17,glibc",
    ) -> None:
        self.name = name
        self.make = make
        self.shared = shared
        self.executor = executor
        self.standard = standard
        self.functions = make().functions

    def terms(self, standard: str | None = None) -> Terms:
        """What the allocator is held to: the standard, or its own."""
        return Terms(self.standard if standard is None else standard)

    def begin(self) -> LocalSession:
        """A fresh allocator to be asked step by step; a shared one as it is."""
        return LocalSession(self.executor(self.make()))

    def run(self, operations: Sequence[Operation]) -> Episode:
        """Carry out a whole plan on a fresh allocator."""
        with self.begin() as session:
            try:
                for operation in unrolled(operations):
                    session.run(operation)
                session.sweep()
                if self.shared:
                    session.give_back()
            except EndedError as ended:
                return ended.episode
            return Episode(session.events)

    def repeat(self, operations: Sequence[Operation], limit: int) -> Usage:
        """Carry out the plan over and over on one fresh allocator until `limit` bytes were used."""
        with self.begin() as session:

            def run(operation: Operation) -> list[Event]:
                session.events.clear()  # many rounds: nobody asks for their history
                return session.run(operation)

            return session.executor.repeat(unrolled(operations), limit, run)


class LocalSession(Closing):
    """One allocator, asked one request at a time; `events` is the history so far."""

    def __init__(self, executor: Executor) -> None:
        self.executor = executor
        self.turns = Turns()
        self.events: list[Event] = []
        self.answered: Event | None = None
        executor.observe = self.observe

    def observe(self, event: Event) -> None:
        """Keep what the allocator has answered, in case that its memory cannot be reached."""
        self.answered = event

    def request(self, event: Event) -> list[Event]:
        """Carry out a request on its thread. Raises EndedError: a block lies where there is no memory."""
        if event.function is Function.LABEL:
            return self.directed(event)
        return self.carry_out(event.thread, lambda: self.executor.request(event))

    def carry_out(self, thread: int, work: Callable[[], list[Event]]) -> list[Event]:
        """The events of some work on a thread. Raises EndedError: a block lies where there is no memory."""
        seen: list[Event] = []
        self.answered = None
        try:
            self.turns.run(thread, lambda: seen.extend(work()))
        except UnreachableError as error:
            raise EndedError(self.ended(thread, error)) from error
        self.events += seen
        return seen

    def ended(self, thread: int, error: UnreachableError) -> Episode:
        """The history up to an access that no memory answered."""
        answered = [] if self.answered is None else [self.answered]
        last = Event(error.access, thread, error.address, error.size, flags=NEVER_RETURNED)
        return Episode([*self.events, *answered, last], End.CRASHED, message=str(error))

    def directed(self, event: Event) -> list[Event]:
        """Follow a directive as far as one process can; the event of one that was followed, and of any other label."""
        which = directive_of(event)
        if which is Directive.THREAD_END:
            self.turns.end(event.thread)
        elif which is not None:
            return []
        self.events.append(event._replace(label=event.label if which is None else which.label))
        return self.events[-1:]

    def run(self, operation: Operation) -> list[Event]:
        """Carry out an operation, or nothing when it names no block."""
        event = self.executor.resolve(operation)
        return [] if event is None else self.request(event)

    def sweep(self) -> list[Event]:
        """LOAD events for live blocks whose contents changed."""
        return self.carry_out(0, self.executor.sweep)

    def give_back(self) -> list[Event]:
        """Free every live block: the events of the calls."""
        return [
            event
            for address in list(self.executor.live)
            for event in self.request(Event(Function.FREE, address=address))
        ]

    def close(self) -> None:
        """End the threads."""
        self.turns.close()


def directive_of(event: Event) -> Directive | None:
    """The directive that a LABEL gives: by its text, or by its number where there is no text.

    >>> directive_of(Event(Function.LABEL, label="thread-end")), directive_of(Event(Function.LABEL, label="here"))
    (<Directive.THREAD_END: 1>, None)
    """
    if event.label:
        return Directive(LABELS.index(event.label) + 1) if event.label in LABELS else None
    return Directive(event.count) if event.count in list(Directive) else None


def unrolled(operations: Sequence[Operation]) -> Sequence[Operation]:
    """The operations with each repeat written out; one without an end goes to the end of the plan.

    >>> from m4alloc.check.operation import directive
    >>> one = Operation(Function.MALLOC, size=8)
    >>> len(unrolled([one, directive(Directive.REPEAT, 3), one, one, directive(Directive.END_REPEAT), one]))
    8
    """
    if not any(is_directive(operation, Directive.REPEAT) for operation in operations):
        return operations
    open_: list[tuple[int, list[Operation]]] = [(1, [])]
    for operation in operations:
        if is_directive(operation, Directive.REPEAT):
            open_.append((operation.size, []))
        elif is_directive(operation, Directive.END_REPEAT) and len(open_) > 1:
            times, inner = open_.pop()
            open_[-1][1].extend(inner * times)
        else:
            open_[-1][1].append(operation)
    while len(open_) > 1:
        times, inner = open_.pop()
        open_[-1][1].extend(inner * times)
    return open_[0][1]


def is_directive(operation: Operation, which: Directive) -> bool:
    return operation.function is Function.LABEL and operation.count == which


def reference(capacity: int = 1 << 30, quarantine: int = 0) -> LocalTarget:
    """The reference allocator, first fit on flat memory."""
    return LocalTarget("reference", lambda: ReferenceFace(ReferenceAllocator(capacity=capacity, quarantine=quarantine)))


def arena(capacity: int = 1 << 30, strategy: Any = None) -> LocalTarget:
    """The native core in this process, an Arena of its own for each episode.

    Raises ImportError where the core is not built.
    """
    from m4alloc import _fast

    return LocalTarget("arena", lambda: ArenaFace(_fast.Arena(capacity, strategy)))
