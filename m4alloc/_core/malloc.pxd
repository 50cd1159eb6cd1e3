# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""malloc and free: the two hot paths, a page together, and the slow paths behind them.

Every function takes the arena and the calling thread's heap in it: nobody's (m4_no_heap, all of whose stacks are empty)
when it has none yet, so that the hot paths need no test for it.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (ENOMEM, M4_FAULT, likely, m4_acquire, m4_coarse_ms, m4_enter, m4_errno, m4_is_nobody,
                              m4_multiply, m4_nobody, m4_relinquish, m4_set_errno, m4_swap8, m4_untag, unlikely)
from m4alloc._core.fault cimport FAULT_STATE_NOT_CLEARED
from m4alloc._core.canary cimport with_canary
from m4alloc._core.chance cimport draw_below
from m4alloc._core.heap cimport new_heap, publish_remote, push_slot, refill, scavenge, show_stack
from m4alloc._core.hooks cimport (check_beside, check_last_freed, check_leaving, check_slack, hand_out, wipe)
from m4alloc._core.large cimport allocate_large, free_large
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_pointer
from m4alloc._core.sample cimport allocate_sample, count_down, free_sample
from m4alloc._core.side cimport note_free, thread_of
from m4alloc._core.size_class cimport remote_batch, remote_length, size_class, slot_class
from m4alloc._core.slot cimport record_of, slot_state
from m4alloc._core.span cimport purge_until
from m4alloc._core.types cimport (CACHED, DELAYED, FOREIGN, HOOK_CANARY, HOOK_CHECK, HOOK_HISTORY, HOOK_NO_DELAY,
                                  HOOK_QUARANTINE, HOOK_RANDOM, LIVE, NO_MISUSE, SAMPLE_SPAN, SMALL_MAX, UNIT_SHIFT, Arena, Bin, Heap, Record, Ring,
                                  Slot)


cdef inline void *allocate_refilled "m4_allocate_refilled"(Arena *arena, Heap *heap, uint32_t c,
                                                       size_t size) noexcept nogil:
    """allocate_hooked when the stack is empty."""
    cdef int before = m4_errno()
    cdef Bin *bin = &heap.bins[c]
    cdef void *block = NULL
    if refill(arena, heap, c):
        block = hand_out(arena, heap, bin, size)
    m4_set_errno(ENOMEM if block == NULL else before)
    return block


cdef inline void *allocate_hooked "m4_allocate_hooked"(Arena *arena, Heap *heap, uint32_t c, size_t size,
                                                       size_t alignment) noexcept nogil:
    """A slot of a class whose malloc does more than the hot path knows, for `size` bytes, or NULL with errno ENOMEM.

    heap: not nobody's. alignment: a power of two, which the class keeps; a sample has to keep it too.
    """
    cdef Bin *bin = &heap.bins[c]
    cdef void *block
    if arena.knobs.sample_rate != 0:
        heap.until_sample -= 1
        if heap.until_sample <= 0:
            block = allocate_sample(arena, heap, size, alignment)
            if block != NULL:
                return block
    check_last_freed(arena, heap)
    if unlikely(bin.top == bin.bottom):
        return allocate_refilled(arena, heap, c, size)
    return hand_out(arena, heap, bin, size)


cdef inline void *allocate_apart "m4_allocate_apart"(Arena *arena, size_t size) noexcept nogil:
    """A large block, errno kept or ENOMEM."""
    cdef int before = m4_errno()
    cdef void *block = allocate_large(arena, size, 1, False)
    m4_set_errno(ENOMEM if block == NULL else before)
    return block


cdef inline void *allocate_watched "m4_allocate_watched"(Arena *arena, Heap *heap, size_t size) noexcept nogil:
    """allocate under hooks on malloc: a canary behind the block, a look at the slot. heap: not nobody's."""
    cdef size_t room = with_canary(arena, size)
    if unlikely(room > SMALL_MAX):
        return allocate_apart(arena, size)
    return allocate_hooked(arena, heap, slot_class(arena, room), size, 1)


