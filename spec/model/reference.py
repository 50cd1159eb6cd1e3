"""The reference allocator itself as a transition system: what is checked is the specification, not a drawing of it.

A state is a whole allocator, told from others by its canonical key: blocks renamed, history dropped. Clients are
correct and otherwise unpredictable; every choice that the placement policy leaves open is a step of its own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from capability.architecture import Pointer
from capability.fault import Fault
from spec.allocator import ReferenceAllocator, candidates, step
from spec.error import Misuse
from spec.event import Event, Function
from spec.ltl.word import Letter
from spec.model.system import Step


class Tracked(Enum):
    """What has become of the block that propositions speak of."""

    UNBORN = "not handed out yet"
    LIVE = "live"
    DEAD = "freed"


@dataclass(frozen=True, slots=True)
class HeapState:
    """An allocator, the block that is followed in it, and the letter of the step that led here.

    base: address of the followed block, 0 before there is one. pointer: what the client still has to it after its free.
    Two states are equal when `key` is: the allocators answer every request to come alike.
    """

    key: Hashable
    allocator: ReferenceAllocator = field(compare=False, repr=False)
    tracked: Tracked = field(default=Tracked.UNBORN, compare=False)
    base: int = field(default=0, compare=False)
    pointer: Pointer | None = field(default=None, compare=False, repr=False)
    raised: Letter = field(default=frozenset(), compare=False)


class ReferenceSystem:
    """Every run of a reference allocator with a client that makes these requests in any order.

    allocator: in its initial state; it is not changed. sizes: bytes that are asked for. blocks: that a client holds at
    a time, at most. resize: whether it reallocates. stale: whether it also uses the followed block after its free, and
    frees it again. One block, any one, is followed from its malloc on; its events are the propositions malloc, access
    and free; `fault` is true of an access that the architecture stopped, `misuse` of a free that the allocator refused.
    An event's state has one successor, the idle step (as in `spec.model.program`).
    Cost: a step copies the allocator.

    >>> from spec.policy import Anywhere
    >>> system = ReferenceSystem(ReferenceAllocator(Anywhere(), capacity=32, base=0x1000), sizes=[16])
    >>> start, = system.initial()
    >>> for taken, _ in system.successors(start):
    ...     print(taken.text)
    malloc(16) returns 0x1000
    malloc(16) returns 0x1000, the block that is followed
    malloc(16) returns 0x1010
    malloc(16) returns 0x1010, the block that is followed
    """

    processes = ("client",)

    def __init__(
        self,
        allocator: ReferenceAllocator,
        sizes: Sequence[int],
        blocks: int = 2,
        *,
        resize: bool = False,
        stale: bool = False,
    ) -> None:
        if not sizes or blocks < 1:
            raise ValueError(
                f"sizes {list(sizes)} and {blocks} blocks: a client asks for something and holds something"
            )
        self.allocator = allocator
        self.sizes = tuple(sizes)
        self.blocks = blocks
        self.resize = resize
        self.stale = stale

    def initial(self) -> Iterator[HeapState]:
        """The allocator as it was given, with no block followed."""
        yield _state(self.allocator.copy(), Tracked.UNBORN, 0, None, frozenset())

    def successors(self, state: HeapState) -> Iterator[tuple[Step, HeapState]]:
        """Each request of the client, with each choice of the allocator."""
        if state.raised:
            yield Step(-1, "idle"), _state(state.allocator, state.tracked, state.base, state.pointer, frozenset())
            return
        if len(state.allocator.heap.live) < self.blocks:
            for size in self.sizes:
                yield from self._mallocs(state, size)
        for base in list(state.allocator.heap.live):
            yield from self._frees(state, base)
            if self.resize:
                for size in self.sizes:
                    yield from self._resizes(state, base, size)
        if state.tracked is Tracked.LIVE:
            yield self._access(state)
        if self.stale and state.tracked is Tracked.DEAD:
            yield self._stale_access(state)
            yield self._stale_free(state)

    def letter(self, state: HeapState) -> Letter:
        """The propositions that the last step raised."""
        return state.raised

    def ended(self, state: HeapState) -> bool:
        """Whether a client may stop here: anywhere."""
        return True

    def show(self, state: HeapState) -> str:
        """The live blocks, and the block that is followed."""
        live = ", ".join(f"{block.base:#x}+{block.size}" for block in state.allocator.heap.live.values())
        followed = f"{state.base:#x} {state.tracked.value}" if state.base else "no block followed"
        return f"live [{live}] {followed}" + (f" {'&'.join(sorted(state.raised))}" if state.raised else "")

    def _mallocs(self, state: HeapState, size: int) -> Iterator[tuple[Step, HeapState]]:
        request = Event(Function.MALLOC, size=size)
        for choice in candidates(state.allocator, request):
            after, reply = step(state.allocator, request, choice or None)
            result = f"{reply.result:#x}" if reply.result else "NULL"
            text = f"malloc({size}) returns {result}"
            yield Step(0, text), _state(after, state.tracked, state.base, state.pointer, frozenset())
            if reply.result and state.tracked is Tracked.UNBORN:
                followed = _state(after, Tracked.LIVE, reply.result, None, frozenset({"malloc"}))
                yield Step(0, f"{text}, the block that is followed"), followed

    def _frees(self, state: HeapState, base: int) -> Iterator[tuple[Step, HeapState]]:
        after, _ = step(state.allocator, Event(Function.FREE, address=base))
        yield Step(0, f"free({base:#x})"), self._given_up(state, base, after)

    def _resizes(self, state: HeapState, base: int, size: int) -> Iterator[tuple[Step, HeapState]]:
        """A block that moves is another one from then on: the followed one has been freed."""
        request = Event(Function.REALLOC, address=base, size=size)
        for choice in candidates(state.allocator, request):
            after, reply = step(state.allocator, request, choice or None)
            text = f"realloc({base:#x}, {size}) returns {reply.result:#x}"
            if reply.result in (0, base):
                yield Step(0, text), _state(after, state.tracked, state.base, state.pointer, frozenset())
            else:
                yield Step(0, text), self._given_up(state, base, after)

    def _given_up(self, state: HeapState, base: int, after: ReferenceAllocator) -> HeapState:
        if state.tracked is not Tracked.LIVE or base != state.base:
            return _state(after, state.tracked, state.base, state.pointer, frozenset())
        pointer = state.allocator.pointer(base) if self.stale else None
        return _state(after, Tracked.DEAD, base, pointer, frozenset({"free"}))

    def _access(self, state: HeapState) -> tuple[Step, HeapState]:
        after = state.allocator.copy()
        after.request(Event(Function.LOAD, address=state.base, size=1))
        raised = frozenset({"access"})
        return Step(0, f"load from {state.base:#x}"), _state(after, state.tracked, state.base, None, raised)

    def _stale_access(self, state: HeapState) -> tuple[Step, HeapState]:
        """A load through the pointer that the client kept; the architecture may see it now or later, or never."""
        assert state.pointer is not None
        after, raised = state.allocator.copy(), {"access"}
        try:
            after.access(Event(Function.LOAD, address=state.base, size=1), state.pointer)
            after.memory.synchronise()
        except Fault:
            raised.add("fault")
        text = f"load from {state.base:#x} after its free"
        return Step(0, text), _state(after, state.tracked, state.base, state.pointer, frozenset(raised))

    def _stale_free(self, state: HeapState) -> tuple[Step, HeapState]:
        """A second free. The allocator can only know that no live block is there; another one may be by now."""
        raised = {"free"}
        after = state.allocator
        try:
            after, _ = step(state.allocator, Event(Function.FREE, address=state.base))
        except Misuse:
            raised.add("misuse")
        text = f"free({state.base:#x}) again"
        return Step(0, text), _state(after, state.tracked, state.base, state.pointer, frozenset(raised))


def _state(
    allocator: ReferenceAllocator, tracked: Tracked, base: int, pointer: Pointer | None, raised: Letter
) -> HeapState:
    """The state with its key. Where the followed block lay does not matter once it is dead and cannot be used."""
    place = base if tracked is Tracked.LIVE or pointer is not None else 0
    return HeapState((allocator.key(), tracked, place, pointer, raised), allocator, tracked, base, pointer, raised)
