"""The reference allocator over capabilities: it looks at whole pointers, and leaves nothing behind."""

from __future__ import annotations

from capability.architecture import Range
from capability.cheri.capability import Capability
from capability.cheri.isa import ISAV9_128, Isa
from capability.cheri.protection import Cheri
from capability.cheri.revocation import Revocation
from capability.memory import TaggedMemory
from spec.allocator import ReferenceAllocator
from spec.error import Misuse
from spec.event import FREEING, RESIZING, Event
from spec.heap import Block
from spec.judge import hands_out
from spec.policy import Policy
from spec.story import request

_TAKES = FREEING | RESIZING


class ReferenceCapabilities:
    """`spec.allocator.ReferenceAllocator` over capabilities.

    capacity, base, policy, quarantine: as the reference allocator takes them; all addresses must fit the format.
    sweep_at: bytes given up between two sweeps, 0 for a sweep at each free.

    free and realloc take a pointer exactly as it was handed out, else they raise Misuse. A block is zeroed when it is
    given up, so that no capability is left in it.

    >>> from spec.event import Function
    >>> allocator = ReferenceCapabilities(capacity=1 << 16)
    >>> reply, block = allocator.request(Event(Function.MALLOC, size=24), None)
    >>> block
    0x10000 [rwRW,0x10000-0x10020]
    >>> allocator.request(Event(Function.FREE, address=block.address), block.clear_tag())
    Traceback (most recent call last):
    spec.error.Misuse: invalid-free: free(0x10000) is handed 0x10000 [rwRW,0x10000-0x10020] (invalid) for 0x10000 [...]
    """

    def __init__(
        self,
        isa: Isa = ISAV9_128,
        *,
        policy: Policy | None = None,
        capacity: int = 1 << 22,
        base: int = 1 << 16,
        quarantine: int = 0,
        sweep_at: int = 0,
    ) -> None:
        self.isa = isa
        self.metadata: tuple[Range, ...] = ()
        self.allocator = _Scrubbing(policy, Cheri(isa, sweep_at), capacity, base, quarantine=quarantine)
        self.allocator.memory = TaggedMemory(base, capacity, capability_granule=isa.format.capability_bytes)

    @property
    def memory(self) -> TaggedMemory:
        """The arena."""
        return self.allocator.memory

    def request(self, event: Event, presented: Capability | None) -> tuple[Event, Capability | None]:
        """The reply and the capability handed out.  Raises Misuse.  Cost: as the reference allocator's."""
        if event.function in _TAKES and event.address:
            self._examine(event, presented)
        reply = self.allocator.request(event)
        if not hands_out(reply):
            return reply, None
        pointer = self.allocator.pointer(reply.result)
        assert isinstance(pointer, Capability), f"{pointer!r} is no capability"
        return reply, pointer

    def _examine(self, event: Event, presented: Capability | None) -> None:
        """Raise Misuse for a pointer to a live block that is not the one handed out; the rest is found by address."""
        block: Block | None = self.allocator.heap.live.get(event.address)
        if block is None:
            return
        issued = self.allocator.pointer(event.address)
        given = None if presented is None else self.memory.state(Revocation).current(presented)
        if given != issued:
            raise Misuse("invalid-free", f"{request(event)} is handed {given} for {issued}", event, block)


class _Scrubbing(ReferenceAllocator):
    """Zeroes a block, and so clears the tags in it, before it is given up."""

    __slots__ = ()

    def _give_up(self, block: Block, thread: int) -> None:
        self.memory.fill(block.base, block.usable, 0)
        super()._give_up(block, thread)
