# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""malloc and free: the two hot paths, a page together, and the slow paths behind them.

Every function takes the arena and the calling thread's heap in it: nobody's (m4_no_heap, all of whose stacks are empty)
when it has none yet, so that the hot paths need no test for it.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (ENOMEM, M4_FAULT, likely, m4_acquire, m4_coarse_ms, m4_enter, m4_errno, m4_is_nobody,
                              m4_multiply, m4_nobody, m4_relinquish, m4_set_errno, m4_swap8, m4_untag, memset, unlikely)
from m4alloc._core.fault cimport FAULT_STATE_NOT_CLEARED
from m4alloc._core.heap cimport new_heap, refill, scavenge
from m4alloc._core.large cimport allocate_large, free_large
from m4alloc._core.misuse cimport report_pointer, report_write
from m4alloc._core.remote cimport delay_remote, publish_remote
from m4alloc._core.size_class cimport size_class
from m4alloc._core.slot cimport record_of, slot_state
from m4alloc._core.span cimport purge_until, retained
from m4alloc._core.stack cimport push_slot
from m4alloc._core.types cimport (CACHED, DELAYED, FOREIGN, HOOK_NO_DELAY, HOOK_QUARANTINE, HOOK_ZERO, LIVE, NO_MISUSE,
                                  SMALL_MAX, UNIT_SHIFT, Arena, Bin, Heap, Record, Slot)

cdef enum:
    POISON = 0xD5              # what quarantined slots are filled with
    TICK = 1024                # frees of a class between two looks at the clock: a look costs as much as 10 frees
    TICK_MASK = TICK * sizeof(Slot) - 1


cdef inline void *allocate_slow "m4_allocate_slow"(size_t size, Heap *heap, Arena *arena) noexcept nogil:
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
            bin.top.state[0] = LIVE
            block = bin.top.address
    m4_set_errno(ENOMEM if block == NULL else before)
    return block


cdef inline void *allocate(Arena *arena, Heap *heap, size_t size) noexcept nogil:
    """A block of at least `size` bytes, or NULL with errno ENOMEM."""
    cdef Bin *bin
    cdef Slot *top
    if unlikely(size > SMALL_MAX):
        return allocate_slow(size, heap, arena)
    bin = &heap.bins[size_class(arena, size)]
    top = bin.top
    if unlikely(top == bin.bottom):
        return allocate_slow(size, heap, arena)
    top -= 1
    bin.top = top
    top.state[0] = LIVE
    return top.address


cdef inline Slot exchange_slot(Slot *ring, uint32_t *next, uint32_t length, Slot slot) noexcept nogil:
    """Put a slot into a ring and take out the one that has been there for `length` exchanges (NULL: none yet)."""
    cdef uint32_t i = next[0]
    cdef Slot oldest = ring[i]
    ring[i] = slot
    i += 1
    next[0] = 0 if i == length else i
    return oldest


cdef inline Slot exchange_delay(Bin *bin, Slot slot) noexcept nogil:
    """Put a slot into the bin's delay line; the one that has been there longest (NULL: none yet)."""
    cdef Slot *place = <Slot *>(<char *>bin.delay + (bin.freed & bin.delay_mask))
    cdef Slot oldest
    oldest.address = place.address
    oldest.state = place.state
    place.address = slot.address
    place.state = slot.state
    return oldest


cdef inline void tick(Arena *arena, Heap *heap) noexcept nogil:
    """Once every TICK frees of a class: return pages that have been free for too long, without a thread for it."""
    cdef int before = m4_errno()
    cdef uint64_t now = m4_coarse_ms()
    if now - heap.scavenged_ms >= arena.knobs.retain_ms:
        heap.scavenged_ms = now
        scavenge(arena, heap)
    if arena.oldest != NULL and now - heap.purged_ms >= arena.knobs.retain_ms // 4:
        heap.purged_ms = now
        m4_acquire(&arena.lock)
        purge_until(arena, retained(arena), now)
        m4_relinquish(&arena.lock)
    m4_set_errno(before)


