"""A client of a heap that deals in pointers: every pointer it is given is tried where it must work, and where not."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, product
from string import ascii_lowercase
from types import ModuleType
from typing import Any, NamedTuple, cast

from capability.architecture import Access, Architecture, Pointer, UnrepresentableError
from capability.cheri.protection import Cheri
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.perms import Perms
from exercises.course.promise import BrokenPromise, StuckError, raised

BASE = 0x10000
SIZE = 1 << 19
TOP = BASE + SIZE
UNREPRESENTABLE = (
    "The exception has `granule`: base and length must both be multiples of it. Give the place back to `space`, and "
    "try again with that alignment, and the length rounded up to it: both, and then it is not refused again."
)
PATIENCE = 8
"""Refusals in one call of the heap, after which it is not going to do better."""
TWICE = "Its memory went back to `space` while it was live, or it went back twice: once for each block is enough."
MakeHeap = Callable[[Architecture, TaggedMemory, int, int], Any]


def named(architecture: Architecture) -> str:
    """A machine in few words.

    >>> named(Cheri(sweep_at=256))
    'CHERI (ISAv9 128), which sweeps once 256 bytes wait'
    """
    if isinstance(architecture, Cheri):
        late = f", which sweeps once {architecture.sweep_at} bytes wait" if architecture.sweep_at else ""
        return f"CHERI ({architecture.isa}){late}"
    kind = type(architecture).__name__
    return "a machine without protection" if kind == "Flat" else f"a machine with {kind.upper()}"


class Held(NamedTuple):
    """A block of the client's: what it is called, the pointer, the size it asked for."""

    name: str
    pointer: Pointer
    size: int


class Patient:
    """The architecture as the heap sees it: whoever asks for the same bounds for ever is stopped.

    refused: how often in this call of the heap. give_up: is told the refusal that is one too many.
    """

    def __init__(self, inner: Architecture, give_up: Callable[[UnrepresentableError], BrokenPromise]) -> None:
        self.inner = inner
        self.give_up = give_up
        self.refused = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    def derive(self, memory: TaggedMemory, base: int, size: int, perms: Perms) -> Pointer:
        """A pointer to these bytes.  Raises UnrepresentableError; BrokenPromise the PATIENCE-th time."""
        try:
            return self.inner.derive(memory, base, size, perms)
        except UnrepresentableError as error:
            self.refused += 1
            if self.refused < PATIENCE:
                raise
            raise self.give_up(error) from error


class Holder:
    """One fresh heap over an architecture, the blocks that the client holds, and the history in words."""

    def __init__(self, module: ModuleType, architecture: Architecture, size: int = SIZE) -> None:
        self.architecture = architecture
        granule = architecture.isa.format.capability_bytes if isinstance(architecture, Cheri) else 16
        self.memory = TaggedMemory(
            BASE, size, capability_granule=granule, allocation_granule=max(16, architecture.granule), page=256
        )
        self.lines = [f"on {named(architecture)}"]
        self.top = BASE + size
        self.live: list[Held] = []
        self.names = map("".join, chain(product(ascii_lowercase), product(ascii_lowercase, repeat=2)))
        make: MakeHeap = module.Heap
        self.asked = Patient(architecture, self.refused_too_often)
        self.heap = make(cast(Architecture, self.asked), self.memory, BASE, size)

    def malloc(self, size: int) -> Held | None:
        """A block, or None; the pointer to it is tried at once.  Raises BrokenPromise."""
        name = next(self.names)
        pointer = self.called(f"{name} = malloc {size}", lambda: self.heap.malloc(size))
        self.lines[-1] += f" -> {'None' if pointer is None else pointer}"
        if pointer is None:
            return None
        held = Held(name, pointer, size)
        for other in self.live:
            if pointer.address < other.pointer.address + other.size and other.pointer.address < pointer.address + size:
                raise BrokenPromise(f"{name} lies over {other.name}, which is live.", self.history(), TWICE)
        self.live.append(held)
        return held

    def must_have(self, size: int, because: str, hint: str = "") -> Held:
        """A block that the heap has to have.  Raises BrokenPromise, with a hint in place of the promise's own."""
        held = self.malloc(size)
        if held is None:
            raise BrokenPromise(f"A block of {size} bytes was refused, though {because}.", self.history(), hint)
        return held

    def free(self, held: Held) -> None:
        """Give a block up.  Raises BrokenPromise."""
        self.called(f"free {held.name}", lambda: self.heap.free(held.pointer))
        self.live.remove(held)

    def called(self, line: str, call: Callable[[], Any]) -> Any:
        """What the heap answers; its exception is a finding."""
        self.lines.append(line)
        self.asked.refused = 0
        try:
            return call()
        except (BrokenPromise, StuckError):
            raise
        except (Exception, SystemExit) as error:
            hint = UNREPRESENTABLE if isinstance(error, UnrepresentableError) else ""
            raise raised(error, self.history(), hint) from error

    def refused_too_often(self, error: UnrepresentableError) -> BrokenPromise:
        """The finding about a heap that asks for the same bounds again and again."""
        what = f"derive was refused {PATIENCE} times in one call, at last so: {error}."
        return BrokenPromise(what, self.history(), UNREPRESENTABLE)

    def allows(self, pointer: Pointer, address: int, size: int = 1, access: Access = Access.STORE) -> bool:
        """Whether the hardware would let this access pass."""
        try:
            self.architecture.check(self.memory, pointer, address, size, access)
        except Fault:
            return False
        return True

    def history(self) -> list[str]:
        """What has happened, the last line marked."""
        return [*self.lines[:-1], f"{self.lines[-1]}  <- here"]

    def broken(self, happened: str) -> BrokenPromise:
        """The finding with the history."""
        return BrokenPromise(happened, self.history())
