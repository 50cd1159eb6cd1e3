# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Remote frees: what a thread frees of others' slots waits in a line of its own, and then goes to the owners in batches.

The state array is the message: the freeing thread sets states to REMOTE and queues their slab, the owner looks for REMOTE
states eight at a time. No other line of memory goes from one processor to the other, but for slabs of over UNMARKED_MAX
slots: there the freeing thread also marks the part of the slab, for the owner not to look at all of it.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (M4_FAULT, M4_ORDER_FAULT, m4_acquire, m4_add32, m4_errno, m4_exchange8, m4_exchange_pointer,
                              m4_load_pointer, m4_lowest_bit, m4_read_states, m4_relinquish, m4_set_errno,
                              m4_store_pointer, m4_swap8, m4_swap_pointer, m4_write8)
from m4alloc._core.fault cimport (FAULT_REMOTE_FREE_LOST, ORDER_COUNT_AFTER_STATES, ORDER_LINK_AFTER_DRAIN,
                                  ORDER_MARK_CLEARED_EARLY, ORDER_NOT_QUEUED_AGAIN, ORDER_QUEUE_STORES,
                                  ORDER_SLAB_TRUSTED)
from m4alloc._core.misuse cimport report_racing_free
from m4alloc._core.side cimport PART_SHIFT, UNMARKED_MAX, state_bytes
from m4alloc._core.slab cimport lanes_in, lower_first_free, open_line
from m4alloc._core.slot cimport record_of
from m4alloc._core.stack cimport settle_slab, shared_heap
from m4alloc._core.types cimport DELAYED, FREE, HELD_DELAYED, NO_MISUSE, REMOTE, SLAB, Arena, Heap, Record, Ring, Slot

cdef enum:
    LOST = 1 << 23             # in a slab's count of remote frees: one that was reported when it was published. A slab
                               # has at most 2**22 slots; should there be 2**9 of these, some are reported once more
    MARKED = 1                 # a mark that is set


cdef inline uint8_t *mark_of(uint8_t *states, uint32_t slots, const uint8_t *state) noexcept nogil:
    """The mark of the part of a long slab that the slot with that state is in."""
    return states + state_bytes(slots) + (<uint64_t>(state - states) >> PART_SHIFT)


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

    A drain may find a state by another's mark before we set our own, and dissolve the slab. Then we mark an array that no
    slab uses, or one that begins with a mark too many; but the unit may be another slab's. So where the marks are is read
    before.
    """
    cdef uint8_t *states = slab.states
    cdef uint32_t slots_in_all = slab.slots
    cdef uint32_t i
    cdef uint32_t lost = 0
    cdef bint first = False
    if M4_ORDER_FAULT != ORDER_MARK_CLEARED_EARLY:
        m4_store_pointer(<void **>&heap.publishing, slab)
    if M4_ORDER_FAULT != ORDER_COUNT_AFTER_STATES:
        first = m4_add32(&slab.remote, length) == 0
    for i in range(length):
        if not m4_swap8(slots[i].state, DELAYED, REMOTE):
            lost += 1
        elif slots_in_all > UNMARKED_MAX:
            m4_exchange8(mark_of(states, slots_in_all, slots[i].state), MARKED)  # an exchange, for the state has to be seen with it
        slots[i].address = NULL
    if M4_ORDER_FAULT == ORDER_COUNT_AFTER_STATES:
        first = m4_add32(&slab.remote, length) == 0
    if lost != 0 and (lost != length or return_count(arena, slab, length)):
        m4_add32(&slab.remote, lost * LOST)
    elif lost != 0:
        first = False
    m4_store_pointer(<void **>&heap.publishing, NULL)
    if first:
        queue_slab(slab)
    return lost


cdef inline int publish_remote(Arena *arena, Heap *heap, Slot *slots, uint32_t length) noexcept nogil:
    """Hand a batch of DELAYED slots (NULL addresses are skipped) to their owners, one step for each run of one slab.

    heap: ours, or the one that is nobody's, under the arena's lock.
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


cdef inline int put_into_line(Arena *arena, Heap *heap, uint32_t c, Slot slot) noexcept nogil:
    """Put a DELAYED slot into the heap's line for other threads' slots; the oldest batch leaves when its place is needed.

    The line is a batch longer than the delay, so the youngest of the batch that leaves has waited long enough too.
    """
    cdef Ring *ring = &heap.rings[c]
    cdef uint32_t batch = arena.class_batch[c]
    cdef uint32_t at = ring.line_at
    cdef int result = NO_MISUSE
    if at & (batch - 1) == 0:
        result = publish_remote(arena, heap, ring.line + at, batch)
    ring.line[at].address = slot.address
    ring.line[at].state = slot.state
    ring.line_at = at + 1 if at + 1 != arena.class_line[c] else 0
    ring.freed_remote += 1
    return result


