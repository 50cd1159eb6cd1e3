# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Remote frees: a thread's lines of what it frees of other threads', and the batches that take it to the owners.

One atomic exchange a slot, LIVE to REMOTE, decides who has freed it. It then waits in the freeing thread's line, a ring
of batches, until as many others have been freed as the strategy says, and goes to its owner in a batch: one exchange on
the owner's list for all of them. Nobody but the owner touches a REMOTE slot, and it does so with plain stores.

Should the owner have freed the same slot at the same moment, its plain store has overwritten REMOTE. That store comes
before the owner looks into the batch, which it does itself; so it finds the slot not REMOTE, reports the double free
and drops the entry. The slot is handed out once.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport (M4_FAULT, m4_acquire, m4_add64, m4_exchange_pointer, m4_load_pointer, m4_relinquish,
                              m4_store32, m4_store_pointer, m4_swap8, m4_swap_pointer)
from m4alloc._core.fault cimport FAULT_REMOTE_FREE_LOST
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_racing_free
from m4alloc._core.slab cimport note_free
from m4alloc._core.slot cimport record_of
from m4alloc._core.stack cimport give_slots, settle_slab
from m4alloc._core.types cimport (CACHED, FREE, LOST, REMOTE, SLAB, UNIT_SHIFT, Arena, Batch, Bin, Heap,
                                  Record, Region, Ring, Slot)


cdef inline void push_batch(Batch **list, Batch *batch) noexcept nogil:
    """Push a batch on an atomic list. Only whole lists are ever taken off, so there is no ABA."""
    cdef void *first = m4_load_pointer(<void **>list)
    while True:
        batch.next = <Batch *>first
        if m4_swap_pointer(<void **>list, &first, batch):
            return


cdef inline Batch *take_batch(Arena *arena, Heap *heap, uint32_t c) noexcept nogil:
    """An empty batch of the heap's for slots of class c; NULL: out of memory."""
    cdef Batch *batch = heap.empty
    if batch == NULL and m4_load_pointer(<void **>&heap.returned) != NULL:
        batch = <Batch *>m4_exchange_pointer(<void **>&heap.returned, NULL)
    if batch == NULL:
        m4_acquire(&arena.lock)
        batch = <Batch *>take_metadata(arena, sizeof(Batch))
        m4_relinquish(&arena.lock)
        if batch == NULL:
            return NULL
        batch.home = heap
        batch.next = NULL
    heap.empty = batch.next
    batch.size_class = c
    batch.count = 0
    batch.mixed = 0
    return batch


cdef inline void add_to_batch(Batch *batch, Heap *owner, Slot slot) noexcept nogil:
    """Add a slot; there is room for it. The count goes up last, so that a fork in between finds whole entries."""
    if batch.count == 0:
        batch.owner = owner
    elif batch.owner != owner:
        batch.mixed = 1
    batch.slots[batch.count].address = slot.address
    batch.slots[batch.count].state = slot.state
    m4_store32(&batch.count, batch.count + 1)


cdef inline void send_batch(Arena *arena, Heap *sender, Batch *batch) noexcept nogil:
    """Send a batch to the owner of its slots. What is other owners' goes in batches of its own, or, without memory for
    them, along: the owner then passes it on."""
    cdef Batch *rest
    cdef Heap *owner
    cdef uint32_t i, kept
    while batch.mixed:
        rest = take_batch(arena, sender, batch.size_class)
        if rest == NULL:
            break
        kept = 0
        for i in range(batch.count):
            owner = record_of(arena, batch.slots[i].address).owner
            if owner == batch.owner:
                batch.slots[kept] = batch.slots[i]
                kept += 1
            else:
                add_to_batch(rest, owner, batch.slots[i])
        batch.count = kept
        batch.mixed = 0
        push_batch(&batch.owner.received, batch)
        batch = rest
    push_batch(&batch.owner.received, batch)


cdef inline void lose_slot(Arena *arena, Slot slot) noexcept nogil:
    """Leave a REMOTE slot for its owner to find: there is no memory for a batch."""
    if m4_swap8(slot.state, REMOTE, LOST):
        m4_add64(&arena.lost, 1)
    else:
        report_racing_free(arena, record_of(arena, slot.address))


cdef inline bint turn_line(Arena *arena, Heap *heap, Ring *ring, uint32_t c) noexcept nogil:
    """Put an empty batch where the next slots of the line go, and send the oldest one; False: out of memory."""
    cdef Batch *fresh
    cdef Batch *oldest
    cdef uint32_t at
    if ring.line == NULL:
        m4_acquire(&arena.lock)
        ring.line = <Batch **>take_metadata(arena, arena.class_line[c] * sizeof(Batch *))
        m4_relinquish(&arena.lock)
        if ring.line == NULL:
            return False
    fresh = take_batch(arena, heap, c)
    if fresh == NULL:
        return False
    at = ring.line_at
    if ring.line[at] != NULL:
        at = at + 1 if at + 1 != arena.class_line[c] else 0
    oldest = ring.line[at]
    # In this order, for a child that is forked in between: a batch is in the line or on its way, never both.
    m4_store_pointer(<void **>&ring.line[at], NULL)
    if oldest != NULL and M4_FAULT != FAULT_REMOTE_FREE_LOST:
        send_batch(arena, heap, oldest)
    m4_store_pointer(<void **>&ring.line[at], fresh)
    ring.line_at = at
    return True


