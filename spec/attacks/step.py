"""Steps: what the attacker, the victim and the program around them do, as data that reads like a heap script.

A step of the malloc family or an access is what a heap script can say too; the rest is what a client does to a pointer
itself. `through` and `at` are apart on purpose: an attack is often that a pointer to one block is used for the address
of another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from spec.event import Event, Function
from spec.script_writer import line_of
from spec.statement import Pointer, Step

OWN, SECRET, EVIL = 0x11, 0x5E, 0x41
"""What a victim keeps in a block, what must not be read, and what an attacker writes."""
STACK, GLOBAL, WILD = 0x7FFC0000, 0x404000, 0xDEAD0000
"""Addresses outside the arena where a stack, a program's data and nothing at all lie; natively, real ones stand in."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call of the malloc family: `step` of the heap script, with the name of the pointer in its `pointer`."""

    step: Step

    def __str__(self) -> str:
        return line_of(self.step)


class Use(Enum):
    """What an access does."""

    LOAD = "load"
    STORE = "store"
    FETCH = "execute"


@dataclass(frozen=True, slots=True)
class Reach:
    """An access through one pointer to the address of a block, which need not be the same one.

    at: the block and the offset in it. size: bytes. upto: the access begins at `at` and ends `size` bytes into this
    block instead. value: the byte stored. data: what the bytes loaded are called. is_attempt: made in a forked child,
    so that a fault ends the child and not the attack.
    """

    use: Use
    through: str
    at: Pointer
    size: int = 8
    upto: str = ""
    value: int = EVIL
    data: str = ""
    is_attempt: bool = False

    def __str__(self) -> str:
        named = f"{self.data} = " if self.data else ""
        child = "in a child: " if self.is_attempt else ""
        through = "" if self.at.name == self.through else f", through {self.through}"
        value = f" {self.value:#04x}" if self.use is Use.STORE else ""
        if self.upto:
            return f"{child}{named}{self.use.value}{value} from {self.at} up to {self.upto}+{self.size}{through}"
        size = f"{self.size} byte{'s' * (self.size != 1)}{' of' if value else ''}{value}"
        return f"{child}{named}{self.use.value} {size} at {self.at}{through}"


class Change(Enum):
    """What a client does to a pointer without asking the allocator."""

    NARROW = "narrow"
    WIDEN = "widen"
    READ_ONLY = "read-only"
    UNTAG = "untag"
    FORGE = "forge"
    GUESS = "guess"


@dataclass(frozen=True, slots=True)
class Make:
    """A pointer made from another one, or from the address of a block.

    size: of the new bounds, for NARROW and WIDEN. tag: what is guessed, for GUESS.
    """

    change: Change
    name: str
    of: str
    size: int = 0
    tag: int = 0

    def __str__(self) -> str:
        detail = {
            Change.NARROW: f" to its first {self.size} bytes",
            Change.WIDEN: f" to {self.size} bytes",
            Change.FORGE: " from the address alone",
            Change.GUESS: f", guessing tag {self.tag}",
        }
        return f"{self.name} = {self.change.value} {self.of}{detail.get(self.change, '')}"


@dataclass(frozen=True, slots=True)
class Keep:
    """A pointer stored in memory, through another one, at its start; or loaded from there."""

    through: str
    stored: str = ""
    loaded: str = ""

    def __str__(self) -> str:
        if self.stored:
            return f"store pointer {self.stored} at {self.through}"
        return f"{self.loaded} = load pointer at {self.through}"


@dataclass(frozen=True, slots=True)
class Churn:
    """A block is freed and allocated anew, `times` over, or until its pointer shows the tag that `until` shows."""

    name: str
    size: int
    times: int
    until: str = ""

    def __str__(self) -> str:
        until = f", or until {self.name} shows the tag of {self.until}" if self.until else ""
        return f"free {self.name} and {self.name} = malloc {self.size}, {self.times} times{until}"


@dataclass(frozen=True, slots=True)
class HostBuffer:
    """The host names a buffer for the enclave to write to: an address and a size, said to be outside."""

    name: str
    at: Pointer
    size: int

    def __str__(self) -> str:
        return f"{self.name} = buffer named by the host: {self.size} bytes at {self.at}"


Action = Request | Reach | Make | Keep | Churn | HostBuffer


# The malloc family


def malloc(name: str, size: int) -> Request:
    """`name = malloc size`.

    >>> str(malloc("a", 64))
    'a = malloc 64'
    """
    return _request(Event(Function.MALLOC, size=size), name)


def calloc(name: str, count: int, size: int) -> Request:
    """`name = calloc count size`."""
    return _request(Event(Function.CALLOC, size=size, count=count), name)


