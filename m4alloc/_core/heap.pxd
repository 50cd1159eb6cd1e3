# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Heaps: a thread's stacks of free slots, refilled from its slabs and flushed back to them; remote frees on their way.

A heap belongs to one thread at a time and outlives it: a thread that exits abandons its heap, stacks, delay lines and
all, and a new thread adopts it whole, so that nothing is reused earlier than its delay line says.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (M4_FAULT, M4_ORDER_FAULT, m4_acquire, m4_add32, m4_exchange_pointer,
                              m4_load_pointer, m4_read8, m4_read_states, m4_relinquish, m4_store_pointer, m4_swap8,
                              m4_swap_pointer, m4_write8, memmove)
from m4alloc._core.fault cimport (FAULT_REMOTE_FREE_LOST, FAULT_REUSE_BEFORE_QUARANTINE, ORDER_COUNT_AFTER_STATES,
                                  ORDER_DISSOLVED_COUNTED, ORDER_HEAP_LEFT_EARLY, ORDER_LINK_AFTER_DRAIN,
                                  ORDER_MARK_CLEARED_EARLY, ORDER_NOT_QUEUED_AGAIN, ORDER_QUEUE_STORES,
                                  ORDER_SLAB_TRUSTED)
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_racing_free
from m4alloc._core.size_class cimport remote_length
from m4alloc._core.slab cimport list_slab, new_slab, release_slab, take_slots, unlist_slab
from m4alloc._core.slot cimport record_of
from m4alloc._core.types cimport (CACHED, DELAYED, FREE, HOOK_NO_DELAY, HOOK_QUARANTINE, HOOK_ZERO, NO_MISUSE, REMOTE,
                                  SLAB, Arena, Bin, Heap, Record, Slot)

cdef enum:
    LOST = 1 << 16             # in a slab's count of remote frees: one that was reported when it was published


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
        if arena.class_delay[c] == 0 or M4_FAULT == FAULT_REUSE_BEFORE_QUARANTINE:
            heap.bins[c].hooks |= HOOK_NO_DELAY
        if arena.knobs.class_size[c] <= arena.knobs.zero_on_free:
            heap.bins[c].hooks |= HOOK_ZERO
        if arena.class_quarantine[c] != 0 and M4_FAULT != FAULT_REUSE_BEFORE_QUARANTINE:
            heap.bins[c].hooks |= HOOK_QUARANTINE
    heap.next_heap = arena.heaps
    arena.heaps = heap
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
    heap.rings[c].delay = memory
    bin.delay_at = memory
    bin.delay_last = memory + arena.class_delay[c] - 1  # before memory when there is none: then nobody uses it
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
            and dissolve_slab(arena, bin, slab)):
        return
    if slab.free_slots != 0 and not slab.listed:
        list_slab(bin, slab)


cdef inline void give_slot(Arena *arena, Heap *heap, Slot slot) noexcept nogil:
    """Return a CACHED slot of ours to its slab as FREE."""
    cdef Record *slab = record_of(arena, slot.address).head
    m4_write8(slot.state, FREE)
    slab.free_slots += 1
    settle_slab(arena, &heap.bins[slab.size_class], slab)


cdef inline void empty_stack(Arena *arena, Heap *heap, Bin *bin) noexcept nogil:
    """Return every slot on the stack to its slab."""
    while bin.top != bin.bottom:
        bin.top -= 1
        give_slot(arena, heap, bin.top[0])


cdef inline void empty_stacks(Arena *arena, Heap *heap) noexcept nogil:
    """Return every slot on every stack to its slab."""
    cdef uint32_t c
    for c in range(arena.knobs.classes):
        empty_stack(arena, heap, &heap.bins[c])


cdef inline int push_slot "m4_push_slot"(Arena *arena, Heap *heap, Bin *bin, char *address,
                                             uint8_t *state) noexcept nogil:
    """Push a CACHED slot of ours on its stack; a full stack first gives its older half back to the slabs."""
    cdef uint64_t half, i
    if bin.top == bin.limit:
        half = <uint64_t>(bin.limit - bin.bottom) // 2
        for i in range(half):
            give_slot(arena, heap, bin.bottom[i])
        memmove(bin.bottom, bin.bottom + half, (<uint64_t>(bin.limit - bin.bottom) - half) * sizeof(Slot))
        bin.top -= half
    bin.top.address = address
    bin.top.state = state
    bin.top += 1
    return NO_MISUSE


