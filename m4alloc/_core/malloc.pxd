# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""malloc and free: the two hot paths, a page together, and the slow paths behind them.

Every function takes the arena and the calling thread's heap in it: nobody's (m4_no_heap, all of whose stacks are empty)
when it has none yet, so that the hot paths need no test for it.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (ENOMEM, M4_FAULT, likely, m4_acquire, m4_coarse_ms, m4_enter, m4_errno, m4_is_nobody,
                              m4_multiply, m4_nobody, m4_read8, m4_read64, m4_read_pointer, m4_relinquish, m4_set_errno,
                              m4_swap8, m4_untag, m4_write8, memset, unlikely)
from m4alloc._core.fault cimport FAULT_STATE_NOT_CLEARED
from m4alloc._core.heap cimport new_heap, publish_remote, push_slot, refill, scavenge
from m4alloc._core.large cimport allocate_large, free_large
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_pointer, report_write
from m4alloc._core.size_class cimport remote_batch, remote_length, size_class
from m4alloc._core.slot cimport record_of, slot_state
from m4alloc._core.span cimport purge_until
from m4alloc._core.types cimport (CACHED, DELAYED, FOREIGN, HOOK_NO_DELAY, HOOK_QUARANTINE, HOOK_ZERO, LIVE, NO_MISUSE,
                                  SMALL_MAX, UNIT_SHIFT, Arena, Bin, Heap, Record, Ring, Slot)

cdef enum:
    POISON = 0xD5              # what quarantined slots are filled with


cdef inline void *allocate_slow "m4_allocate_slow"(Arena *arena, Heap *heap, size_t size) noexcept nogil:
    """allocate when the stack is empty, the thread has no heap yet, or the request is large."""
    cdef int before = m4_errno()
    cdef uint32_t c
    cdef void *block = NULL
    cdef Bin *bin
    if m4_is_nobody(heap):
        heap = <Heap *>m4_enter(arena)
    if size > SMALL_MAX:
        block = allocate_large(arena, size, 1, False)
    elif not m4_is_nobody(heap):
        c = size_class(arena, size)
        bin = &heap.bins[c]
        if bin.top != bin.bottom or refill(arena, heap, c):
            bin.top -= 1
            m4_write8(bin.top.state, LIVE)
            block = bin.top.address
    m4_set_errno(ENOMEM if block == NULL else before)
    return block


cdef inline void *allocate(Arena *arena, Heap *heap, size_t size) noexcept nogil:
    """A block of at least `size` bytes, or NULL with errno ENOMEM."""
    cdef Bin *bin
    cdef Slot *top
    if unlikely(size > SMALL_MAX):
        return allocate_slow(arena, heap, size)
    bin = &heap.bins[size_class(arena, size)]
    top = bin.top
    if unlikely(top == bin.bottom):
        return allocate_slow(arena, heap, size)
    top -= 1
    bin.top = top
    m4_write8(top.state, LIVE)
    return top.address


cdef inline Slot exchange_slot(Slot *ring, uint32_t *next, uint32_t length, Slot slot) noexcept nogil:
    """Put a slot into a ring and take out the one that has been there for `length` exchanges (NULL: none yet)."""
    cdef uint32_t i = next[0]
    cdef Slot oldest = ring[i]
    ring[i] = slot
    i += 1
    next[0] = 0 if i == length else i
    return oldest


cdef inline Slot exchange_delay(Bin *bin, uint32_t length, Slot slot) noexcept nogil:
    """Put a slot into the bin's delay line of that length; the one that has been there longest (NULL: none yet)."""
    cdef Slot oldest = bin.delay_at[0]
    bin.delay_at[0] = slot
    if bin.delay_at == bin.delay_last:
        bin.delay_at -= length - 1
    else:
        bin.delay_at += 1
    return oldest


