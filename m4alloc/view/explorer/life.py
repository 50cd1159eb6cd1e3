"""What the explorer draws: a heap's whole life as columns, one entry an event or a block.

Everything is on one clock, the place of an event in the order in which the calls began: event 0 is the first. A block
is one generation: what lives at an address between two replies is another block, and a realloc, even one in place, ends
a block and begins the next, whose `origin` it is.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

FAILED = 256
"""Flag of an event, in `Events.flags`: a request that was refused."""


@dataclass(frozen=True, slots=True)
class Events:
    """Columns of equal length, one entry an event, in order.

    function: numbers of `spec.event.Function`. thread: small numbers from 0, in order of appearance.
    block: the block that the event is about: that it handed out, or gave up, or accessed; of a realloc the new one if
    there is one; -1 for none. size: bytes requested, or accessed. offset: of an access, from the block's base.
    time_ns: when it began; all 0 where nobody looked at a clock. flags: `spec.event`'s flags; FAILED is added to
    those of a request that failed.
    """

    function: Integers
    thread: Integers
    block: Integers
    size: Integers
    offset: Integers
    time_ns: Integers
    flags: Integers

    def __len__(self) -> int:
        return len(self.function)


@dataclass(frozen=True, slots=True)
class LifeBlocks:
    """Columns of equal length, one entry a block, in order of birth.

    base: address. size: bytes requested. usable: bytes usable, at least 1. born: the event that handed it out, -1 for
    one that was there at the start. died: the event that gave it up; the number of events for one that nobody did.
    reusable: the event from which on the allocator may hand its bytes out again (it has left delay line and
    quarantine), as far as that can be known; else `died`. Where the bytes were indeed handed out again is in the blocks
    born later. thread, freer: which thread got it, and gave it up (-1: none did). origin: the block that this one was
    resized from, -1 for none. tag: MTE tag or ADI version, -1 for none. low, high: the bounds of the capability that
    was handed out; equal when there is none.
    """

    base: Integers
    size: Integers
    usable: Integers
    born: Integers
    died: Integers
    reusable: Integers
    thread: Integers
    freer: Integers
    origin: Integers
    tag: Integers
    low: Integers
    high: Integers

    def __len__(self) -> int:
        return len(self.base)


FindingKind = Literal["violation", "misuse", "fault", "property", "attack", "missed", "label"]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that is to be seen at one event.

    kind: violation (the allocator broke a rule), misuse (the client did), fault (the hardware said no), property (a
    temporal property was violated for good), attack (a step of an attack), missed (a step that should not have been
    possible, and was), label (what the program said of itself). name: of the rule, property, step or label.
    reason: one sentence, why. claim: the rule's sentence or the property's formula; "" for none.
    address, length: the bytes it is about, length 0 for none.
    """

    event: int
    block: int
    kind: FindingKind
    name: str
    reason: str = ""
    claim: str = ""
    address: int = 0
    length: int = 0


@dataclass(frozen=True, slots=True)
class Retag:
    """At `event` the granules of [address, address + length) got `tag` (of a block that was freed, usually)."""

    event: int
    address: int
    length: int
    tag: int


@dataclass(frozen=True, slots=True)
class PropertyLife:
    """A temporal property over the run: its states, and when they change.

    index: what it is a property of: address, block, thread or global. states: what its monitor's states are called, in
    words that can be read ("allocated", "freed: any access violates"). changes: (event, block or -1, state), in order.
    """

    name: str
    formula: str
    claim: str
    index: str
    states: tuple[str, ...]
    changes: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Curve:
    """A quantity over the run: its value from each event in `at` on, -1 for before the first.

    unit: "bytes", "share" (0 to 1) or "blocks".
    """

    name: str
    unit: Literal["bytes", "share", "blocks"]
    at: Integers
    values: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Guard:
    """Bytes that nobody may touch: [base, base + length), from one event to another; `build_guards` finds them."""

    base: int
    length: int
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class Life:
    """One heap from its first event to its last.

    title: what ran, as a command line or a file name. allocator: what served it. protection: "none", or the name of the
    architecture ("mte", "adi", "isav9", ...). granule: bytes a tag, 0 where there are no tags. sentence: the verdict in
    a sentence, "" for none. end: how the record ended, in words, "" for well. left_out: what of the input is not drawn,
    in words, "" for nothing. threads: names of the threads, by number. size_classes: usable sizes, rising.
    quarantine: how many other blocks of its size class (usable size) are freed before a block is used again, as the
    allocator promised for usable sizes up to quarantine_limit; 0 for no promise. guard_note: why guards are not drawn,
    or which of them are not, in words; "" where all are.
    """

    title: str
    allocator: str
    events: Events
    blocks: LifeBlocks
    protection: str = "none"
    granule: int = 0
    sentence: str = ""
    end: str = ""
    left_out: str = ""
    threads: tuple[str, ...] = ()
    size_classes: tuple[int, ...] = ()
    marks: tuple[Mark, ...] = ()
    retags: tuple[Retag, ...] = ()
    properties: tuple[PropertyLife, ...] = ()
    curves: tuple[Curve, ...] = ()
    guards: tuple[Guard, ...] = ()
    script: tuple[str, ...] = field(default=())
    """The source, a line an entry, when it is a script; `script_lines` says which line each event stands in."""
    script_lines: tuple[int, ...] = field(default=())
    quarantine: int = 0
    quarantine_limit: int = 0
    guard_note: str = ""

    @property
    def peak(self) -> int:
        """Bytes live at most, as requested."""
        return next((int(curve.values.max(initial=0)) for curve in self.curves if curve.name == "live"), 0)

    @property
    def machine(self) -> str:
        """What served it, over what hardware where that protects anything."""
        comma = "," if "," in self.allocator else ""
        return self.allocator if self.protection == "none" else f"{self.allocator}{comma} over {self.protection}"

    @property
    def headline(self) -> str:
        """The title and what served it, in a line."""
        if self.allocator.startswith("as "):  # as the script, or the file, tells it
            return f"{self.title}, {self.machine}"
        if any(mark.kind == "attack" for mark in self.marks):  # the title of an attack names the hardware
            return f"{self.title} ({self.allocator})"
        return f"{self.title}, on {self.machine}"
