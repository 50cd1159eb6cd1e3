# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Fork: the child has one thread; what the vanished threads held is rebuilt from the slots' states.

A vanished thread may have been anywhere outside a critical section: its stacks and lists cannot be trusted, its states
can. A delay line is kept as far as its entries are whole, so that the child reuses nothing early either.
"""

from libc.stdint cimport uint32_t, uint8_t

from m4alloc._core.c cimport M4_ORDER_FAULT, m4_relinquish
from m4alloc._core.fault cimport ORDER_CHILD_TRUSTS_LINE, ORDER_CHILD_TRUSTS_STACK
from m4alloc._core.hooks cimport mend_slot
from m4alloc._core.slab cimport list_slab
from m4alloc._core.slot cimport record_of, slot_state
from m4alloc._core.stack cimport show_stack
from m4alloc._core.types cimport (CACHED, DELAYED, FREE, HELD, HELD_DELAYED, REMOTE, SLAB, UNIT_SHIFT, Arena, Bin, Heap,
                                  Record, Region, Slot)


cdef inline void hold(Arena *arena, Slot *ring, uint32_t length, uint8_t state, uint8_t held) noexcept nogil:
    """Mark the slots of a delay line as held; forget entries that were half-written or are not in `state`."""
    cdef uint32_t i
    cdef Record *record
    if ring == NULL:
        return
    for i in range(length):
        if ring[i].address == NULL:
            continue
        record = record_of(arena, ring[i].address)
        if (ring[i].state != NULL and record != NULL and slot_state(record, ring[i].address) == ring[i].state
                and ring[i].state[0] == state) or M4_ORDER_FAULT == ORDER_CHILD_TRUSTS_LINE:
            ring[i].state[0] = held
        else:
            ring[i].address = NULL
            ring[i].state = NULL


cdef inline void restore(Slot *ring, uint32_t length, uint8_t state) noexcept nogil:
    """Undo the marks of hold."""
    cdef uint32_t i
    if ring == NULL:
        return
    for i in range(length):
        if ring[i].address != NULL:
            ring[i].state[0] = state


cdef inline bint vanished(const Heap *heap, const Heap *survivor) noexcept nogil:
    """Did the thread of this heap not come along into the child?"""
    return heap != survivor and not heap.abandoned


cdef inline void hold_all(Arena *arena, const Heap *survivor) noexcept nogil:
    """Hold every line of remote frees, and the delay lines and quarantines of vanished threads; drop their stacks."""
    cdef uint32_t c
    cdef Heap *heap = arena.heaps
    cdef Bin *bin
    while heap != NULL:
        heap.remote = NULL
        heap.publishing = NULL
        for c in range(arena.bins):
            bin = &heap.bins[c]
            hold(arena, heap.rings[c].line, arena.class_line[c], DELAYED, HELD_DELAYED)
            if vanished(heap, survivor):
                # The quarantine follows the delay line in memory.
                hold(arena, bin.delay, arena.class_delay[c] + arena.class_quarantine[c], CACHED, HELD)
                show_stack(arena, heap, bin)
                if M4_ORDER_FAULT != ORDER_CHILD_TRUSTS_STACK:
                    bin.top = bin.bottom
                bin.slabs = NULL
        heap = heap.next_heap


cdef inline void restore_all(Arena *arena, const Heap *survivor) noexcept nogil:
    """Undo the marks, and abandon the heaps of vanished threads."""
    cdef uint32_t c
    cdef Heap *heap = arena.heaps
    while heap != NULL:
        for c in range(arena.bins):
            restore(heap.rings[c].line, arena.class_line[c], DELAYED)
            if vanished(heap, survivor):
                restore(heap.bins[c].delay, arena.class_delay[c] + arena.class_quarantine[c], CACHED)
        if vanished(heap, survivor):
            heap.abandoned = 1
            heap.next_abandoned = arena.abandoned
            arena.abandoned = heap
        heap = heap.next_heap


cdef inline void rebuild_slab(Arena *arena, Record *slab, const Heap *survivor) noexcept nogil:
    """Make FREE what was on its way back or on a vanished thread's stack, and in no delay line; count, list anew."""
    cdef bint orphan = vanished(slab.owner, survivor)
    cdef uint32_t free_slots = 0
    cdef uint32_t i
    for i in range(slab.slots):
        if slab.states[i] == REMOTE or slab.states[i] == DELAYED or (
                orphan and slab.states[i] == CACHED and M4_ORDER_FAULT != ORDER_CHILD_TRUSTS_STACK):
            slab.states[i] = FREE
        if slab.states[i] == FREE:
            free_slots += 1
        if arena.hooked:
            mend_slot(arena, slab, i)
    slab.free_slots = free_slots
    slab.first_free = 0
    slab.remote = 0
    if orphan:
        slab.listed = 0
    if free_slots != 0 and not slab.listed:
        list_slab(&slab.owner.bins[slab.size_class], slab)


cdef inline void rebuild_in_child(Arena *arena, const Heap *survivor) noexcept nogil:
    """After fork, in the child: one pass over the slabs, and only if there was another thread."""
    cdef Heap *heap = arena.heaps
    cdef uint32_t i
    cdef Region *region
    cdef Record *record
    cdef Record *end
    arena.lock.state = 1  # held since before the fork; who waited for it did not come along
    while heap != NULL and not vanished(heap, survivor):
        heap = heap.next_heap
    if heap == NULL:
        m4_relinquish(&arena.lock)
        return
    hold_all(arena, survivor)
    for i in range(arena.region_count):
        region = &arena.regions[i]
        record = region.records
        end = region.records + (region.used >> UNIT_SHIFT)
        while record < end:
            if record.kind == SLAB:
                rebuild_slab(arena, record, survivor)
            record += record.units if record.units != 0 else 1
    restore_all(arena, survivor)
    m4_relinquish(&arena.lock)
