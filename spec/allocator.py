"""The reference allocator: the whole malloc family over any placement policy and any architecture.

It is one generator of replies that the contract admits, written to be read. Metadata is all out of band, the arena
is one range, and each free is retired with the architecture before the quarantine lets it be reused.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from errno import EINVAL, ENOMEM

from capability.architecture import Access, Architecture, Pointer, Range, UnrepresentableError
from capability.fault import Fault
from capability.flat import Flat, FlatPointer
from capability.memory import TaggedMemory
from capability.perms import DATA
from capability.word import align_up, is_power_of_two
from spec.error import Bug, Misuse
from spec.event import ACCESSING, ALLOCATING, FREEING, RESIZING, Event, Function
from spec.free import FreeRanges
from spec.heap import Block, Heap
from spec.policy import PAGE, UNIT, FirstFit, Policy
from spec.quarantine import Quarantine
from spec.story import death, inside, life, request, when

POINTER_BYTES = 8


class ReferenceAllocator:
    """Serves one request after another; every reply is one that the contract admits.

    All the standards admit it, but for one: realloc of a block to zero bytes is as in the GNU C library. It frees the
    block and returns NULL without an error, of which POSIX.1-2024, where it is chosen without glibc, wants EINVAL.

    capacity, base: the arena is [base, base + capacity), both multiples of 16 and of the architecture's granule.
    quarantine: how many other blocks of its size class (its usable size) are freed before a block is reused.
    page: how many bytes the memory allocates at once; the capacity itself makes `memory.view` work for every block.

    >>> allocator = ReferenceAllocator(capacity=1 << 16)
    >>> allocator.request(Event(Function.CALLOC, size=8, count=5))[:10]
    (<Function.CALLOC: 2>, 0, 0, 8, 5, 0, 4294967296, 0, 48, 40)
    >>> allocator.request(Event(Function.FREE, address=0x100000008))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    spec.error.Misuse: interior-free: free(0x100000008) at event 2 names 8 bytes into block #1 (40 bytes at ...
    """

    __slots__ = (
        "_clock",
        "_fits",
        "_pointers",
        "_stale",
        "architecture",
        "free",
        "heap",
        "memory",
        "policy",
        "quarantine",
    )

    def __init__(
        self,
        policy: Policy | None = None,
        architecture: Architecture | None = None,
        capacity: int = 1 << 30,
        base: int = 1 << 32,
        *,
        quarantine: int = 0,
        page: int = PAGE,
    ) -> None:
        self.policy: Policy = FirstFit() if policy is None else policy
        self.architecture: Architecture = Flat() if architecture is None else architecture
        unit = max(UNIT, self.architecture.granule)
        if capacity < 0 or base < unit or capacity % unit or base % unit:
            raise ValueError(f"arena of {capacity} bytes at {base:#x}: multiples of {unit}, and base at least {unit}")
        self.heap = Heap()
        self.free = FreeRanges(base, base + capacity)
        self.quarantine = Quarantine(quarantine)
        self.memory = TaggedMemory(base, capacity, allocation_granule=unit, page=page)
        self._pointers: dict[int, Pointer] = {}
        self._stale: dict[int, Pointer] = {}
        self._fits: dict[tuple[int, int], tuple[int, int]] = {}
        self._clock = 0

    # What a client asks

    def request(self, event: Event, choice: int | None = None) -> Event:
        """The same event with its reply: result, errno, and the usable size and evidence where they are known.

        choice: the address to take instead of the policy's; one of `candidates(event)`. For a load, store or fill it
        is ignored.  Raises Misuse, with nothing changed, and Fault from the architecture.
        Cost: O(log n) and the bytes zeroed, copied or accessed.
        """
        self._clock += 1
        return _SERVED[event.function](self, event, choice)

    def candidates(self, event: Event) -> list[int]:
        """The results that the allocator may choose among for this request; [0] where it has no choice.

        Cost: as `Policy.candidates`; with nothing free, that of a copy.  Raises Misuse.
        """
        old = self._block(event) if event.address and event.function in RESIZING else None
        asks = event.function in ALLOCATING or event.function in RESIZING
        size = _size(event)
        if not asks or _refusal(event) or size > self.memory.top - self.memory.base or (old and size == 0):
            return [0]
        usable, alignment = self._fit(size, _alignment(event))
        if old and old.usable == usable:
            return [old.base]
        found = self.policy.candidates(self.free, usable, alignment)
        if not found:
            relieved = self.copy()
            if relieved._relieve():
                found = relieved.policy.candidates(relieved.free, usable, alignment)
        return found or [0]

    def pointer(self, address: int) -> Pointer:
        """The pointer a client has for `address`: into the live block there, else into the last freed one.

        Where no block ever was, a pointer made from an integer.  Cost: O(log n); O(frees) outside live blocks.
        """
        block = self.heap.lookup(address)
        grave = self.heap.grave(address) if block is None else None
        found = self._pointers[block.base] if block else self._stale[grave.block.base] if grave else None
        return FlatPointer(address, address, address) if found is None else found

    def access(self, event: Event, pointer: Pointer) -> Event:
        """Serve a load, store or fill through `pointer`, if the architecture lets it.

        A fill writes the byte in the event's result; so does a store, whose data no event holds.
        Raises Fault.
        """
        access = Access.LOAD if event.function is Function.LOAD else Access.STORE
        self.architecture.check(self.memory, pointer, event.address, event.size, access)
        if access is Access.STORE:
            self.memory.fill(event.address, event.size, event.result)
        return event

    # What the functions do

    def _allocating(self, event: Event, choice: int | None) -> Event:
        refused = _refusal(event)
        if refused:
            return event._replace(result=0, errno=refused)
        block = self._hand_out(event, choice)
        if block is None:
            return event._replace(result=0, errno=ENOMEM)
        if event.function is not Function.CALLOC:
            return event._replace(result=block.base, errno=0, usable=block.usable)
        self.memory.fill(block.base, block.usable, 0)
        intact = self.memory.leading_zeros(block.base, block.size)
        return event._replace(result=block.base, errno=0, usable=block.usable, intact=intact)

    def _resizing(self, event: Event, choice: int | None) -> Event:
        if event.address == 0:
            return self._allocating(event, choice)
        old = self._block(event)
        size = event.request_size
        if size == 0:
            self._give_up(old, event.thread)
            return event._replace(result=0, errno=0)
        kept = min(size, old.size)
        if size <= old.usable and self._fit(size, 0)[0] == old.usable:
            self.heap.resize(old.base, size=size, usable=old.usable)
            return event._replace(result=old.base, errno=0, usable=old.usable, intact=kept)
        block = self._hand_out(event, choice)
        if block is None:
            return event._replace(result=0, errno=ENOMEM, intact=old.size)
        self.memory.move(block.base, old.base, min(block.usable, old.usable))
        intact = kept if self.memory.load(block.base, kept) == self.memory.load(old.base, kept) else 0
        self._give_up(old, event.thread)
        return event._replace(result=block.base, errno=0, usable=block.usable, intact=intact)

    def _freeing(self, event: Event, choice: int | None) -> Event:
        if event.address:
            block = self._block(event)
            self._check_size(event, block)
            self._give_up(block, event.thread)
        return event._replace(result=0, errno=0)

    def _measuring(self, event: Event, choice: int | None) -> Event:
        return event._replace(result=self._block(event).usable if event.address else 0, errno=0)

    def _accessing(self, event: Event, choice: int | None) -> Event:
        return self.access(event, self.pointer(event.address))

    def _labelled(self, event: Event, choice: int | None) -> Event:
        return event

    # How blocks come and go

    def _hand_out(self, event: Event, choice: int | None) -> Block | None:
        """A new live block, or None when no memory is left for it."""
        size = _size(event)
        if size > self.memory.top - self.memory.base:
            return None
        usable, unit = self._fit(size, _alignment(event))
        base = self._place(usable, unit, choice)
        if base is None:
            return None
        self.free.take(base, usable)
        self._pointers[base] = self.architecture.derive(self.memory, base, usable, DATA)
        named = event.alignment if event.function in _ALIGNED else 0
        return self.heap.insert(Block(base, event.request_size, usable, named, 0, event.thread, self._clock))

    def _place(self, usable: int, alignment: int, choice: int | None) -> int | None:
        if choice:
            if not self.free.contains(choice, usable):
                self._relieve()
            if choice % alignment or not self.free.contains(choice, usable):
                raise ValueError(f"{choice:#x} is no candidate: {usable} bytes, aligned to {alignment}, are not free")
            return choice
        base = self.policy.place(self.free, usable, alignment)
        if base is None and self._relieve():
            base = self.policy.place(self.free, usable, alignment)
        return base

    def _give_up(self, block: Block, thread: int) -> None:
        """Retire the block's pointer, and bury the block until it may be reused."""
        pointer = self._stale[block.base] = self._pointers.pop(block.base)
        done = self.architecture.retire(self.memory, pointer)
        self.heap.settle(self.heap.remove(block.base, self._clock, thread))
        self._release(self.quarantine.bury(block.base, block.usable, done.reusable))

    def _relieve(self) -> bool:
        """Out of memory: have the architecture complete what it put off; true if that freed anything."""
        released = self.quarantine.retired(self.architecture.retire(self.memory, None).reusable)
        self._release(released)
        return bool(released)

    def _release(self, ranges: list[Range]) -> None:
        for base, top in ranges:
            self.free.give(base, top - base)

    def _fit(self, size: int, alignment: int) -> tuple[int, int]:
        """The usable size for a request and the alignment of its address, both as the architecture can represent them.

        The policy's rounding and the architecture's are repeated until neither changes the size.  Cost: O(1), cached.
        """
        found = self._fits.get((size, alignment))
        if found is not None:
            return found
        usable, unit = size, max(UNIT, alignment)
        while True:
            usable = self.policy.usable(usable, unit)
            granule = self._granule(usable)
            if usable % granule == 0 and granule <= unit:
                break
            usable, unit = align_up(usable, granule), max(unit, granule)
        if len(self._fits) >= _FITS_KEPT:
            self._fits.clear()
        self._fits[size, alignment] = usable, unit
        return usable, unit

    def _granule(self, size: int) -> int:
        """What the base and the length of a block of `size` bytes must be multiples of, found by asking."""
        granule = self.architecture.granule
        while True:
            try:
                self.architecture.derive(TaggedMemory(), granule, align_up(size, granule), DATA)
            except UnrepresentableError as refusal:
                if refusal.granule <= granule:
                    raise Bug(f"{self.architecture} refuses what it asked for: {refusal}") from refusal
                granule = refusal.granule
            else:
                return granule

    # Misuse

    def _block(self, event: Event) -> Block:
        """The live block that starts at the event's address.  Raises Misuse."""
        block: Block | None = self.heap.live.get(event.address)
        if block is not None:
            return block
        raise self._stray(event)

    def _stray(self, event: Event) -> Misuse:
        """What it is called to hand in an address that is no live block's."""
        address = event.address
        gives_up = event.function is not Function.USABLE_SIZE
        block = self.heap.lookup(address)
        if block is not None:
            kind = "interior-free" if gives_up else "out-of-bounds"
            return self._misuse(kind, event, f"names {inside(address, block)}, {life(block)}", block)
        grave = self.heap.grave(address)
        if grave is None:
            kind = "invalid-free" if gives_up else "out-of-bounds"
            return self._misuse(kind, event, "names no address inside any block", None)
        kind = "use-after-free"
        if gives_up:
            kind = "double-free" if address == grave.block.base else "invalid-free"
        return self._misuse(kind, event, f"names {inside(address, grave.block)}, {death(grave)}", grave.block)

    def _check_size(self, event: Event, block: Block) -> None:
        """A sized free names the size that was requested, and the alignment if any.  Raises Misuse."""
        if event.function in _SIZED and (event.size, event.alignment) != (block.size, block.alignment):
            what = f"names {event.size} bytes aligned to {event.alignment} for {block} aligned to {block.alignment}"
            raise self._misuse("size-mismatch", event, what, block)
        if event.function is Function.DELETE and event.size not in (0, block.size):
            raise self._misuse("size-mismatch", event, f"names {event.size} bytes for {block}", block)

    def _misuse(self, kind: str, event: Event, what: str, block: Block | None) -> Misuse:
        return Misuse(kind, f"{request(event)} at {when(self._clock, event.thread)} {what}", event, block)

    # The state as a value

    def copy(self) -> ReferenceAllocator:
        """An independent allocator in the same state.  Cost: O(n + bytes in use)."""
        twin = ReferenceAllocator(self.policy, self.architecture, 0, self.free.base)
        twin.heap = self.heap.copy()
        twin.free = self.free.copy()
        twin.quarantine = self.quarantine.copy()
        twin.memory = self.memory.copy()
        twin._pointers = dict(self._pointers)
        twin._stale = dict(self._stale)
        twin._fits = self._fits
        twin._clock = self._clock
        return twin

    def key(self) -> Hashable:
        """A value equal for two states that answer every request for live blocks alike: names and history dropped.

        Cost: O(n + bytes in use).
        """
        pointers = tuple(self._pointers[base] for base in self.heap.live)
        return self.heap.key(), self.free.key(), self.quarantine.key(), pointers, self.memory.key()

    def check(self) -> None:
        """Raise Bug unless every invariant holds: each byte of the arena is live, quarantined or free, and only one.

        Live blocks are aligned, and the architecture lets their pointers reach every byte of them.  Cost: O(n log n).
        """
        for part in (self.heap, self.free, self.quarantine, self.memory):
            part.check()
        live = [Range(block.base, block.base + block.usable) for block in self.heap.live.values()]
        owned = sorted([*live, *self.quarantine, *self.free])
        reached = self.free.base
        for base, top in owned:
            if base != reached:
                raise Bug(f"the arena's bytes from {reached:#x} to {base:#x} are lost or owned twice")
            reached = top
        if reached != self.free.top:
            raise Bug(f"the arena ends at {self.free.top:#x}, but what is owned ends at {reached:#x}")
        for block in self.heap.live.values():
            if block.base % max(UNIT, self.architecture.granule, block.alignment):
                raise Bug(f"{block} is not aligned to {block.alignment}")
            pointer = self._pointers[block.base]
            try:
                self.architecture.check(self.memory, pointer, block.base, block.usable, Access.STORE)
            except Fault as fault:
                raise Bug(f"{block} cannot be used through {pointer!r}: {fault}") from fault


