# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Heaps: a thread's stacks of free slots, refilled from its slabs and flushed back to them; remote frees on their way.

A heap belongs to one thread at a time and outlives it: a thread that exits abandons its heap, stacks, delay lines and
all, and a new thread adopts it whole, so that nothing is reused earlier than its delay line says.
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from m4alloc._core.c cimport (M4_FAULT, m4_add32, m4_exchange32, m4_exchange_pointer, m4_load32, m4_load_pointer,
                              m4_swap_pointer, memmove, pthread_mutex_lock, pthread_mutex_unlock)
from m4alloc._core.fault cimport FAULT_REMOTE_FREE_LOST, FAULT_REUSE_BEFORE_QUARANTINE
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_racing_free
from m4alloc._core.slab cimport list_slab, new_slab, release_slab, take_slots, unlist_slab
from m4alloc._core.slot cimport record_of
from m4alloc._core.types cimport (CACHED, CLASSES_MAX, FREE, HOOK_NO_DELAY, HOOK_QUARANTINE, HOOK_ZERO, REMOTE, Arena,
                                  Bin, Heap, Record, Slot)


cdef inline uint64_t next_random(Heap *heap) noexcept nogil:
    """xorshift64: unpredictable enough to spread placements, and no more."""
    cdef uint64_t x = heap.random
    x ^= x << 13
    x ^= x >> 7
    x ^= x << 17
    heap.random = x
    return x


cdef inline Heap *new_heap(Arena *arena, uint64_t seed) noexcept nogil:
    """A heap for a thread: an abandoned one, else a new one; NULL: out of memory. Wants the arena's lock."""
    cdef Heap *heap = arena.abandoned
    cdef uint32_t c
    if heap != NULL:
        arena.abandoned = heap.next_abandoned
        heap.abandoned = 0
        return heap
    heap = <Heap *>take_metadata(arena, sizeof(Heap))
    if heap == NULL:
        return NULL
    heap.arena = arena
    heap.random = seed | 1
    for c in range(arena.knobs.classes):
        heap.bins[c].slot_size = arena.knobs.class_size[c]
        heap.bins[c].delay_length = arena.knobs.delay_line
        if arena.knobs.delay_line == 0 or M4_FAULT == FAULT_REUSE_BEFORE_QUARANTINE:
            heap.bins[c].hooks |= HOOK_NO_DELAY
        if arena.knobs.class_size[c] <= arena.knobs.zero_on_free:
            heap.bins[c].hooks |= HOOK_ZERO
        if arena.knobs.quarantine != 0 and M4_FAULT != FAULT_REUSE_BEFORE_QUARANTINE:
            heap.bins[c].hooks |= HOOK_QUARANTINE
    heap.next_heap = arena.heaps
    arena.heaps = heap
    return heap


cdef inline bint open_bin(Arena *arena, Heap *heap, uint32_t c) noexcept nogil:
    """Give a bin its stack, delay line and quarantine at first use; False: out of memory. Takes the arena's lock."""
    cdef Bin *bin = &heap.bins[c]
    cdef uint32_t depth = arena.class_depth[c]
    cdef Slot *memory
    cdef uint64_t slots = depth + arena.knobs.delay_line + arena.knobs.quarantine
    if bin.bottom != NULL:
        return True
    pthread_mutex_lock(&arena.lock)
    memory = <Slot *>take_metadata(arena, slots * sizeof(Slot))
    pthread_mutex_unlock(&arena.lock)
    if memory == NULL:
        return False
    bin.delay = memory
    heap.rings[c].slots = memory + arena.knobs.delay_line
    bin.bottom = memory + arena.knobs.delay_line + arena.knobs.quarantine
    bin.top = bin.bottom
    bin.limit = bin.bottom + depth
    return True


cdef inline void settle_slab(Arena *arena, Bin *bin, Record *slab) noexcept nogil:
    """After slots became FREE: list the slab, or dissolve it when it is wholly FREE and the bin has another."""
    if slab.free_slots == slab.slots and (bin.slabs != slab or slab.next != NULL) and bin.slabs != NULL:
        if slab.listed:
            unlist_slab(bin, slab)
        pthread_mutex_lock(&arena.lock)
        release_slab(arena, slab)
        pthread_mutex_unlock(&arena.lock)
    elif slab.free_slots != 0 and not slab.listed:
        list_slab(bin, slab)


cdef inline void give_slot(Arena *arena, Heap *heap, Slot slot) noexcept nogil:
    """Return a CACHED slot of ours to its slab as FREE."""
    cdef Record *slab = record_of(arena, slot.address).head
    slot.state[0] = FREE
    slab.free_slots += 1
    settle_slab(arena, &heap.bins[slab.size_class], slab)


