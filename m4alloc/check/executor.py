"""Carry out requests on an allocator and look at the memory it hands out.

Every block is filled to its last usable byte as soon as it is handed out, and compared before it is given up:
a byte that another call changed becomes a LOAD event whose `intact` is less than its size. calloc's zeroing and
realloc's kept prefix are seen inside the call and travel in the reply, as the recorder does it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from m4alloc.check.face import CHECKED, Face
from m4alloc.check.operation import Aim, Operation
from m4alloc.check.target import ROUNDS, Usage
from spec.event import ACCESSING, ALLOCATING, FREEING, NOT_OBSERVED, RESIZING, Event, Function

Run = Callable[[Operation], list[Event]]
"""Carries one operation out on its thread."""
SEEDS = 4093
DEAD_KEPT = 64


@dataclass(slots=True)
class Live:
    """A block that the client owns: where it is, what it asked for, what it wrote."""

    address: int
    size: int
    usable: int
    alignment: int
    seed: int
    maker: Function = Function.MALLOC

    @property
    def filled(self) -> int:
        """Bytes that hold the pattern: all usable ones (at least the request), up to CHECKED."""
        return min(max(self.usable, self.size), CHECKED)


SIZED = frozenset({Function.MALLOC, Function.CALLOC, Function.REALLOC, Function.REALLOCARRAY})
"""Whose blocks free_sized takes (ISO C23 7.24.3.4); free_aligned_sized takes those of aligned_alloc."""


def sized(block: Live) -> Function:
    """The function that gives the block up by its size; free where none may: for others, both are undefined.

    >>> blocks = (Live(0x1000, 8, 8, 64, 7, maker) for maker in (Function.ALIGNED_ALLOC, Function.MEMALIGN))
    >>> [sized(block).name for block in blocks]
    ['FREE_ALIGNED_SIZED', 'FREE']
    """
    if block.maker is Function.ALIGNED_ALLOC and block.alignment:
        return Function.FREE_ALIGNED_SIZED
    return Function.FREE_SIZED if block.maker in SIZED else Function.FREE


def nothing(event: Event) -> None:
    """The observer that looks away."""


class Executor:
    """Carries out requests one at a time and keeps what the client knows: its live blocks and their contents.

    `observe` sees the event as soon as the allocator has answered, before its memory is touched: what is known
    when the touch crashes. `resolve` turns an operation into the request it stands for now.
    """

    def __init__(self, face: Face, observe: Callable[[Event], None] = nothing) -> None:
        self.face = face
        self.observe = observe
        self.live: dict[int, Live] = {}
        self.dead: list[int] = []
        self.made = 0

    def resolve(self, operation: Operation) -> Event | None:
        """The request that `operation` stands for in the present heap, or None when it names no block.

        Cost: O(live blocks).
        """
        function, thread, aim, block, size, count, alignment, offset = operation
        if function not in self.face.functions and function not in ACCESSING and function is not Function.LABEL:
            return None
        address = 0
        if aim is Aim.DEAD:
            dead = [freed for freed in self.dead if freed not in self.live]
            if not dead:
                return None
            address = dead[-1 - block % len(dead)]
        elif aim is not Aim.NULL:
            if not self.live:
                return None
            owned = list(self.live.values())
            chosen = owned[-1 - block % len(owned)]
            address = chosen.address
            if aim is Aim.INSIDE:
                if chosen.usable < 2:
                    return None
                address += 1 + offset % (chosen.usable - 1)
            elif function is Function.FREE_SIZED:
                function = sized(chosen)
                if function is not Function.FREE:
                    size, alignment = chosen.size, chosen.alignment
        elif function in FREEING or function in RESIZING:
            pass
        elif function not in ALLOCATING and function is not Function.LABEL:
            return None
        return Event(function, thread, address, size, count, alignment)

    def request(self, event: Event) -> list[Event]:
        """Carry out one request: the event completed by its reply, after LOAD events for contents found changed.

        Cost: the call, and two passes over the block's bytes.
        """
        function = event.function
        if function is Function.LABEL:
            return [event]
        if function in ACCESSING:
            return [self.access(event)]
        events: list[Event] = []
        owned = self.live.get(event.address) if event.address else None
        if owned is not None and function is not Function.USABLE_SIZE:
            self.compare(owned, event.thread, events)
        reply = self.face.call(function, event.address, event.size, event.count, event.alignment)
        event = event._replace(result=reply.result, errno=reply.errno, flags=event.flags | reply.flags)
        if function in ALLOCATING:
            event = self.acquired(event, None)
        elif function in RESIZING:
            gone = reply.result != 0 or (event.request_size == 0 and reply.errno == 0)
            if gone and owned is not None:
                self.forget(owned)
            event = self.acquired(event, owned)
        elif function in FREEING and owned is not None:
            self.forget(owned)
        events.append(event)
        return events

    def acquired(self, event: Event, old: Live | None) -> Event:
        """Record the block handed out, look at what it holds, and fill it."""
        address = event.result
        if address == 0:
            return event
        size = event.request_size
        self.observe(event)
        event = event._replace(usable=self.face.usable(address))
        self.observe(event)
        if event.function is Function.CALLOC and size <= CHECKED:
            event = event._replace(intact=self.face.zeros(address, size))
            self.observe(event)
        elif event.function in RESIZING and old is not None:
            kept = min(old.size, size)
            if kept <= CHECKED:
                event = event._replace(intact=self.face.intact(address, kept, old.seed))
                self.observe(event)
        self.made += 1
        # The size a client may rely on: what usable_size says, and never less than it asked for.
        usable = event.usable if event.usable != NOT_OBSERVED else size
        block = Live(address, size, usable, event.alignment, self.made * 7 % SEEDS, event.function)
        self.live.pop(address, None)
        self.live[address] = block
        self.face.fill(address, block.filled, block.seed)
        return event

    def access(self, event: Event) -> Event:
        """Fill or compare the whole of a live block; any other access is only named, never made."""
        owned = self.live.get(event.address)
        if owned is None:
            return event
        if event.function is Function.LOAD:
            return event._replace(size=owned.filled, intact=self.face.intact(owned.address, owned.filled, owned.seed))
        self.made += 1
        owned.seed = self.made * 7 % SEEDS
        self.face.fill(owned.address, owned.filled, owned.seed)
        return event._replace(size=owned.filled)

    def compare(self, owned: Live, thread: int, events: list[Event]) -> None:
        """Append a LOAD event when the contents of a block are not what the client wrote last."""
        intact = self.face.intact(owned.address, owned.filled, owned.seed)
        if intact < owned.filled:
            events.append(Event(Function.LOAD, thread, owned.address, owned.filled, intact=intact))

    def sweep(self) -> list[Event]:
        """LOAD events for every live block whose contents changed. Cost: one pass over all live bytes."""
        events: list[Event] = []
        for owned in self.live.values():
            self.compare(owned, 0, events)
        return events

    def repeat(self, operations: Sequence[Operation], limit: int, run: Run) -> Usage:
        """Carry out the operations over and over, freeing everything after each round; see Target.repeat."""
        places: dict[int, int] = {}
        now: dict[int, int] = {}
        total = distinct = most = 0
        older = newer = (0, 0)
        for round_number in range(ROUNDS):
            seen = [event for operation in operations for event in run(operation)]
            rest = [Event(Function.FREE, 0, address) for address in self.live]
            for event in seen + [one for free in rest for one in self.request(free)]:
                if event.address and (event.function in FREEING or (event.function in RESIZING and not event.errno)):
                    now.pop(event.address, 0)
                if event.result and (event.function in ALLOCATING or event.function in RESIZING) and not event.errno:
                    size = event.usable if event.usable >= 0 else event.request_size
                    distinct += max(size - places.get(event.result, 0), 0)
                    places[event.result] = max(size, places.get(event.result, 0))
                    now[event.result] = size
                    total += size
                    most = max(most, sum(now.values()))
            if round_number & (round_number - 1) == 0:
                older, newer = newer, (total, distinct)
            if total >= limit or total == 0:
                break
        return Usage(total, distinct, most, total - older[0], distinct - older[1])

    def forget(self, owned: Live) -> None:
        """The client gives the block up."""
        del self.live[owned.address]
        if owned.address in self.dead:
            self.dead.remove(owned.address)
        self.dead.append(owned.address)
        if len(self.dead) > DEAD_KEPT:
            del self.dead[0]