cdef inline void *allocate_slow "m4_allocate_slow"(Arena *arena, Heap *heap, size_t size) noexcept nogil:
    """allocate when the stack is empty, the thread has no heap yet, the request is large, or mallocs are hooked."""
    cdef int before
    cdef uint32_t c
    cdef void *block = NULL
    cdef Bin *bin
    cdef bint empty
    if likely(arena.hooked_malloc != 0 and not m4_is_nobody(heap)):  # likely: rather the hooked ones are quick
        return allocate_watched(arena, heap, size)
    before = m4_errno()
    if m4_is_nobody(heap):
        heap = <Heap *>m4_enter(arena)
        if arena.hooked_malloc and not m4_is_nobody(heap):
            return allocate_watched(arena, heap, size)
    if size > SMALL_MAX:
        block = allocate_large(arena, size, 1, False)
    elif not m4_is_nobody(heap):
        c = slot_class(arena, size)
        bin = &heap.bins[c]
        if arena.knobs.sample_rate != 0:
            show_stack(arena, heap, bin)
            if heap.until_sample <= 0:
                block = allocate_sample(arena, heap, size, 1)
        if block == NULL:
            empty = bin.top == bin.bottom
            if not empty or refill(arena, heap, c):
                bin.top -= 1
                bin.top.state[0] = LIVE
                block = bin.top.address
                if empty and arena.knobs.sample_rate != 0:
                    count_down(arena, heap, bin, <uint32_t>(bin.top - bin.bottom))
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
    top.state[0] = LIVE
    return top.address


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
    if arena.oldest != NULL:
        m4_acquire(&arena.lock)
        purge_until(arena, arena.knobs.retain_bytes, now)
        m4_relinquish(&arena.lock)
    m4_set_errno(before)


cdef inline int release_turn "m4_release_turn"(Arena *arena, Heap *heap, Bin *bin, char *address,
                                               uint8_t *state) noexcept nogil:
    """release by the owner when its delay line comes round or its stack is full."""
    cdef Slot slot
    cdef bint turned = bin.delay_at == bin.delay_last
    slot.address = address
    slot.state = state
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        state[0] = CACHED
    if turned:
        tick(arena, heap)
    slot = exchange_delay(bin, arena.class_delay[bin - heap.bins], slot)
    if slot.address != NULL:
        push_slot(arena, heap, bin, slot.address, slot.state)
    if turned and arena.knobs.sample_rate != 0:  # now that this slot is pushed, so that the next malloc sees none
        count_down(arena, heap, bin, arena.class_delay[bin - heap.bins])
    return NO_MISUSE


cdef inline int push_kept "m4_push_kept"(Arena *arena, Heap *heap, Bin *bin, char *address,
                                         uint8_t *state) noexcept nogil:
    """push_slot on a full stack, errno kept."""
    cdef int before = m4_errno()
    push_slot(arena, heap, bin, address, state)
    m4_set_errno(before)
    return NO_MISUSE


cdef inline int release_hooked "m4_release_hooked"(Arena *arena, Heap *heap, Record *record, char *address,
                                                   uint8_t *state) noexcept nogil:
    """A free by the owner that does more than the hot path knows: checks, zeroing, no delay line, quarantine.

    Addresses and states go one by one, not as a Slot: put together in memory they would have to wait for it.
    """
    cdef uint32_t c = record.size_class
    cdef Bin *bin = &heap.bins[c]
    cdef Ring *ring = &heap.rings[c]
    cdef uint32_t hooks = bin.hooks
    cdef Slot *place
    cdef char *oldest
    cdef uint8_t *oldest_state
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        state[0] = CACHED
    if hooks & HOOK_CANARY:
        check_slack(arena, address, state, bin.slot_size)
        check_beside(arena, record, address, state)
    if hooks & HOOK_HISTORY:
        note_free(arena, record, state, thread_of(heap))
    if hooks & HOOK_CHECK and hooks & (HOOK_NO_DELAY | HOOK_QUARANTINE) != HOOK_NO_DELAY:
        heap.last_freed.address = address
        heap.last_freed.state = state
        heap.last_size = arena.class_checked[c]
    wipe(arena, c, hooks, address, bin.slot_size)
    if not hooks & HOOK_NO_DELAY:
        place = bin.delay_at
        bin.delay_at = ring.delay if place == bin.delay_last else place + 1
        oldest = place.address
        oldest_state = place.state
        place.address = address
        place.state = state
        if oldest == NULL:
            return NO_MISUSE
        address = oldest
        state = oldest_state
    if hooks & HOOK_QUARANTINE:
        if hooks & HOOK_RANDOM:
            place = ring.slots + draw_below(&heap.random, arena.class_quarantine[c])
        else:
            place = ring.slots + ring.next
            ring.next = 0 if ring.next + 1 == arena.class_quarantine[c] else ring.next + 1
        oldest = place.address
        oldest_state = place.state
        place.address = address
        place.state = state
        if oldest == NULL:
            return NO_MISUSE
        address = oldest
        state = oldest_state
        check_leaving(arena, c, hooks, address, state, bin.slot_size)
    place = bin.top
    if unlikely(place == bin.limit):
        return push_kept(arena, heap, bin, address, state)
    place.address = address
    place.state = state
    bin.top = place + 1
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
            return publish_remote(arena, &slot, 1)
    if ring.remote_next % batch == 0:
        result = publish_remote(arena, bin.remote_delay + ring.remote_next, batch)
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
        arena.orphans = new_heap(arena)
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
    cdef uint32_t c = record.size_class
    if not m4_swap8(slot.state, LIVE, DELAYED):
        return report_pointer(arena, False, slot.address)
    if arena.hooked_malloc:
        if arena.class_hooks[c] & HOOK_CANARY:
            check_slack(arena, slot.address, slot.state, record.slot_size)
        if arena.knobs.history:
            note_free(arena, record, slot.state, 0 if m4_is_nobody(heap) else thread_of(heap))
    wipe(arena, c, arena.class_hooks[c], slot.address, record.slot_size)
    if m4_is_nobody(heap):
        return delay_orphan(arena, c, slot)
    return delay_remote(arena, heap, c, slot)


