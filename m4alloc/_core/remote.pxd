# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Remote frees: what a thread frees of others' slots waits in a line of its own, and then goes to the owners in batches.

The state array is the message: the freeing thread marks slots REMOTE and queues their slab, the owner looks for REMOTE
states eight at a time. No other line of memory goes from one processor to the other.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (M4_FAULT, m4_acquire, m4_add32, m4_errno, m4_exchange_pointer, m4_load_pointer,
                              m4_relinquish, m4_set_errno, m4_swap8, m4_swap_pointer)
from m4alloc._core.fault cimport FAULT_REMOTE_FREE_LOST
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_racing_free
from m4alloc._core.slab cimport note_free
from m4alloc._core.slot cimport record_of
from m4alloc._core.stack cimport settle_slab
from m4alloc._core.types cimport DELAYED, FREE, NO_MISUSE, REMOTE, Arena, Heap, Record, Ring, Slot


cdef inline void queue_slab(Record *slab) noexcept nogil:
    """Push a slab on its owner's list of slabs with remote frees."""
    cdef Heap *owner = slab.owner
    cdef void *first = m4_load_pointer(<void **>&owner.remote)
    while True:
        slab.remote_next = <Record *>first
        if m4_swap_pointer(<void **>&owner.remote, &first, slab):
            return


cdef inline uint32_t publish_run(Record *slab, Slot *slots, uint32_t length) noexcept nogil:
    """Hand DELAYED slots of one slab to its owner; returns how many were DELAYED no more: the owner freed them as well.

    The count is raised before the states are set, and the slab is queued while its count is above 0: so a drain never
    finds more than is counted, and what it does not find yet keeps the slab queued. Until then the slots are not FREE,
    so the slab cannot be dissolved under us.
    """
    cdef uint32_t i
    cdef uint32_t lost = 0
    cdef bint first = m4_add32(&slab.remote, length) == 0
    for i in range(length):
        if not m4_swap8(slots[i].state, DELAYED, REMOTE):
            lost += 1
        slots[i].address = NULL
    if lost != 0 and m4_add32(&slab.remote, -lost) == lost:
        first = False  # nothing is left to collect
    if first:
        queue_slab(slab)
    return lost


cdef inline int publish_remote(Arena *arena, Slot *slots, uint32_t length) noexcept nogil:
    """Hand a batch of DELAYED slots (NULL addresses are skipped) to their owners, one step for each run of one slab."""
    cdef uint32_t i = 0
    cdef uint32_t run
    cdef uint64_t bytes
    cdef int result = NO_MISUSE
    cdef Record *slab
    if M4_FAULT == FAULT_REMOTE_FREE_LOST:
        return NO_MISUSE
    while i < length:
        if slots[i].address == NULL:
            i += 1
            continue
        slab = record_of(arena, slots[i].address).head
        bytes = <uint64_t>slab.slots * slab.slot_size
        run = 1
        while i + run < length and <uint64_t>(slots[i + run].address - slab.start) < bytes:
            run += 1
        if publish_run(slab, slots + i, run) != 0:
            result = report_racing_free(arena, slab)
        i += run
    return result


cdef inline int delay_remote(Arena *arena, Heap *heap, uint32_t c, Slot slot) noexcept nogil:
    """Put a DELAYED slot into the line for other threads' slots; the oldest batch leaves when its place is needed.

    The line is a batch longer than the delay, so the youngest of the batch that leaves has waited long enough too.
    """
    cdef Ring *ring = &heap.rings[c]
    cdef uint32_t batch = arena.class_batch[c]
    cdef uint32_t at = ring.line_at
    cdef int result = NO_MISUSE
    cdef int before
    if ring.line == NULL:
        before = m4_errno()
        m4_acquire(&arena.lock)
        ring.line = <Slot *>take_metadata(arena, arena.class_line[c] * sizeof(Slot))
        m4_relinquish(&arena.lock)
        m4_set_errno(before)
        if ring.line == NULL:  # out of memory: rather no delay than a lost slot
            return publish_remote(arena, &slot, 1)
    if at & (batch - 1) == 0:
        result = publish_remote(arena, ring.line + at, batch)
    ring.line[at].address = slot.address
    ring.line[at].state = slot.state
    ring.line_at = at + 1 if at + 1 != arena.class_line[c] else 0
    ring.freed_remote += 1
    return result


cdef inline bint has_byte(uint64_t word, uint64_t byte) noexcept nogil:
    """May any of the eight bytes of `word` be `byte`? False is certain (the zero-byte test of Mycroft)."""
    word ^= byte * <uint64_t>0x0101010101010101
    return ((word - <uint64_t>0x0101010101010101) & ~word & <uint64_t>0x8080808080808080) != 0


cdef inline void drain_slab(Arena *arena, Heap *heap, Record *slab) noexcept nogil:
    """Make the REMOTE slots of one of our slabs FREE. They have been through the freeing thread's delay line."""
    cdef uint32_t found = 0
    cdef uint32_t left, i, j
    cdef uint8_t *states = slab.states
    for i in range(0, slab.slots, 8):  # the array is padded to whole words with ABSENT
        if has_byte((<uint64_t *>(states + i))[0], REMOTE):
            for j in range(i, i + 8):
                if states[j] == REMOTE:
                    states[j] = FREE
                    found += 1
                    note_free(slab, states + j)
    left = m4_add32(&slab.remote, -found) - found
    slab.free_slots += found
    if left != 0:  # somebody is between raising the count and setting the states
        queue_slab(slab)
    settle_slab(arena, &heap.bins[slab.size_class], slab)


cdef inline void drain_remote(Arena *arena, Heap *heap) noexcept nogil:
    """Collect what other threads have freed of ours since the last time."""
    cdef Record *slab
    cdef Record *next
    if m4_load_pointer(<void **>&heap.remote) == NULL:
        return
    slab = <Record *>m4_exchange_pointer(<void **>&heap.remote, NULL)
    while slab != NULL:
        next = slab.remote_next  # before the count is zeroed, for then the slab may be queued again
        drain_slab(arena, heap, slab)
        slab = next


cdef inline void review_line(Arena *arena, Ring *ring, uint32_t c) noexcept nogil:
    """Report the slots in a line that their owners have freed as well, and forget them."""
    cdef uint32_t i
    if ring.line == NULL:
        return
    for i in range(arena.class_line[c]):
        if ring.line[i].address != NULL and ring.line[i].state[0] != DELAYED:
            report_racing_free(arena, record_of(arena, ring.line[i].address))
            ring.line[i].address = NULL