cdef inline void tick(Arena *arena, Heap *heap) noexcept nogil:
    """Once a turn of a delay line: look at the clock now and then.

    By this, pages that have been free for too long go back to the system without a thread for it.
    """
    cdef int before
    cdef uint64_t now
    heap.ticks += 1
    if heap.ticks % 4 != 0:
        return
    before = m4_errno()
    now = m4_coarse_ms()
    if now - heap.scavenged_ms >= arena.knobs.retain_ms:
        heap.scavenged_ms = now
        scavenge(arena, heap)
    if m4_read_pointer(<void **>&arena.oldest) != NULL:
        m4_acquire(&arena.lock)
        purge_until(arena, arena.knobs.retain_bytes, now)
        m4_relinquish(&arena.lock)
    m4_set_errno(before)


cdef inline int release_turn "m4_release_turn"(Arena *arena, Heap *heap, Bin *bin, char *address,
                                               uint8_t *state) noexcept nogil:
    """release by the owner when its delay line comes round or its stack is full."""
    cdef Slot slot
    slot.address = address
    slot.state = state
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        m4_write8(state, CACHED)
    if bin.delay_at == bin.delay_last:
        tick(arena, heap)
    slot = exchange_delay(bin, arena.class_delay[bin - heap.bins], slot)
    if slot.address != NULL:
        push_slot(arena, heap, bin, slot.address, slot.state)
    return NO_MISUSE


cdef inline void check_poison(Arena *arena, const Slot *slot, uint32_t slot_size) noexcept nogil:
    """Report the first byte of a quarantined slot that is not poison any more."""
    cdef uint32_t i
    for i in range(slot_size):
        if <uint8_t>slot.address[i] != POISON:
            report_write(arena, slot.address, i, slot_size)
            return


cdef inline int release_hooked "m4_release_hooked"(Arena *arena, Heap *heap, Bin *bin, char *address,
                                                   uint8_t *state) noexcept nogil:
    """A free by the owner that does more than the hot path knows: zeroing, no delay line, quarantine."""
    cdef uint32_t c = <uint32_t>(bin - heap.bins)
    cdef Slot slot
    slot.address = address
    slot.state = state
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        m4_write8(state, CACHED)
    if bin.hooks & HOOK_QUARANTINE:
        memset(slot.address, POISON, bin.slot_size)
    elif bin.hooks & HOOK_ZERO:
        memset(slot.address, 0, bin.slot_size)
    if not bin.hooks & HOOK_NO_DELAY:
        slot = exchange_delay(bin, arena.class_delay[c], slot)
    if slot.address != NULL and bin.hooks & HOOK_QUARANTINE:
        slot = exchange_slot(heap.rings[c].slots, &heap.rings[c].next, arena.class_quarantine[c], slot)
        if slot.address != NULL:
            check_poison(arena, &slot, bin.slot_size)
    if slot.address != NULL:
        push_slot(arena, heap, bin, slot.address, slot.state)
    return NO_MISUSE


cdef inline int delay_remote(Arena *arena, Heap *heap, uint32_t c, Slot slot) noexcept nogil:
    """Put a DELAYED slot into the line for other threads' slots; the oldest batch leaves when its place is needed.

    The line is a batch longer than the delay, so the youngest of the batch that leaves has waited long enough too.
    """
    cdef Bin *bin = &heap.bins[c]
    cdef Ring *ring = &heap.rings[c]
    cdef uint32_t batch = remote_batch(arena, c)
    cdef uint32_t length = remote_length(arena, c)
    cdef int result = NO_MISUSE
    if bin.remote_delay == NULL:
        m4_acquire(&arena.lock)
        bin.remote_delay = <Slot *>take_metadata(arena, length * sizeof(Slot))
        m4_relinquish(&arena.lock)
        if bin.remote_delay == NULL:  # out of memory: rather no delay than a lost slot
            return publish_remote(arena, heap, &slot, 1)
    if ring.remote_next % batch == 0:
        result = publish_remote(arena, heap, bin.remote_delay + ring.remote_next, batch)
    bin.remote_delay[ring.remote_next] = slot
    ring.remote_next += 1
    if ring.remote_next == length:
        ring.remote_next = 0
    return result