cdef inline int release_slow "m4_release_slow"(Arena *arena, Heap *heap, char *address) noexcept nogil:
    """release of NULL, of large blocks, of slots outside the first region or of other threads', all of a hooked arena's,
    and all misuse."""
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
    if slot.state != NULL and slot.state[0] == LIVE:
        if record.owner == heap:
            result = release_hooked(arena, heap, record, slot.address, slot.state)
        else:
            result = release_remote(arena, heap, record, slot)
    elif record != NULL and record.kind == SAMPLE_SPAN:
        result = free_sample(arena, heap, address, False)
    elif slot.state == NULL and free_large(arena, address):
        result = NO_MISUSE
    else:
        result = report_pointer(arena, False, address)
        if result == FOREIGN and arena.forward_free != NULL:
            arena.forward_free(address)
    m4_set_errno(before)
    return result


cdef inline int release_watched "m4_release_watched"(Arena *arena, Heap *heap, char *address) noexcept nogil:
    """release of what is not in the used part of the first region: of everything, where frees are hooked."""
    cdef Record *record
    cdef uint8_t *state
    if likely(arena.hooked != 0 and <uint64_t>(address - arena.base) < arena.regions[0].used):
        record = arena.records + (<uint64_t>(address - arena.base) >> UNIT_SHIFT)
        state = slot_state(record, address)
        if likely(state != NULL and state[0] == LIVE and record.owner == heap):
            return release_hooked(arena, heap, record, address, state)
    return release_slow(arena, heap, address)


cdef inline int release(Arena *arena, Heap *heap, void *block) noexcept nogil:
    """Free a block: NO_MISUSE, or what was wrong (MisuseKind) when the mode lets the program go on. errno is kept."""
    cdef char *address = m4_untag(block)
    cdef uint64_t offset = <uint64_t>(address - arena.base)
    cdef uint64_t index, low
    cdef uint8_t *state
    cdef Record *record
    cdef Bin *bin
    cdef Slot *place
    cdef Slot *top
    if unlikely(offset >= arena.used):
        return release_watched(arena, heap, address)
    record = arena.records + (offset >> UNIT_SHIFT)
    # slot_state by hand: one branch fewer.
    index = m4_multiply(<uint64_t>(address - record.start), record.reciprocal, &low)
    if unlikely(low >= record.reciprocal):
        return release_slow(arena, heap, address)
    state = record.states + index
    if unlikely(state[0] != LIVE or record.owner != heap):
        return release_slow(arena, heap, address)
    bin = record.bin
    place = bin.delay_at
    top = bin.top
    if unlikely(place == bin.delay_last or top == bin.limit):
        return release_turn(arena, heap, bin, address, state)
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        state[0] = CACHED
    # exchange_delay and push_slot by hand.
    if likely(place.address != NULL):
        top[0] = place[0]
        bin.top = top + 1
    place.address = address
    place.state = state
    bin.delay_at = place + 1
    return NO_MISUSE