cdef inline void empty_stack(Arena *arena, Heap *heap, Bin *bin) noexcept nogil:
    """Return every slot on the stack to its slab."""
    while bin.top != bin.bottom:
        bin.top -= 1
        give_slot(arena, heap, bin.top[0])


cdef inline void push_slot "m4_push_slot"(Arena *arena, Heap *heap, Bin *bin, Slot slot) noexcept nogil:
    """Push a CACHED slot of ours on its stack; a full stack first gives its older half back to the slabs."""
    cdef uint64_t half, i
    if bin.top == bin.limit:
        half = <uint64_t>(bin.limit - bin.bottom) // 2
        for i in range(half):
            give_slot(arena, heap, bin.bottom[i])
        memmove(bin.bottom, bin.bottom + half, (<uint64_t>(bin.limit - bin.bottom) - half) * sizeof(Slot))
        bin.top -= half
    bin.top[0] = slot
    bin.top += 1


cdef inline void publish_remote(Slot slot, Record *slab) noexcept nogil:
    """Tell the owner of a slab that one more of its slots is REMOTE; the first since the last drain queues the slab."""
    cdef Heap *owner = slab.owner
    cdef void *first
    if M4_FAULT == FAULT_REMOTE_FREE_LOST:
        return
    if m4_add32(&slab.remote, 1) == 0:
        first = m4_load_pointer(<void **>&owner.remote)
        while True:
            slab.remote_next = <Record *>first
            if m4_swap_pointer(<void **>&owner.remote, &first, slab):
                break


cdef inline void drain_slab(Arena *arena, Heap *heap, Record *slab) noexcept nogil:
    """Make the REMOTE slots of one of our slabs FREE. They have been through the freeing thread's delay line."""
    cdef uint32_t published = m4_exchange32(&slab.remote, 0)
    cdef uint32_t found = 0
    cdef uint32_t i
    cdef uint8_t *states = slab.states
    for i in range(slab.slots):
        if states[i] == REMOTE:
            states[i] = FREE
            found += 1
    slab.free_slots += found
    slab.unseen += <int>published - <int>found
    if slab.unseen > 0:  # a published slot was overwritten: its owner freed it at the same moment
        slab.unseen = 0
        report_racing_free(arena, slab)
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


cdef inline void drain_abandoned(Arena *arena) noexcept nogil:
    """Collect for heaps that no thread owns, so that their memory comes back. Wants the arena's lock."""
    cdef Heap *heap = arena.abandoned
    while heap != NULL:
        drain_remote(arena, heap)
        heap = heap.next_abandoned


cdef inline bint refill "m4_refill"(Arena *arena, Heap *heap, uint32_t c) noexcept nogil:
    """Put at least one slot on an empty stack: from remote frees, from our slabs, from a new slab; False: no memory."""
    cdef Bin *bin = &heap.bins[c]
    cdef Record *slab
    cdef Slot swap
    cdef uint32_t most, taken, i, j
    if not open_bin(arena, heap, c):
        return False
    drain_remote(arena, heap)
    slab = bin.slabs
    if slab == NULL:
        pthread_mutex_lock(&arena.lock)
        if arena.abandoned != NULL:
            drain_abandoned(arena)
        slab = new_slab(arena, heap, c)
        pthread_mutex_unlock(&arena.lock)
        if slab == NULL:
            return False
        list_slab(bin, slab)
    most = arena.knobs.refill_batch
    if most > arena.class_depth[c] // 2:
        most = arena.class_depth[c] // 2
    taken = take_slots(slab, bin.bottom, most)
    if slab.free_slots == 0:
        unlist_slab(bin, slab)
    # Lowest address on top, or any order.
    if arena.knobs.randomise:
        for i in range(taken - 1, 0, -1):
            j = <uint32_t>(next_random(heap) % (i + 1))
            swap = bin.bottom[i]
            bin.bottom[i] = bin.bottom[j]
            bin.bottom[j] = swap
    else:
        for i in range(taken // 2):
            swap = bin.bottom[i]
            bin.bottom[i] = bin.bottom[taken - 1 - i]
            bin.bottom[taken - 1 - i] = swap
    bin.top = bin.bottom + taken
    return True


cdef inline void abandon(Heap *heap) noexcept nogil:
    """The thread of a heap exits: give the stacks back, leave the rest (delay lines above all) to the next thread."""
    cdef Arena *arena = heap.arena
    cdef uint32_t c
    drain_remote(arena, heap)
    for c in range(arena.knobs.classes):
        empty_stack(arena, heap, &heap.bins[c])
    pthread_mutex_lock(&arena.lock)
    heap.abandoned = 1
    heap.next_abandoned = arena.abandoned
    arena.abandoned = heap
    pthread_mutex_unlock(&arena.lock)
