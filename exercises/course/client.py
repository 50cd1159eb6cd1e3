"""A client of a heap that deals in addresses: it fills every block, compares, judges every reply, and shrinks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from exercises.course.promise import BrokenPromise, StuckError, slip, where
from m4alloc.check.adapter_memory import BufferMemory
from m4alloc.check.adapter_object import ObjectFace
from m4alloc.check.executor import Executor
from m4alloc.check.local import UnreachableError
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.shrink import shrunk
from spec.acceptor import Acceptor
from spec.error import Violation
from spec.event import NEVER_RETURNED, Event, Function
from spec.script_history import from_events
from spec.script_writer import render

BASE = 0x10000
SIZE = 4096
TOP = BASE + SIZE
RAISED = "call-returns"
OUTSIDE = "result-contained"
NULL_FREED = "0 is the null pointer, and no block: free(0) returns at once."
Make = Callable[[int, int], Any]
"""The student's class: Heap(base, size)."""


class Client:
    """One fresh heap, and the history of what was asked of it.

    found: what broke, by the rule's name, with what was seen and after how many events. A heap that raised answers no
    more.  Raises TypeError: the heap has no malloc or no free.
    """

    def __init__(self, make: Make, base: int = BASE, size: int = SIZE) -> None:
        self.events: list[Event] = []
        self.found: dict[str, tuple[str, int]] = {}
        self.ended = False
        self.hint = ""
        self.arena = base, base + size
        self.acceptor = Acceptor("c17", arena=self.arena)
        memory = BufferMemory(bytearray(size), base)
        self.executor = Executor(ObjectFace(make(base, size), memory, "heap"))

    def ask(self, event: Event) -> Event:
        """Make a request, judge everything seen, return the reply; after the heap has raised, the event itself."""
        if self.ended:
            return event
        try:
            seen = self.executor.request(event)
        except (BrokenPromise, StuckError):
            raise
        except UnreachableError as error:
            self.events.append(event._replace(result=error.address))
            much, (base, top) = max(event.request_size, error.size), self.arena  # no more than 4 MiB are looked at
            where_it_is = f"{much} bytes at {error.address:#x} are not all in [{base:#x}, {top:#x})"
            self.note(OUTSIDE, f"The block does not lie inside the heap: {where_it_is}.")
            self.ended = True
            return self.events[-1]
        except (Exception, SystemExit) as error:
            self.events.append(event._replace(flags=event.flags | NEVER_RETURNED))
            said = f": {error}" if str(error) else ""
            self.note(RAISED, f"The heap raised {type(error).__name__}{said}{where(error)}.")
            self.hint = slip(error)
            self.ended = True
            return self.events[-1]
        for one in seen:
            self.events.append(one)
            for finding in self.acceptor.step(one):
                if isinstance(finding, Violation):
                    self.note(finding.rule.name, finding.message)
        return seen[-1]

    def note(self, rule: str, message: str) -> None:
        """The first break of each rule counts."""
        self.found.setdefault(rule, (message, len(self.events)))

    def play(self, plan: Sequence[Operation]) -> Client:
        """Carry out a plan, then compare the contents of what is left."""
        for operation in plan:
            event = None if self.ended else self.executor.resolve(operation)
            if event is not None:
                self.ask(event)
        if not self.ended:
            for event in self.executor.sweep():
                self.events.append(event)
                self.acceptor.step(event)
                for finding in self.acceptor.violations:
                    self.note(finding.rule.name, finding.message)
        return self

    def history(self, length: int | None = None) -> list[str]:
        """The history as the lines of a heap script, the last one marked."""
        lines = render(from_events(self.events[:length])).splitlines()
        return [*lines[:-1], f"{lines[-1]:<40}  <- here"] if lines else []

    # What the tests of one promise ask for.

    def malloc(self, size: int) -> int:
        """The address of a new block, 0 if it was refused."""
        return self.ask(Event(Function.MALLOC, size=size)).result

    def aligned_alloc(self, alignment: int, size: int) -> int:
        """The address of a new aligned block, 0 if it was refused."""
        return self.ask(Event(Function.ALIGNED_ALLOC, size=size, alignment=alignment)).result

    def free(self, address: int) -> None:
        """Give a block up."""
        self.ask(Event(Function.FREE, address=address))

    def must_serve(self, size: int, because: str, *, alignment: int = 0, hint: str = "") -> int:
        """A block that the heap has to have.  Raises BrokenPromise, with a hint in place of the promise's own."""
        address = self.aligned_alloc(alignment, size) if alignment else self.malloc(size)
        self.must_not_have_raised()
        if not address:
            raise BrokenPromise(f"A block of {size} bytes was refused, though {because}.", self.history(), hint)
        return address

    def must_refuse(self, size: int, because: str) -> None:
        """A request that the heap cannot serve.  Raises BrokenPromise."""
        address = self.malloc(size)
        self.must_not_have_raised()
        if address:
            raise BrokenPromise(f"malloc({size}) returned {address:#x}, though {because}.", self.history())

    def must_not_have_raised(self) -> None:
        """Raises BrokenPromise."""
        if self.ended:
            raise BrokenPromise(next(iter(self.found.values()))[0], self.history(), self.hint)


@dataclass
class Search:
    """The plans tried on one class, and for each rule the first that broke it."""

    make: Make
    broken: dict[str, list[Operation]] = field(default_factory=dict)

    def smallest(self, rule: str) -> BrokenPromise:
        """The finding, with the smallest plan that shows it."""

        def breaks(plan: list[Operation]) -> bool:
            return rule in Client(self.make).play(plan).found

        client = Client(self.make).play(shrunk(self.broken[rule], breaks))
        message, length = client.found[rule]
        hint = NULL_FREED if rule == RAISED and client.events[-1][:3] == (Function.FREE, 0, 0) else ""
        return BrokenPromise(message, client.history(length), client.hint or hint)


SEARCHES: dict[int, tuple[Make, Search]] = {}


def searched(module: ModuleType) -> Search:
    """What the plans found on `module.Heap`; made once for each class.  Cost: 0.5 s."""
    make: Make = module.Heap
    known = SEARCHES.get(id(make))
    if known is None:
        search = Search(make)
        for plan in plans():
            for rule in Client(make).play(plan).found:
                search.broken.setdefault(rule, plan)
        known = SEARCHES[id(make)] = make, search
    return known[1]


def plans(number: int = 160, seed: int = 4) -> Iterator[list[Operation]]:
    """Random plans, the same ones each time: few blocks in a small heap, so that it fills and splits."""
    draw = random.Random(seed)
    for _ in range(number):
        largest = draw.choice((40, 200, 900, 2500))
        plan = []
        for _ in range(draw.randrange(2, 22)):
            size = draw.choice((0, 1, 15, 16, 17, draw.randrange(largest), draw.randrange(largest)))
            match draw.randrange(8):
                case 0 | 1 | 2 | 3:
                    plan.append(Operation(Function.MALLOC, size=size))
                case 4:
                    alignment = draw.choice((16, 32, 64, 256, 2048))
                    plan.append(Operation(Function.ALIGNED_ALLOC, size=size, alignment=alignment))
                case 5 if not plan:
                    plan.append(Operation(Function.FREE))
                case _:
                    plan.append(Operation(Function.FREE, aim=Aim.LIVE, block=draw.randrange(6)))
        yield plan


def rule(*names: str) -> Callable[[ModuleType], None]:
    """The test that none of these rules of the contract is broken in any of the plans."""

    def test(module: ModuleType) -> None:
        search = searched(module)
        for name in names:
            if name in search.broken:
                raise search.smallest(name)

    return test