def candidates(state: ReferenceAllocator, event: Event) -> list[int]:
    """The choices that `step` may be given for this request; never empty.  Raises Misuse."""
    return state.candidates(event)


def step(state: ReferenceAllocator, event: Event, choice: int | None = None) -> tuple[ReferenceAllocator, Event]:
    """The state after one request, and the reply; `state` itself is left as it is.

    choice: one of `candidates(state, event)`; None is the policy's own.  Raises Misuse, Fault.
    Cost: O(n + bytes in use): the state is copied.

    >>> from spec.policy import Anywhere
    >>> empty = ReferenceAllocator(Anywhere(), capacity=48, base=0x1000)
    >>> request = Event(Function.MALLOC, size=32)
    >>> [hex(step(empty, request, choice)[1].result) for choice in candidates(empty, request)]
    ['0x1000', '0x1010']
    """
    after = state.copy()
    return after, after.request(event, choice)


def _size(event: Event) -> int:
    """The bytes that the block must hold: those requested, in whole pages for pvalloc."""
    return align_up(event.request_size, PAGE) if event.function is Function.PVALLOC else event.request_size


def _alignment(event: Event) -> int:
    """The alignment that the request names, 0 for none."""
    if event.function in _PAGED:
        return PAGE
    return event.alignment if event.function in _ALIGNED else 0


