# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Stacks: a bin's free slots at hand, and their way back to their slabs."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport M4_ORDER_FAULT, m4_acquire, m4_add32, m4_coarse_ms, m4_relinquish, m4_write8, memmove
from m4alloc._core.chance cimport draw
from m4alloc._core.fault cimport ORDER_DISSOLVED_COUNTED
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.slab cimport list_slab, lower_first_free, release_slab, unlist_slab
from m4alloc._core.slot cimport record_of
from m4alloc._core.types cimport FREE, NO_MISUSE, Arena, Bin, Heap, Record, Slot


cdef enum:
    NEVER = 0x4000000000000000 # calls until a sample
    TICK = 1024                # frees of a bin between two looks at the clock: one costs as much as 10 frees
    TICK_MASK = TICK * sizeof(Slot) - 1


cdef inline void list_heap(Arena *arena, Heap *heap) noexcept nogil:
    """Prepare a heap of zeroes, and list it. Wants the arena's lock."""
    cdef uint32_t c
    heap.arena = arena
    heap.scavenged_ms = m4_coarse_ms()
    heap.random = draw(&arena.random)
    for c in range(arena.bins):
        heap.bins[c].slot_size = arena.knobs.class_size[c]
        heap.bins[c].hooks = arena.class_hooks[c]
    heap.until_sample = arena.knobs.sample_rate
    heap.next_heap = arena.heaps
    arena.heaps = heap


cdef inline Heap *shared_heap(Arena *arena) noexcept nogil:
    """The heap of all threads that have no other. Wants the arena's lock, for as long as it is used.

    It takes no samples: those are unwound, which may take the loader's lock, and whoever holds that may be in a malloc that
    waits for the arena's.
    """
    cdef Heap *heap = &arena.shared
    if heap.arena == NULL:
        list_heap(arena, heap)
        heap.abandoned = 1  # no thread's, and not among those that a thread may adopt
    heap.thread = 0
    heap.until_sample = NEVER
    return heap


cdef inline bint open_bin(Arena *arena, Heap *heap, uint32_t c) noexcept nogil:
    """Give a bin its stack, delay line and quarantine at first use; False: out of memory. Takes the arena's lock."""
    cdef Bin *bin = &heap.bins[c]
    cdef uint32_t depth = arena.class_depth[c]
    cdef Slot *memory
    cdef uint64_t slots = depth + arena.class_delay[c] + arena.class_quarantine[c]
    if bin.bottom != NULL:
        return True
    m4_acquire(&arena.lock)
    memory = <Slot *>take_metadata(arena, slots * sizeof(Slot))
    m4_relinquish(&arena.lock)
    if memory == NULL:
        return False
    bin.delay = memory
    bin.delay_mask = arena.class_delay[c] * sizeof(Slot) - sizeof(Slot) if arena.class_delay[c] != 0 else 0
    heap.rings[c].slots = memory + arena.class_delay[c]
    bin.bottom = memory + arena.class_delay[c] + arena.class_quarantine[c]
    bin.top = bin.bottom
    bin.limit = bin.bottom + depth
    return True


cdef inline bint dissolve_slab(Arena *arena, Bin *bin, Record *slab) noexcept nogil:
    """Give back a slab that is wholly FREE; False: remote frees of it are counted, so it is on our list of those.

    (Then a slot was freed twice.) The count is read by an addition of 0, since a load might read an older value.
    """
    cdef bint counted
    m4_acquire(&arena.lock)
    counted = m4_add32(&slab.remote, 0) != 0 and M4_ORDER_FAULT != ORDER_DISSOLVED_COUNTED
    if not counted:
        if slab.listed:
            unlist_slab(bin, slab)
        release_slab(arena, slab)
    m4_relinquish(&arena.lock)
    return not counted


cdef inline void settle_slab(Arena *arena, Bin *bin, Record *slab) noexcept nogil:
    """After slots became FREE: list the slab, or dissolve it when it is wholly FREE and the bin has another."""
    if (slab.free_slots == slab.slots and (bin.slabs != slab or slab.next != NULL) and bin.slabs != NULL
            and not arena.keeps_slabs and dissolve_slab(arena, bin, slab)):
        return
    if slab.free_slots != 0 and not slab.listed:
        list_slab(bin, slab)


cdef inline void give_slots(Arena *arena, Bin *bin, const Slot *slots, uint64_t count) noexcept nogil:
    """Return CACHED slots of the bin to their slabs as FREE, one step for each run of one slab."""
    cdef const Slot *end = slots + count
    cdef Record *slab
    cdef uint64_t bytes
    cdef uint32_t returned
    while slots != end:
        slab = record_of(arena, slots.address).head
        bytes = <uint64_t>slab.slots * slab.slot_size
        returned = 0
        while slots != end and <uint64_t>(slots.address - slab.start) < bytes:
            m4_write8(slots.state, FREE)
            lower_first_free(slab, slots.state)
            returned += 1
            slots += 1
        slab.free_slots += returned
        settle_slab(arena, bin, slab)


cdef inline void hide_stack(Bin *bin) noexcept nogil:
    """Show the hot path an empty stack: the bin's next malloc takes the slow path. Frees push on top as ever."""
    bin.bottom = bin.top


cdef inline void show_stack(const Arena *arena, Heap *heap, Bin *bin) noexcept nogil:
    """Undo hide_stack, if it is hidden: the stack lies behind the bin's delay line and quarantine."""
    cdef uint64_t c = <uint64_t>(bin - heap.bins)
    if bin.bottom != NULL:
        bin.bottom = heap.rings[c].slots + arena.class_quarantine[c]


cdef inline void empty_stack(Arena *arena, Heap *heap, Bin *bin) noexcept nogil:
    """Return every slot on the stack to its slab."""
    cdef Slot *top = bin.top
    show_stack(arena, heap, bin)
    bin.top = bin.bottom
    give_slots(arena, bin, bin.bottom, <uint64_t>(top - bin.bottom))


cdef inline void empty_stacks(Arena *arena, Heap *heap) noexcept nogil:
    """Return every slot on every stack to its slab."""
    cdef uint32_t c
    for c in range(arena.bins):
        empty_stack(arena, heap, &heap.bins[c])


cdef inline int push_slot "m4_push_slot"(Arena *arena, Heap *heap, Bin *bin, char *address,
                                             uint8_t *state) noexcept nogil:
    """Push a CACHED slot of ours on its stack; a full stack first gives its older half back to the slabs."""
    cdef uint64_t half
    if bin.top == bin.limit:
        show_stack(arena, heap, bin)
        heap.rings[bin - heap.bins].flushes += 1
        half = <uint64_t>(bin.limit - bin.bottom) // 2
        give_slots(arena, bin, bin.bottom, half)
        memmove(bin.bottom, bin.bottom + half, (<uint64_t>(bin.limit - bin.bottom) - half) * sizeof(Slot))
        bin.top -= half
    bin.top.address = address
    bin.top.state = state
    bin.top += 1
    return NO_MISUSE