cdef inline int delay_orphan(Arena *arena, uint32_t c, Slot slot) noexcept nogil:
    """delay_remote for threads without a heap: they share one, under the lock."""
    cdef int result
    m4_acquire(&arena.lock)
    if arena.orphans == NULL:
        arena.orphans = new_heap(arena, 1)
        if arena.orphans != NULL:
            arena.orphans.abandoned = 1  # no thread's, and on no list
    if arena.orphans != NULL:
        result = delay_remote(arena, arena.orphans, c, slot)
    else:
        result = publish_remote(arena, NULL, &slot, 1)
    m4_relinquish(&arena.lock)
    return result


cdef inline int release_remote "m4_release_remote"(Arena *arena, Heap *heap, Record *record,
                                                   Slot slot) noexcept nogil:
    """Free a slot of another thread's: mark it, delay it here, then tell its owner.

    The delay line is the freeing thread's, so that when the owner learns of the slot it may reuse it at once.
    heap: nobody's for a thread that is exiting.
    """
    cdef uint32_t c = record.size_class
    if not m4_swap8(slot.state, LIVE, DELAYED):
        return report_pointer(arena, False, slot.address)
    if arena.knobs.zero_on_free >= record.slot_size:
        memset(slot.address, 0, record.slot_size)
    if m4_is_nobody(heap):
        return delay_orphan(arena, c, slot)
    return delay_remote(arena, heap, c, slot)


cdef inline int release_slow "m4_release_slow"(Arena *arena, Heap *heap, char *address) noexcept nogil:
    """release of NULL, of large blocks, of slots outside the first region or of other threads', and all misuse."""
    cdef int before, result
    cdef Record *record
    cdef Slot slot
    if address == NULL:
        return NO_MISUSE
    before = m4_errno()
    if heap == m4_nobody():  # a thread's first call; one that is exiting gets no new heap, for nobody would abandon it
        heap = <Heap *>m4_enter(arena)
    record = record_of(arena, address)
    slot.address = address
    slot.state = NULL
    if record != NULL:
        slot.state = slot_state(record, address)
    if slot.state != NULL and m4_read8(slot.state) == LIVE:
        if record.owner == heap:
            release_hooked(arena, heap, &heap.bins[record.size_class], address, slot.state)
            result = NO_MISUSE
        else:
            result = release_remote(arena, heap, record, slot)
    elif slot.state == NULL and free_large(arena, address):
        result = NO_MISUSE
    else:
        result = report_pointer(arena, False, address)
        if result == FOREIGN and arena.forward_free != NULL:
            arena.forward_free(address)
    m4_set_errno(before)
    return result


cdef inline int release(Arena *arena, Heap *heap, void *block) noexcept nogil:
    """Free a block: NO_MISUSE, or what was wrong (MisuseKind) when the mode lets the program go on. errno is kept."""
    cdef char *address = m4_untag(block)
    cdef uint64_t offset = <uint64_t>(address - arena.base)
    cdef uint64_t index, low, reciprocal
    cdef uint8_t *state
    cdef Record *record
    cdef Bin *bin
    cdef Slot *place
    cdef Slot *top
    if unlikely(offset >= m4_read64(&arena.used)):
        return release_slow(arena, heap, address)
    record = arena.records + (offset >> UNIT_SHIFT)
    # slot_state by hand: one branch fewer.
    reciprocal = m4_read64(&record.reciprocal)
    index = m4_multiply(<uint64_t>(address - record.start), reciprocal, &low)
    if unlikely(low >= reciprocal):
        return release_slow(arena, heap, address)
    state = record.states + index
    if unlikely(m4_read8(state) != LIVE or record.owner != heap):
        return release_slow(arena, heap, address)
    bin = record.bin
    place = bin.delay_at
    top = bin.top
    if unlikely(place == bin.delay_last or top == bin.limit):
        return release_turn(arena, heap, bin, address, state)
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        m4_write8(state, CACHED)
    # exchange_delay and push_slot by hand.
    if likely(place.address != NULL):
        top[0] = place[0]
        bin.top = top + 1
    place.address = address
    place.state = state
    bin.delay_at = place + 1
    return NO_MISUSE