def _refusal(event: Event) -> int:
    """The errno for arguments that no allocator may accept, 0 when they are in order."""
    alignment = event.alignment
    if event.function in _ALIGNED and not is_power_of_two(alignment):
        return 0 if event.function is Function.NEW and alignment == 0 else EINVAL
    return EINVAL if event.function is Function.POSIX_MEMALIGN and alignment % POINTER_BYTES else 0


_PAGED = frozenset({Function.VALLOC, Function.PVALLOC})
_ALIGNED = frozenset({Function.ALIGNED_ALLOC, Function.MEMALIGN, Function.POSIX_MEMALIGN, Function.NEW})
_SIZED = frozenset({Function.FREE_SIZED, Function.FREE_ALIGNED_SIZED})
_FITS_KEPT = 1 << 16

_Serve = Callable[[ReferenceAllocator, Event, int | None], Event]
_SERVED: dict[Function, _Serve] = {
    **dict.fromkeys(ALLOCATING, ReferenceAllocator._allocating),
    **dict.fromkeys(RESIZING, ReferenceAllocator._resizing),
    **dict.fromkeys(FREEING, ReferenceAllocator._freeing),
    **dict.fromkeys(ACCESSING, ReferenceAllocator._accessing),
    Function.USABLE_SIZE: ReferenceAllocator._measuring,
    Function.LABEL: ReferenceAllocator._labelled,
}
