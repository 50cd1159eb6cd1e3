"""The seam log: what an attack asks of memory protection, one entry a question, with every address filled in.

Placement never looks at a tag. So an attack asks the same questions of the hardware whatever tags are drawn, and its
log can be taken down once (`record`) and played as often as there are draws to try. Playing an entry is the model's own
code, `Architecture.derive`, `check` and `retire`, on a memory of its own.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from capability.architecture import Access, Architecture, Pointer
from capability.fault import Fault
from capability.memory import TaggedMemory
from capability.perms import Perms
from spec.attacks.pointers import changed, examine, load_pointer, store_pointer, visible_tag
from spec.attacks.step import Make
from spec.error import Misuse


class State:
    """A machine in the middle of an attack: its memory, the pointers by number, and what the attacker has learnt.

    data: the bytes loaded so far, by name. skip: entries before this index are passed over. fault: of an attempt that
    failed, and its step.
    """

    __slots__ = ("data", "fault", "memory", "pointers", "skip")

    def __init__(self, memory: TaggedMemory) -> None:
        self.memory = memory
        self.pointers: dict[int, Pointer] = {}
        self.data: dict[str, bytes] = {}
        self.skip = 0
        self.fault: tuple[int, Fault] | None = None

    def copy(self) -> State:
        """An independent copy.  Cost: O(bytes and tags in use)."""
        twin = State(self.memory.copy())
        twin.pointers, twin.data = dict(self.pointers), dict(self.data)
        twin.skip, twin.fault = self.skip, self.fault
        return twin


class Entry(Protocol):
    """One question.

    step: the index of the attack's step that asks it. uses: the numbers of the pointers that it needs. gives: that of
    the pointer that it makes, 0 for none.
    """

    @property
    def step(self) -> int: ...
    @property
    def uses(self) -> tuple[int, ...]: ...
    @property
    def gives(self) -> int: ...

    def play(self, state: State, architecture: Architecture) -> None:
        """Ask it.  Raises Fault, Misuse: the attack is caught here."""


class Derived(NamedTuple):
    """The allocator derives pointer `number` for a block that it hands out."""

    step: int
    number: int
    base: int
    size: int
    perms: Perms

    @property
    def uses(self) -> tuple[int, ...]:
        return ()

    @property
    def gives(self) -> int:
        return self.number

    def play(self, state: State, architecture: Architecture) -> None:
        state.pointers[self.number] = architecture.derive(state.memory, self.base, self.size, self.perms)


class Retired(NamedTuple):
    """The allocator retires a pointer; None completes what is pending."""

    step: int
    number: int | None

    @property
    def uses(self) -> tuple[int, ...]:
        return () if self.number is None else (self.number,)

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        architecture.retire(state.memory, None if self.number is None else state.pointers[self.number])


class Examined(NamedTuple):
    """Free or realloc compares the pointer it was given with the one it issued for the live block at `address`."""

    step: int
    given: int
    issued: int
    address: int

    @property
    def uses(self) -> tuple[int, ...]:
        return self.given, self.issued

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        pointers = state.pointers
        examine(architecture, state.memory, pointers[self.given], pointers[self.issued], self.address)


class Refused(NamedTuple):
    """The allocator, or the bridge of an enclave, refuses: the attack ends here."""

    step: int
    by: str
    kind: str
    message: str

    @property
    def uses(self) -> tuple[int, ...]:
        return ()

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        raise RefusedError(self)


class RefusedError(Exception):
    """A refusal that needs no hardware; `refusal` says whose."""

    def __init__(self, refusal: Refused) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class Filled(NamedTuple):
    """The allocator itself stores bytes (calloc)."""

    step: int
    address: int
    size: int
    value: int

    @property
    def uses(self) -> tuple[int, ...]:
        return ()

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        state.memory.fill(self.address, self.size, self.value)


class Moved(NamedTuple):
    """The allocator itself copies a block (realloc)."""

    step: int
    target: int
    source: int
    size: int

    @property
    def uses(self) -> tuple[int, ...]:
        return ()

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        state.memory.move(self.target, self.source, self.size)


class Accessed(NamedTuple):
    """A client's access: checked, and then made. value: what a store stores. data: what the bytes loaded are called."""

    step: int
    through: int
    address: int
    size: int
    access: Access
    value: int = 0
    data: str = ""
    is_attempt: bool = False

    @property
    def uses(self) -> tuple[int, ...]:
        return (self.through,)

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        pointer = state.pointers[self.through]
        try:
            architecture.check(state.memory, pointer, self.address, self.size, self.access)
        except Fault as fault:
            if not self.is_attempt:
                raise
            state.fault = self.step, fault
            return
        if self.access is Access.STORE:
            state.memory.fill(self.address, self.size, self.value)
        elif self.access is Access.LOAD:
            state.data[self.data] = state.memory.load(self.address, self.size)


class Made(NamedTuple):
    """The client makes pointer `number` from another one, or from an address."""

    step: int
    number: int
    make: Make
    of: int
    address: int

    @property
    def uses(self) -> tuple[int, ...]:
        return (self.of,)

    @property
    def gives(self) -> int:
        return self.number

    def play(self, state: State, architecture: Architecture) -> None:
        state.pointers[self.number] = changed(self.make, state.pointers[self.of], self.address, architecture)


class Stored(NamedTuple):
    """The client stores a pointer in memory."""

    step: int
    through: int
    address: int
    stored: int

    @property
    def uses(self) -> tuple[int, ...]:
        return self.through, self.stored

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        pointers = state.pointers
        store_pointer(architecture, state.memory, pointers[self.through], self.address, pointers[self.stored])


class Loaded(NamedTuple):
    """The client loads pointer `number` from memory, hoping for pointer `stored`; where it finds none, it gives up."""

    step: int
    number: int
    through: int
    address: int
    stored: int

    @property
    def uses(self) -> tuple[int, ...]:
        return self.through, self.stored

    @property
    def gives(self) -> int:
        return self.number

    def play(self, state: State, architecture: Architecture) -> None:
        pointers = state.pointers
        through, stored = pointers[self.through], pointers[self.stored]
        found = load_pointer(architecture, state.memory, through, self.address, stored)
        if found is None:
            state.skip = END
        else:
            pointers[self.number] = found


class Watched(NamedTuple):
    """The attacker compares the tags that two pointers show, and goes on with entry `skip` if they agree."""

    step: int
    one: int
    other: int
    skip: int

    @property
    def uses(self) -> tuple[int, ...]:
        return self.one, self.other

    @property
    def gives(self) -> int:
        return 0

    def play(self, state: State, architecture: Architecture) -> None:
        if visible_tag(state.pointers[self.one]) == visible_tag(state.pointers[self.other]):
            state.skip = self.skip


END = 1 << 60
"""An index behind every log."""
DRAWING = (Derived, Retired)
"""The entries in which a tag or a version may be drawn."""


NOTICING = (Examined, Accessed, Stored, Loaded, Watched)
"""The entries in which it matters what was drawn."""
CAUGHT = (Fault, Misuse, RefusedError)
"""What playing an entry raises when the attack is caught in it."""