cdef inline void scavenge(Arena *arena, Heap *heap) noexcept nogil:
    """Give back the stacks of classes that have not been used since the last look, so that they pin no slabs."""
    cdef uint32_t c
    cdef Bin *bin
    for c in range(arena.knobs.classes):
        bin = &heap.bins[c]
        if bin.top == heap.rings[c].seen_top and bin.delay_at == heap.rings[c].seen_at:
            empty_stack(arena, heap, bin)
        heap.rings[c].seen_top = bin.top
        heap.rings[c].seen_at = bin.delay_at


cdef inline void queue_slab(Record *slab) noexcept nogil:
    """Push a slab on its owner's list of slabs with remote frees."""
    cdef Heap *owner = slab.owner
    cdef void *first = m4_load_pointer(<void **>&owner.remote)
    while True:
        slab.remote_next = <Record *>first
        if M4_ORDER_FAULT == ORDER_QUEUE_STORES:
            m4_store_pointer(<void **>&owner.remote, slab)
            return
        if m4_swap_pointer(<void **>&owner.remote, &first, slab):
            return


cdef inline bint return_count(Arena *arena, Record *slab, uint32_t length) noexcept nogil:
    """None of the slots we counted was still DELAYED: lower the count again if the slab was dissolved before we raised it.

    True: it was not, or its unit is a slab again; then the count is for the drain to lower.
    """
    cdef bint lives
    m4_acquire(&arena.lock)
    lives = slab.kind == SLAB or M4_ORDER_FAULT == ORDER_SLAB_TRUSTED
    if not lives:
        m4_add32(&slab.remote, -length)
    m4_relinquish(&arena.lock)
    return lives


cdef inline uint32_t publish_run(Arena *arena, Heap *heap, Record *slab, Slot *slots, uint32_t length) noexcept nogil:
    """Hand DELAYED slots of one slab to its owner; returns how many were DELAYED no more: the owner freed them as well.

    The count is raised before the states are set, and only a drain lowers it; who raises it from 0 queues the slab. So a
    drain never finds more than is counted, and what it does not find yet keeps the slab queued. Until then the slots are
    not FREE, so the slab cannot be dissolved under us, unless their owner has freed them too. heap.publishing tells a
    drain who is between the two.
    """
    cdef uint32_t i
    cdef uint32_t lost = 0
    cdef bint first = False
    if heap != NULL and M4_ORDER_FAULT != ORDER_MARK_CLEARED_EARLY:
        m4_store_pointer(<void **>&heap.publishing, slab)
    if M4_ORDER_FAULT != ORDER_COUNT_AFTER_STATES:
        first = m4_add32(&slab.remote, length) == 0
    for i in range(length):
        if not m4_swap8(slots[i].state, DELAYED, REMOTE):
            lost += 1
        slots[i].address = NULL
    if M4_ORDER_FAULT == ORDER_COUNT_AFTER_STATES:
        first = m4_add32(&slab.remote, length) == 0
    if lost != 0 and (lost != length or return_count(arena, slab, length)):
        m4_add32(&slab.remote, lost * LOST)
    elif lost != 0:
        first = False
    if heap != NULL:
        m4_store_pointer(<void **>&heap.publishing, NULL)
    if first:
        queue_slab(slab)
    return lost


cdef inline int publish_remote(Arena *arena, Heap *heap, Slot *slots, uint32_t length) noexcept nogil:
    """Hand a batch of DELAYED slots (NULL addresses are skipped) to their owners, one step for each run of one slab.

    heap: ours; NULL under the arena's lock.
    """
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
        if publish_run(arena, heap, slab, slots + i, run) != 0:
            result = report_racing_free(arena, slab)
        i += run
    return result


cdef inline bint has_byte(uint64_t word, uint64_t byte) noexcept nogil:
    """May any of the eight bytes of `word` be `byte`? False is certain (the zero-byte test of Mycroft)."""
    word ^= byte * <uint64_t>0x0101010101010101
    return ((word - <uint64_t>0x0101010101010101) & ~word & <uint64_t>0x8080808080808080) != 0