cdef inline void delay_remote(Arena *arena, Heap *heap, uint32_t c, Heap *owner, Slot slot) noexcept nogil:
    """Put a REMOTE slot into the freeing thread's line of class c."""
    cdef Ring *ring = &heap.rings[c]
    cdef Batch *batch = ring.line[ring.line_at] if ring.line != NULL else NULL
    ring.freed_remote += 1
    if batch == NULL or batch.count == arena.class_batch[c]:
        if not turn_line(arena, heap, ring, c):
            lose_slot(arena, slot)
            return
        batch = ring.line[ring.line_at]
    add_to_batch(batch, owner, slot)


cdef inline void receive_batch(Arena *arena, Heap *heap, Batch *batch, bint stacking) noexcept nogil:
    """Take what is ours out of a batch, pass on the rest, and send the batch home when it is empty.

    stacking: onto the stack as long as there is room, else into the slabs.
    """
    cdef Bin *bin = &heap.bins[batch.size_class]
    cdef uint32_t passed = 0
    cdef uint32_t i
    cdef Slot *slot
    cdef Record *record
    for i in range(batch.count):
        slot = &batch.slots[i]
        if slot.address == NULL:
            continue
        record = record_of(arena, slot.address)
        if record.owner != heap:
            batch.slots[passed] = slot[0]
            passed += 1
        elif slot.state[0] != REMOTE:
            report_racing_free(arena, record)
        else:
            slot.state[0] = CACHED
            if stacking and bin.top != bin.limit:
                bin.top.address = slot.address
                bin.top.state = slot.state
                bin.top += 1
            else:
                give_slots(arena, bin, slot, 1)
    batch.count = passed
    if passed != 0:
        batch.owner = record_of(arena, batch.slots[0].address).owner
        push_batch(&batch.owner.received, batch)
    else:
        push_batch(&batch.home.returned, batch)


cdef inline void drain_remote(Arena *arena, Heap *heap, bint stacking) noexcept nogil:
    """Take in what other threads have freed of ours since the last time."""
    cdef Batch *batch
    cdef Batch *next
    if m4_load_pointer(<void **>&heap.received) == NULL:
        return
    batch = <Batch *>m4_exchange_pointer(<void **>&heap.received, NULL)
    while batch != NULL:
        next = batch.next
        receive_batch(arena, heap, batch, stacking)
        batch = next


cdef inline void collect_lost_of(Arena *arena, Heap *heap, Record *slab) noexcept nogil:
    """Make the LOST slots of one of our slabs FREE."""
    cdef uint32_t i
    cdef uint32_t found = 0
    for i in range(slab.slots):
        if slab.states[i] == LOST:
            slab.states[i] = FREE
            note_free(slab, slab.states + i)
            found += 1
    if found != 0:
        m4_add64(&arena.lost, <uint64_t>0 - found)
        slab.free_slots += found
        settle_slab(arena, &heap.bins[slab.size_class], slab)


cdef inline void collect_lost(Arena *arena, Heap *heap) noexcept nogil:
    """Look through all our slabs for LOST slots: only after memory has been so short that a batch was not to be had."""
    cdef uint32_t i
    cdef Region *region
    cdef Record *record
    cdef Record *end
    cdef uint32_t units
    m4_acquire(&arena.lock)
    for i in range(arena.region_count):
        region = &arena.regions[i]
        record = region.records
        end = region.records + (region.used >> UNIT_SHIFT)
        while record < end:
            units = record.units if record.units != 0 else 1
            if record.kind == SLAB and record.owner == heap:
                collect_lost_of(arena, heap, record)
            record += units
    m4_relinquish(&arena.lock)


cdef inline void review_line(Arena *arena, Ring *ring, uint32_t c) noexcept nogil:
    """Report the slots in a line that their owners have freed as well, and forget them."""
    cdef uint32_t i, j
    cdef Batch *batch
    if ring.line == NULL:
        return
    for i in range(arena.class_line[c]):
        batch = ring.line[i]
        if batch == NULL:
            continue
        for j in range(batch.count):
            if batch.slots[j].address != NULL and batch.slots[j].state[0] != REMOTE:
                report_racing_free(arena, record_of(arena, batch.slots[j].address))
                batch.slots[j].address = NULL