cdef inline int delay_apart(Arena *arena, uint32_t c, Slot slot) noexcept nogil:
    """Delay a DELAYED slot for a thread that has no line of its own, for it is exiting, or memory is out.

    Such threads share one. It was made with the class's first slab, so that there always is one: without it the slot would
    have to be reused early, or lost.
    """
    cdef int result
    m4_acquire(&arena.lock)
    result = put_into_line(arena, shared_heap(arena), c, slot)
    m4_relinquish(&arena.lock)
    return result


cdef inline bint open_own_line(Arena *arena, Heap *heap, uint32_t c) noexcept nogil:
    """open_line for a thread that frees; errno is kept."""
    cdef int before = m4_errno()
    cdef bint opened
    m4_acquire(&arena.lock)
    opened = open_line(arena, heap, c)
    m4_relinquish(&arena.lock)
    m4_set_errno(before)
    return opened


cdef inline int delay_remote(Arena *arena, Heap *heap, uint32_t c, Slot slot) noexcept nogil:
    """Delay a DELAYED slot that this thread has freed of another's, in a line of its own where there is memory for one."""
    if heap.rings[c].line == NULL and not open_own_line(arena, heap, c):
        return delay_apart(arena, c, slot)
    return put_into_line(arena, heap, c, slot)


cdef inline uint32_t collect_states(Record *slab, uint32_t start, uint32_t end) noexcept nogil:
    """Make the REMOTE slots from `start` to `end`, multiples of 8, FREE; how many. They have been through a delay line.

    A REMOTE state changes no more before we change it. One that is set while we look waits for the next time.
    """
    cdef uint32_t found = 0
    cdef uint32_t i
    cdef uint64_t lanes
    cdef uint8_t *states = slab.states
    for i in range(start, end, 8):
        lanes = lanes_in(m4_read_states(states + i), REMOTE)
        if lanes != 0:
            lower_first_free(slab, states + i)
            while lanes != 0:
                m4_write8(states + i + (m4_lowest_bit(lanes) >> 3), FREE)
                found += 1
                lanes &= lanes - 1
    return found


cdef inline uint32_t collect_parts(Record *slab) noexcept nogil:
    """collect_states of the parts of a long slab that are marked.

    A mark is cleared before its part is looked at, and set when the states are; so whose state we miss marks it again.
    """
    cdef uint8_t *marks = slab.states + state_bytes(slab.slots)
    cdef uint32_t parts = (slab.slots >> PART_SHIFT) + 1
    cdef uint32_t found = 0
    cdef uint32_t i, part, end
    cdef uint64_t lanes
    for i in range(0, parts, 8):  # whole words, padded with marks of no part, which are never set
        lanes = lanes_in(m4_read_states(marks + i), MARKED)
        while lanes != 0:
            part = i + (m4_lowest_bit(lanes) >> 3)
            m4_exchange8(marks + part, 0)
            end = (part + 1) << PART_SHIFT
            found += collect_states(slab, part << PART_SHIFT, end if end < slab.slots else slab.slots)
            lanes &= lanes - 1
    return found


cdef inline uint32_t collect_slab(Record *slab) noexcept nogil:
    """Make the REMOTE slots of one of our slabs FREE; returns how many.

    Cost: O(slots) of a slab of up to UNMARKED_MAX; of a longer one, its marks and the parts that are marked.
    """
    cdef uint32_t found
    if slab.slots > UNMARKED_MAX:
        found = collect_parts(slab)
    else:
        found = collect_states(slab, 0, slab.slots)  # the array is padded to whole words with ABSENT
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


cdef inline bint is_delayed(const Ring *ring, uint32_t i) noexcept nogil:
    """Is the slot at place i of a line DELAYED, and seen for the first time? Then it is HELD_DELAYED from now on.

    Its owner may have freed it, too: then it is something else, or stands at another place of the line again, for it was
    handed out again. (A state that is something else now would be put back to what it was by nobody: hence the exchange.)
    """
    return m4_swap8(ring.line[i].state, DELAYED, HELD_DELAYED)


cdef inline void review_line(Arena *arena, Ring *ring, uint32_t c) noexcept nogil:
    """Report the slots in a line that their owners have freed as well, and forget them.

    Holds the arena's lock, so that no forked child finds states that only a fork leaves. Cost: the length of the line. A
    monitor knows better who frees what.
    """
    cdef uint32_t i = arena.class_line[c]
    if ring.line == NULL or arena.monitored:
        return
    m4_acquire(&arena.lock)
    while i != 0:
        i -= 1
        if ring.line[i].address != NULL and not is_delayed(ring, i):
            report_racing_free(arena, record_of(arena, ring.line[i].address))
            ring.line[i].address = NULL
    for i in range(arena.class_line[c]):
        if ring.line[i].address != NULL:
            m4_swap8(ring.line[i].state, HELD_DELAYED, DELAYED)
    m4_relinquish(&arena.lock)