def aligned_alloc(name: str, alignment: int, size: int) -> Request:
    """`name = aligned_alloc alignment size`."""
    return _request(Event(Function.ALIGNED_ALLOC, size=size, alignment=alignment), name)


def realloc(name: str, given: str, size: int) -> Request:
    """`name = realloc given size`; given: the name of a pointer."""
    return _request(Event(Function.REALLOC, size=size), name, Pointer(given))


def free(given: str, offset: int = 0, *, thread: int = 0) -> Request:
    """`free given+offset`; with "" for `given` the offset is the address.

    >>> str(free("a")), str(free("a", 16, thread=2)), str(free("", 4096))
    ('free a', '@2 free a+16', 'free 0x1000')
    """
    return _request(Event(Function.FREE, thread=thread), pointer=Pointer(given, offset))


def free_sized(given: str, size: int) -> Request:
    """`free_sized given size`."""
    return _request(Event(Function.FREE_SIZED, size=size), pointer=Pointer(given))


def free_aligned_sized(given: str, alignment: int, size: int) -> Request:
    """`free_aligned_sized given alignment size`."""
    return _request(Event(Function.FREE_ALIGNED_SIZED, size=size, alignment=alignment), pointer=Pointer(given))


def fill(name: str, value: int) -> Request:
    """The owner of a block fills the bytes that it asked for."""
    return _request(Event(Function.FILL, result=value), pointer=Pointer(name))


def _request(event: Event, name: str = "", pointer: Pointer | None = None) -> Request:
    return Request(Step(event, name, pointer, whole=event.function is Function.FILL))


# Accesses


def store(through: str, offset: int = 0, size: int = 8, *, at: str = "") -> Reach:
    """Store through a pointer, `offset` bytes from its own start, or from that of the block `at`.

    >>> str(store("a", 64, 1)), str(store("a", at="c"))
    ('store 1 byte of 0x41 at a+64', 'store 8 bytes of 0x41 at c, through a')
    """
    return Reach(Use.STORE, through, Pointer(at or through, offset), size)


def load(data: str, through: str, offset: int = 0, size: int = 8, *, at: str = "") -> Reach:
    """Load through a pointer, as `store`; what was loaded is called `data`."""
    return Reach(Use.LOAD, through, Pointer(at or through, offset), size, data=data)


def overflow(through: str, into: str, size: int = 8) -> Reach:
    """Store from the start of a block without a gap, until `size` bytes of another block are overwritten."""
    return Reach(Use.STORE, through, Pointer(through), size, into)


def overread(data: str, through: str, into: str, size: int = 8) -> Reach:
    """Load from the start of a block without a gap, until `size` bytes of another block are read."""
    return Reach(Use.LOAD, through, Pointer(through), size, into, data=data)


def execute(through: str) -> Reach:
    """Jump to the first bytes of a block."""
    return Reach(Use.FETCH, through, Pointer(through), 4)


def attempt(step: Reach) -> Reach:
    """The same access made in a forked child, whose end costs the attacker nothing."""
    return replace(step, is_attempt=True)


# Pointers


def narrow(name: str, of: str, size: int) -> Make:
    """A pointer to the first `size` bytes only."""
    return Make(Change.NARROW, name, of, size)


def widen(name: str, of: str, size: int) -> Make:
    """A pointer to `size` bytes, made from one to fewer."""
    return Make(Change.WIDEN, name, of, size)


def read_only(name: str, of: str) -> Make:
    """The same pointer without the rights to store."""
    return Make(Change.READ_ONLY, name, of)


def untag(name: str, of: str) -> Make:
    """The same pointer as plain data: its tag cleared."""
    return Make(Change.UNTAG, name, of)


def forge(name: str, of: str) -> Make:
    """A pointer made from the address of a block, which is all that was known."""
    return Make(Change.FORGE, name, of)


def guess(name: str, of: str, tag: int) -> Make:
    """A pointer made from the address of a block, with a tag that was guessed."""
    return Make(Change.GUESS, name, of, tag=tag)


def store_pointer(through: str, stored: str) -> Keep:
    """Store a pointer at the start of a block."""
    return Keep(through, stored=stored)


def load_pointer(loaded: str, through: str) -> Keep:
    """Load a pointer from the start of a block."""
    return Keep(through, loaded=loaded)


def churn(name: str, size: int, times: int, until: str = "") -> Churn:
    """Free a block and allocate it anew, again and again."""
    return Churn(name, size, times, until)


def host_buffer(name: str, at: str, offset: int, size: int) -> HostBuffer:
    """The host hands in the address of a block of the enclave, moved by `offset`."""
    return HostBuffer(name, Pointer(at, offset), size)
