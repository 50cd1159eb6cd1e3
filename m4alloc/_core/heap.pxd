# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Heaps: what one thread owns, and how its stacks are refilled: from remote frees, from its slabs, from a new slab.

A heap belongs to one thread at a time and outlives it: a thread that exits abandons its heap, stacks, delay lines and
all, and a new thread adopts it whole, so that nothing is reused earlier than its delay line says.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport M4_ORDER_FAULT, m4_acquire, m4_relinquish
from m4alloc._core.chance cimport draw_below
from m4alloc._core.fault cimport ORDER_HEAP_LEFT_EARLY
from m4alloc._core.hold cimport let_go
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.remote cimport drain_remote, review_line
from m4alloc._core.slab cimport (body_units, list_slab, new_slab, preferred_slab, take_any_slots, take_slots,
                                 unlist_slab)
from m4alloc._core.span cimport prefault
from m4alloc._core.stack cimport empty_stack, empty_stacks, list_heap, open_bin
from m4alloc._core.types cimport RANDOM_ALL_OVER, UNIT_SHIFT, Arena, Bin, Heap, Record, Slot


cdef inline Heap *new_heap(Arena *arena) noexcept nogil:
    """A heap for a thread: an abandoned one, else a new one; NULL: out of memory. Wants the arena's lock."""
    cdef Heap *heap = arena.abandoned
    if heap != NULL:
        arena.abandoned = heap.next_abandoned
        heap.abandoned = 0
        heap.last_freed.address = NULL
        heap.thread = 0
        return heap
    heap = <Heap *>take_metadata(arena, sizeof(Heap))
    if heap == NULL:
        return NULL
    list_heap(arena, heap)
    return heap


cdef inline void scavenge(Arena *arena, Heap *heap) noexcept nogil:
    """Give back the stacks of classes that have not been used since the last look, so that they pin no slabs."""
    cdef uint32_t c
    cdef Bin *bin
    for c in range(arena.bins):
        bin = &heap.bins[c]
        if bin.top == heap.rings[c].seen_top and bin.freed == heap.rings[c].seen_freed:
            empty_stack(arena, heap, bin)
        heap.rings[c].seen_top = bin.top
        heap.rings[c].seen_freed = bin.freed


cdef inline void drain_abandoned(Arena *arena) noexcept nogil:
    """Collect for heaps that no thread owns, so that their memory comes back. Wants the arena's lock."""
    cdef Heap *heap = arena.abandoned
    drain_remote(arena, &arena.shared)
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
        if slab == NULL and let_go(arena, 0) != 0:
            slab = new_slab(arena, heap, c)
        m4_relinquish(&arena.lock)
        if slab == NULL:
            return False
        list_slab(bin, slab)
        if arena.knobs.prefault != 0 and slab.dirty_units == 0 and c != arena.empty_class:
            prefault(arena, slab.start, <uint64_t>body_units(arena, slab) << UNIT_SHIFT)
    elif arena.knobs.placement != 0:
        slab = preferred_slab(slab, arena.knobs.placement)
    most = arena.knobs.refill_batch
    if most > arena.class_depth[c] // 2:
        most = arena.class_depth[c] // 2
    if arena.knobs.randomise:
        taken = take_any_slots(slab, bin.bottom, most, arena.knobs.randomise == RANDOM_ALL_OVER, &heap.random)
    else:
        taken = take_slots(slab, bin.bottom, most)
    if slab.free_slots == 0:
        unlist_slab(bin, slab)
    if arena.knobs.randomise:  # else the lowest address is on top
        for i in range(taken - 1, 0, -1):
            j = draw_below(&heap.random, i + 1)
            swap = bin.bottom[i]
            bin.bottom[i] = bin.bottom[j]
            bin.bottom[j] = swap
    bin.top = bin.bottom + taken
    heap.rings[c].refills += 1
    return True


cdef inline void abandon(Heap *heap) noexcept nogil:
    """The thread of a heap exits: give the stacks back, leave the rest (delay lines above all) to the next thread."""
    cdef Arena *arena = heap.arena
    cdef uint32_t c
    for c in range(arena.bins):
        review_line(arena, &heap.rings[c], c)
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
