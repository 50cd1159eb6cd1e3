"""Goals: what an attack has achieved when nothing stopped it, as a test of the machine that it leaves behind."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from capability.architecture import Pointer
from spec.attacks.pointers import exceeds
from spec.attacks.seam import State
from spec.attacks.step import EVIL, SECRET
from spec.event import Event


class Held(NamedTuple):
    """What a name stands for at the end: a pointer by number, the block it was given for, and the reply.

    value: the byte that the owner filled the block with; None when it did not. is_live: nobody has freed the block.
    """

    number: int
    address: int
    size: int
    usable: int
    reply: Event
    value: int | None = None
    is_live: bool = True


class Ending(NamedTuple):
    """The end of an attack: what its names stand for, and the machine."""

    names: dict[str, Held]
    state: State

    def pointer(self, name: str) -> Pointer:
        return self.state.pointers[self.names[name].number]


class Goal(Protocol):
    """One way to succeed. text: in words, as what follows "success is that". names: the pointers it asks about."""

    @property
    def text(self) -> str: ...
    @property
    def names(self) -> tuple[str, ...]: ...
    def is_reached(self, end: Ending) -> bool: ...


class Overwritten(NamedTuple):
    """A live block no longer holds what its owner filled it with."""

    block: str

    @property
    def text(self) -> str:
        return f"the contents of {self.block} have changed under its owner"

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        held = end.names[self.block]
        found = end.state.memory.load(held.address, held.size)
        return held.value is not None and found != bytes((held.value,)) * held.size


class Leaked(NamedTuple):
    """Bytes that were loaded hold the secret."""

    data: str

    @property
    def text(self) -> str:
        return f"{self.data} holds bytes of the secret"

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        return SECRET in end.state.data.get(self.data, b"")


class Written(NamedTuple):
    """What the attacker stored is in memory, `offset` bytes from where a block was."""

    block: str
    offset: int = 0

    @property
    def text(self) -> str:
        return f"the attacker's bytes are in memory at {self.block}{f'+{self.offset}' if self.offset else ''}"

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        return end.state.memory.load(end.names[self.block].address + self.offset, 1) == bytes((EVIL,))


class Shared(NamedTuple):
    """Two owners, each of whom has a block and has not freed it, share bytes."""

    one: str
    other: str

    @property
    def text(self) -> str:
        return f"{self.one} and {self.other} share memory"

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        one, other = end.names[self.one], end.names[self.other]
        served = bool(one.reply.result and other.reply.result)
        return served and one.address < other.address + other.usable and other.address < one.address + one.usable


class BoundsOverlap(NamedTuple):
    """The bounds of two pointers to live blocks share addresses."""

    one: str
    other: str

    @property
    def text(self) -> str:
        return f"the bounds of {self.one} and {self.other} overlap"

    @property
    def names(self) -> tuple[str, ...]:
        return self.one, self.other

    def is_reached(self, end: Ending) -> bool:
        one, other = end.pointer(self.one), end.pointer(self.other)
        return one.base < other.top and other.base < one.top


class Gained(NamedTuple):
    """A pointer is valid and allows what an earlier one did not."""

    pointer: str
    over: str

    @property
    def text(self) -> str:
        return f"{self.pointer} is valid and allows what {self.over} did not"

    @property
    def names(self) -> tuple[str, ...]:
        return self.pointer, self.over

    def is_reached(self, end: Ending) -> bool:
        return exceeds(end.pointer(self.pointer), end.pointer(self.over), end.state.memory)


class Served(NamedTuple):
    """A request was granted."""

    block: str

    @property
    def text(self) -> str:
        return f"the request for {self.block} is granted"

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        return end.names[self.block].reply.result != 0


class Freed(NamedTuple):
    """A block is no longer live."""

    block: str

    @property
    def text(self) -> str:
        return f"{self.block} is freed"

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        return not end.names[self.block].is_live


class Accepted(NamedTuple):
    """Nothing stopped it: that the step was carried out at all is the success."""

    text: str

    @property
    def names(self) -> tuple[str, ...]:
        return ()

    def is_reached(self, end: Ending) -> bool:
        return True
