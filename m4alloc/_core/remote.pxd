# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Remote frees: what a thread frees of others' slots waits in a line of its own, and then goes to the owners in batches.

The state array is the message: the freeing thread marks slots REMOTE and queues their slab, the owner looks for REMOTE
states eight at a time. No other line of memory goes from one processor to the other.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (M4_FAULT, M4_ORDER_FAULT, m4_acquire, m4_add32, m4_errno, m4_exchange_pointer,
                              m4_load_pointer, m4_lowest_bit, m4_read8, m4_read_states, m4_relinquish, m4_set_errno,
                              m4_store_pointer, m4_swap8, m4_swap_pointer, m4_write8)
from m4alloc._core.fault cimport (FAULT_REMOTE_FREE_LOST, ORDER_COUNT_AFTER_STATES, ORDER_LINK_AFTER_DRAIN,
                                  ORDER_MARK_CLEARED_EARLY, ORDER_NOT_QUEUED_AGAIN, ORDER_QUEUE_STORES,
                                  ORDER_SLAB_TRUSTED)
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_racing_free
from m4alloc._core.slab cimport lanes_in, lower_first_free
from m4alloc._core.slot cimport record_of
from m4alloc._core.stack cimport settle_slab
from m4alloc._core.types cimport DELAYED, FREE, NO_MISUSE, REMOTE, SLAB, Arena, Heap, Record, Ring, Slot

cdef enum:
    LOST = 1 << 23             # in a slab's count of remote frees: one that was reported when it was published. A slab
                               # has at most 2**22 slots; should there be 2**9 of these, some are reported once more


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
    cdef uint32_t run, lost
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
        lost = publish_run(arena, heap, slab, slots + i, run)
        while lost != 0:  # each is a misuse of its own
            result = report_racing_free(arena, slab)
            lost -= 1
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
            ring.freed_remote += 1
            return publish_remote(arena, heap, &slot, 1)
    if at & (batch - 1) == 0:
        result = publish_remote(arena, heap, ring.line + at, batch)
    ring.line[at].address = slot.address
    ring.line[at].state = slot.state
    ring.line_at = at + 1 if at + 1 != arena.class_line[c] else 0
    ring.freed_remote += 1
    return result


cdef inline uint32_t collect_slab(Record *slab) noexcept nogil:
    """Make the REMOTE slots of one of our slabs FREE; returns how many. They have been through a delay line.

    A REMOTE state changes no more before we change it. One that is set while we look waits for the next time.
    """
    cdef uint32_t found = 0
    cdef uint32_t i
    cdef uint64_t lanes
    cdef uint8_t *states = slab.states
    for i in range(0, slab.slots, 8):  # the array is padded to whole words with ABSENT
        lanes = lanes_in(m4_read_states(states + i), REMOTE)
        if lanes != 0:
            lower_first_free(slab, states + i)
            while lanes != 0:
                m4_write8(states + i + (m4_lowest_bit(lanes) >> 3), FREE)
                found += 1
                lanes &= lanes - 1
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


cdef inline bint stands_again(const Ring *ring, uint32_t i, uint32_t length) noexcept nogil:
    """Is the slot at place i of the line at a later place too? Its owner freed it in between, and handed it out again."""
    cdef uint32_t j
    for j in range(i + 1, length):
        if ring.line[j].address == ring.line[i].address:
            return True
    return False


cdef inline void review_line(Arena *arena, Ring *ring, uint32_t c) noexcept nogil:
    """Report the slots in a line that their owners have freed as well, and forget them.

    Cost: quadratic in the length of the line. Under a monitor lines are long, and it knows better who frees what.
    """
    cdef uint32_t i
    if ring.line == NULL or arena.monitored:
        return
    for i in range(arena.class_line[c]):
        if ring.line[i].address != NULL and (
                m4_read8(ring.line[i].state) != DELAYED or stands_again(ring, i, arena.class_line[c])):
            report_racing_free(arena, record_of(arena, ring.line[i].address))
            ring.line[i].address = NULL