cdef inline int release_turn "m4_release_turn"(char *address, Heap *heap, Arena *arena, Bin *bin,
                                               uint8_t *state) noexcept nogil:
    """release by the owner when it is time to look at the clock or the stack is full."""
    cdef Slot slot
    slot.address = address
    slot.state = state
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        state[0] = CACHED
    slot = exchange_delay(bin, slot)
    bin.freed += sizeof(Slot)
    if slot.address != NULL:
        push_slot(arena, heap, bin, slot.address, slot.state)
    if bin.freed & TICK_MASK == 0:
        tick(arena, heap)
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
        state[0] = CACHED
    if bin.hooks & HOOK_QUARANTINE:
        memset(slot.address, POISON, bin.slot_size)
    elif bin.hooks & HOOK_ZERO:
        memset(slot.address, 0, bin.slot_size)
    if not bin.hooks & HOOK_NO_DELAY:
        slot = exchange_delay(bin, slot)
    bin.freed += sizeof(Slot)
    if slot.address != NULL and bin.hooks & HOOK_QUARANTINE:
        slot = exchange_slot(heap.rings[c].slots, &heap.rings[c].next, arena.class_quarantine[c], slot)
        if slot.address != NULL:
            check_poison(arena, &slot, bin.slot_size)
    if slot.address != NULL:
        push_slot(arena, heap, bin, slot.address, slot.state)
    return NO_MISUSE


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
        result = publish_remote(arena, &slot, 1)
    m4_relinquish(&arena.lock)
    return result


cdef inline int release_remote "m4_release_remote"(Arena *arena, Heap *heap, Record *record,
                                                   Slot slot) noexcept nogil:
    """Free a slot of another thread's: mark it, delay it here, then tell its owner.

    The delay line is the freeing thread's, so that when the owner learns of the slot it may reuse it at once.
    heap: nobody's for a thread that is exiting.
    """
    if not m4_swap8(slot.state, LIVE, DELAYED):
        return refuse(arena, slot.address)
    if arena.knobs.zero_on_free >= record.slot_size:
        memset(slot.address, 0, record.slot_size)
    if m4_is_nobody(heap):
        return delay_orphan(arena, record.size_class, slot)
    return delay_remote(arena, heap, record.size_class, slot)


cdef inline int refuse(Arena *arena, char *address) noexcept nogil:
    """Report a free of what cannot be freed, or forward it; errno is kept."""
    cdef int before = m4_errno()
    cdef int result = report_pointer(arena, False, address)
    if result == FOREIGN and arena.forward_free != NULL:
        arena.forward_free(address)
    m4_set_errno(before)
    return result


cdef inline int release_slow "m4_release_slow"(char *address, Heap *heap, Arena *arena) noexcept nogil:
    """release of NULL, of large blocks, of slots outside the first region or of other threads', and all misuse."""
    cdef int before
    cdef bint freed
    cdef Record *record
    cdef Slot slot
    if address == NULL:
        return NO_MISUSE
    if heap == m4_nobody():  # a thread's first call; one that is exiting gets no new heap, for nobody would abandon it
        before = m4_errno()
        heap = <Heap *>m4_enter(arena)
        m4_set_errno(before)
    record = record_of(arena, address)
    if record == NULL:
        return refuse(arena, address)
    slot.address = address
    slot.state = slot_state(record, address)
    if slot.state != NULL:
        if slot.state[0] != LIVE:
            return refuse(arena, address)
        if record.owner != heap:
            return release_remote(arena, heap, record, slot)
        return release_hooked(arena, heap, &heap.bins[record.size_class], address, slot.state)
    before = m4_errno()
    freed = free_large(arena, address)
    m4_set_errno(before)
    return NO_MISUSE if freed else refuse(arena, address)


cdef inline int release(Arena *arena, Heap *heap, void *block) noexcept nogil:
    """Free a block: NO_MISUSE, or what was wrong (MisuseKind) when the mode lets the program go on. errno is kept."""
    cdef char *address = m4_untag(block)
    cdef uint64_t offset = <uint64_t>(address - arena.base)
    cdef uint64_t index, low, freed
    cdef uint8_t *state
    cdef Record *record
    cdef Bin *bin
    cdef Slot *place
    cdef Slot *top
    if unlikely(offset >= arena.used):
        return release_slow(address, heap, arena)
    record = arena.records + (offset >> UNIT_SHIFT)
    # slot_state by hand: one branch fewer.
    index = m4_multiply(<uint64_t>(address - record.start), record.reciprocal, &low)
    if unlikely(low >= record.reciprocal):
        return release_slow(address, heap, arena)
    state = record.states + index
    if unlikely(state[0] != LIVE or record.owner != heap):
        return release_slow(address, heap, arena)
    bin = record.bin
    freed = bin.freed
    place = <Slot *>(<char *>bin.delay + (freed & bin.delay_mask))
    freed += sizeof(Slot)
    top = bin.top
    if unlikely(freed & TICK_MASK == 0 or top == bin.limit):
        return release_turn(address, heap, arena, bin, state)
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        state[0] = CACHED
    # exchange_delay and push_slot by hand.
    if likely(place.address != NULL):
        top.address = place.address
        top.state = place.state
        bin.top = top + 1
    place.address = address
    place.state = state
    bin.freed = freed
    return NO_MISUSE
