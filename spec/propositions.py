"""From a history of calls to the words that properties speak of: which letter goes to which address, block, thread.

The order is that of `spec.history.points`: a block is given up when its free (or the realloc that moves or frees it)
begins, and handed out when the call that returns it ends. One event is one letter:

- `malloc`: a block is handed out, by any function; with it the numbers that the heap computes (`early`, `overlap`,
  `dirty`) and `mem_allocate_end`.
- `free`: a block is given up; with it `mem_free_start`. A realloc that moves is a free, then a malloc; one in place is
  neither. Failed requests and free(NULL) are neither. A free of what is no block is a free all the same.
- `access`, `client_access_mem`: a load or store, in the block that contains the address: the live one, else the one
  that was freed last, else a block that begins there and was never handed out. A block contains its slack, which are
  the usable bytes that nobody requested; with an access that is not wholly within those requested comes `outside`.
- labels, by name.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple

from spec.acceptor import Acceptor
from spec.event import ACCESSING, ALLOCATING, FREEING, NEVER_RETURNED, RESIZING, Event, Function, returned
from spec.heap import Block, Heap
from spec.history import Phase, points
from spec.judge import SIZE_MAX, extent, granted, hands_out
from spec.ltl.word import Letter
from spec.property import Index

ACCESS: Letter = frozenset({"access", "client_access_mem"})
FREE: Letter = frozenset({"free", "mem_free_start"})
MALLOC: Letter = frozenset({"malloc", "mem_allocate_end"})
ALLOCATE_START: Letter = frozenset({"mem_allocate_start"})
ALLOCATE_END: Letter = frozenset({"mem_allocate_end"})
FREE_END: Letter = frozenset({"mem_free_end"})
NOTHING: Letter = frozenset()

Facts = Callable[[Event], Iterable[str]]
"""What somebody who saw more than an event holds knows of a reply or an access: further propositions of its letter."""


class Sort(IntEnum):
    """What a letter is, which says who gets it.

    EVENT: a malloc, a free or an access, a letter of every property. CALL: a call begins or ends and nothing else
    happens; LABEL: somebody said a word. These two are letters only of properties that name one of them.
    RESIZE: no letter of any property; a block has got another size in place.
    """

    EVENT = 1
    CALL = 2
    LABEL = 3
    RESIZE = 4


class Delivery(NamedTuple):
    """One letter, and whose it is.

    number: of the event (its begin number, or its place in a history without such numbers); 0 for a block that the
    history starts with. base: the address of the block that it is about, None when about none.
    generation: how many blocks were handed out there so far. size: bytes requested of a block handed out or resized.
    A label that is about no block goes to the addresses and blocks of its thread, as `spec.ltl.parametric` defines it.
    """

    letter: Letter
    sort: Sort
    number: int
    thread: int
    base: int | None = None
    generation: int = 0
    size: int = 0


class Words:
    """A history as deliveries, and what there was to be seen in it.

    heap: where the history starts; the blocks that live there are handed out first. quarantine, quarantine_limit: what
    the allocator promises, as the trace header says it. facts: see Facts; sees: the propositions that it looks for.
    observed: the propositions of `spec.property.NUMBERS`, the labels and `access`, as far as there was evidence for
    or against them. cut: threads whose last call was cut off by the end of the recording. Both are known at the end.
    """

    def __init__(
        self,
        events: Iterable[Event],
        *,
        heap: Heap | None = None,
        quarantine: int = 0,
        quarantine_limit: int = SIZE_MAX,
        facts: Facts | None = None,
        sees: Iterable[str] = (),
    ) -> None:
        self._events = events
        self._facts = facts
        start = Heap() if heap is None else heap.copy()
        # It keeps the heap and tells nobody what it finds: those are the rules' verdicts, not the properties'.
        self._acceptor = Acceptor(heap=start, quarantine=quarantine, quarantine_limit=quarantine_limit, limit=0)
        self._generations: dict[int, int] = {}
        self.observed: set[str] = {"overlap", *sees} | ({"early"} if quarantine else set())
        self.cut: set[int] = set()

    def __iter__(self) -> Iterator[Delivery]:
        """The letters in order.  Cost: some microseconds an event.  Raises: ValueError when begins do not ascend."""
        acceptor = self._acceptor
        for block in list(acceptor.heap.live.values()):
            yield self._handed_out(block.base, MALLOC, 0, block.thread, block.size)
        for phase, event in points(self._events):
            if phase is not Phase.END:
                yield from self._begun(event)
                if event.begin and not event.end and not event.flags & NEVER_RETURNED:
                    self.cut.add(event.thread)
            if phase is not Phase.BEGIN:
                yield from self._ended(event)

    def _begun(self, event: Event) -> Iterator[Delivery]:
        acceptor, function, address = self._acceptor, event.function, event.address
        number, thread = event.begin or acceptor.events + 1, event.thread
        if function in ALLOCATING or function in RESIZING:
            yield Delivery(ALLOCATE_START, Sort.CALL, number, thread)
        if address and (function in FREEING or (function in RESIZING and gives_up(event))):
            yield Delivery(FREE, Sort.EVENT, number, thread, address, self._generations.get(address, 0))
        elif function in ACCESSING:
            self.observed |= {"access", "outside"}
            base = self._base(address)
            yield Delivery(self._access(event), Sort.EVENT, number, thread, base, self._generations.get(base, 0))
        elif function is Function.LABEL and event.label:
            self.observed.add(event.label)
            about = self._base(address) if address else None
            generation = self._generations.get(about, 0) if about is not None else 0
            yield Delivery(frozenset({event.label}), Sort.LABEL, number, thread, about, generation)
        acceptor.release(event)

    def _ended(self, event: Event) -> Iterator[Delivery]:
        acceptor, function, address = self._acceptor, event.function, event.address
        number, thread = event.begin or acceptor.events, event.thread
        if event.flags & NEVER_RETURNED:
            acceptor.acquire(event)
            return
        if address and (function in FREEING or (function in RESIZING and gives_up(event))):
            yield Delivery(FREE_END, Sort.CALL, number, thread, address, self._generations.get(address, 0))
        if function in ALLOCATING or function in RESIZING:
            if hands_out(event) and not (function in RESIZING and event.result == address):
                yield self._handed_out(event.result, self._reply(event), number, thread, granted(event))
            else:
                if hands_out(event):
                    generation = self._generations.get(address, 0)
                    yield Delivery(NOTHING, Sort.RESIZE, number, thread, address, generation, granted(event))
                yield Delivery(ALLOCATE_END, Sort.CALL, number, thread)
        acceptor.acquire(event)

    def _handed_out(self, base: int, letter: Letter, number: int, thread: int, size: int) -> Delivery:
        generation = self._generations[base] = self._generations.get(base, 0) + 1
        return Delivery(letter, Sort.EVENT, number, thread, base, generation, size)

    def _reply(self, event: Event) -> Letter:
        """The letter of a block that is handed out: what the heap, as it was before, says of its bytes."""
        heap, window = self._acceptor.heap, self._acceptor.window
        base, top = event.result, event.result + extent(event)
        seen = set(MALLOC)
        if heap.overlapping(base, top):
            seen.add("overlap")
        if window.too_young(base, top):
            seen.add("early")
        if event.function is Function.CALLOC and event.intact >= 0:
            self.observed.add("dirty")
            if event.intact < event.request_size:
                seen.add("dirty")
        if self._facts is not None:
            seen.update(self._facts(event))
        return frozenset(seen)

    def _access(self, event: Event) -> Letter:
        """The letter of an access: what the heap says of its bytes, live or freed; of no block all are outside."""
        block = self._block(event.address)
        seen = set(ACCESS)
        if block is None or event.address + event.size > block.base + block.size:
            seen.add("outside")
        if self._facts is not None:
            seen.update(self._facts(event))
        return frozenset(seen)

    def _base(self, address: int) -> int:
        """Where the block that an address lies in begins."""
        block = self._block(address)
        return address if block is None else block.base

    def _block(self, address: int) -> Block | None:
        """The block that an address lies in, slack included: the live one, else the one that was freed last."""
        block = self._acceptor.heap.lookup(address)
        if block is not None:
            return block
        grave = self._acceptor.heap.grave(address)
        return None if grave is None else grave.block


def gives_up(event: Event) -> bool:
    """Whether a realloc of a block gives it up: it moved the block, freed it, or was never heard of again.

    >>> moved = Event(Function.REALLOC, address=0x1000, size=32, result=0x2000)
    >>> gives_up(moved), gives_up(moved._replace(result=0x1000)), gives_up(moved._replace(result=0, errno=12))
    (True, False, False)
    """
    if not returned(event):
        return True
    if event.result:
        return event.result != event.address
    return event.request_size == 0 and not event.errno


def values(index: Index, delivery: Delivery) -> tuple[Hashable, ...] | None:
    """The value of the index whose event the letter is; None of a label that is about no block.

    Of GLOBAL there is one value, None.

    >>> freed = Delivery(FREE, Sort.EVENT, 7, 3, 0x1000, 2)
    >>> [values(index, freed) for index in Index]
    [(4096,), ((4096, 2),), (3,), (None,)]
    """
    match index:
        case Index.GLOBAL:
            return (None,)
        case Index.THREAD:
            return (delivery.thread,)
        case Index.ADDRESS:
            return None if delivery.base is None else (delivery.base,)
        case Index.BLOCK:
            return None if delivery.base is None else ((delivery.base, delivery.generation),)