cdef inline uint32_t collect_slab(Record *slab) noexcept nogil:
    """Make the REMOTE slots of one of our slabs FREE; returns how many. They have been through a delay line."""
    cdef uint32_t found = 0
    cdef uint32_t i, j
    cdef uint8_t *states = slab.states
    for i in range(0, slab.slots, 8):  # the array is padded to whole words with ABSENT
        if has_byte(m4_read_states(states + i), REMOTE):
            for j in range(i, i + 8):
                if m4_read8(states + j) == REMOTE:
                    m4_write8(states + j, FREE)
                    found += 1
    slab.free_slots += found
    return found


cdef inline bint is_publishing(Arena *arena, const Record *slab) noexcept nogil:
    """Is any thread between raising the slab's count and setting the states?"""
    cdef Heap *heap
    cdef bint busy = False
    m4_acquire(&arena.lock)
    heap = arena.heaps
    while heap != NULL and not busy:
        busy = m4_load_pointer(<void **>&heap.publishing) == slab
        heap = heap.next_heap
    m4_relinquish(&arena.lock)
    return busy


cdef inline bint settle_count(Arena *arena, Record *slab, uint32_t left) noexcept nogil:
    """The slab's count did not fall to 0: has it now? False: somebody is publishing, so the slab stays queued.

    If nobody is, all that is counted was in the states before we looked again. What is still not there, and was not
    reported by whoever published it, the owner has overwritten: it had read LIVE before the other thread's free, and
    stored CACHED after that had become REMOTE.
    """
    cdef uint32_t found, before, i
    if is_publishing(arena, slab):
        return False
    found = collect_slab(slab)
    before = m4_add32(&slab.remote, -found)
    if before == found:  # and whoever raises it from 0 queues the slab
        return True
    if before != left:  # somebody has come meanwhile
        return False
    left -= found
    for i in range(left // LOST, left % LOST):
        report_racing_free(arena, slab)
    return m4_add32(&slab.remote, -left) == left


cdef inline void drain_slab(Arena *arena, Heap *heap, Record *slab) noexcept nogil:
    """Collect the remote frees of one of our slabs, and keep it queued while there are more to come."""
    cdef uint32_t found = collect_slab(slab)
    cdef uint32_t left = m4_add32(&slab.remote, -found) - found
    if left != 0 and not settle_count(arena, slab, left) and M4_ORDER_FAULT != ORDER_NOT_QUEUED_AGAIN:
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
        if M4_ORDER_FAULT == ORDER_LINK_AFTER_DRAIN:
            next = slab.remote_next
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
        heap.slabs_made += 1
        if heap.slabs_made % 16 == 0:
            scavenge(arena, heap)
        m4_acquire(&arena.lock)
        if arena.abandoned != NULL:
            drain_abandoned(arena)
        slab = new_slab(arena, heap, c)
        m4_relinquish(&arena.lock)
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


cdef inline void review_remote(Arena *arena, Heap *heap) noexcept nogil:
    """Report the slots in the lines for other threads' slots that their owners have freed as well, and forget them."""
    cdef uint32_t c, i
    cdef Slot *line
    for c in range(arena.knobs.classes):
        line = heap.bins[c].remote_delay
        if line == NULL:
            continue
        for i in range(remote_length(arena, c)):
            if line[i].address != NULL and m4_read8(line[i].state) != DELAYED:
                report_racing_free(arena, record_of(arena, line[i].address))
                line[i].address = NULL


cdef inline void abandon(Heap *heap) noexcept nogil:
    """The thread of a heap exits: give the stacks back, leave the rest (delay lines above all) to the next thread."""
    cdef Arena *arena = heap.arena
    review_remote(arena, heap)
    if M4_ORDER_FAULT != ORDER_HEAP_LEFT_EARLY:
        drain_remote(arena, heap)
        empty_stacks(arena, heap)
    m4_acquire(&arena.lock)
    heap.abandoned = 1
    heap.next_abandoned = arena.abandoned
    arena.abandoned = heap
    m4_relinquish(&arena.lock)
    if M4_ORDER_FAULT == ORDER_HEAP_LEFT_EARLY:
        drain_remote(arena, heap)
        empty_stacks(arena, heap)
