# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""malloc and free: the two hot paths, a page together, and the slow paths behind them.

Every function takes the arena and the calling thread's heap in it: nobody's (m4_no_heap, all of whose stacks are empty)
when it has none yet, so that the hot paths need no test for it.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (ENOMEM, M4_FAULT, likely, m4_acquire, m4_coarse_ms, m4_enter, m4_errno, m4_is_nobody,
                              m4_multiply, m4_nobody, m4_read8, m4_read64, m4_read_pointer, m4_relinquish, m4_set_errno,
                              m4_swap8, m4_untag, m4_write8, unlikely)
from m4alloc._core.canary cimport with_canary
from m4alloc._core.chance cimport draw_below
from m4alloc._core.fault cimport FAULT_STATE_NOT_CLEARED
from m4alloc._core.heap cimport refill
from m4alloc._core.hooks cimport (check_beside, check_last_freed, check_leaving, check_slack, hand_out, wipe)
from m4alloc._core.large cimport allocate_large, free_large
from m4alloc._core.misuse cimport report_pointer
from m4alloc._core.remote cimport delay_apart, delay_remote
from m4alloc._core.sample cimport allocate_sample, count_down, free_sample
from m4alloc._core.side cimport end_history, thread_of
from m4alloc._core.size_class cimport fitting_class, size_class
from m4alloc._core.slot cimport record_of, slot_state
from m4alloc._core.span cimport purge_until, retained
from m4alloc._core.stack cimport TICK, TICK_MASK, empty_stacks, push_slot, shared_heap, show_stack
from m4alloc._core.types cimport (CACHED, DELAYED, FOREIGN, HOOK_CANARY, HOOK_CHECK, HOOK_HISTORY, HOOK_NO_DELAY,
                                  HOOK_QUARANTINE, HOOK_RANDOM, LIVE, NO_BIN, NO_MISUSE, SAMPLE_SPAN, SMALL_MAX,
                                  UNIT_SHIFT, Arena, Bin, Heap, Record, Ring, Slot)


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
    if unlikely(size == 0 and c != arena.empty_class):
        size = 1  # blocks of usable size 0 are a class, whose quarantine can be told from outside
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


cdef inline void *allocate_apart "m4_allocate_apart"(Arena *arena, size_t size, size_t alignment) noexcept nogil:
    """A large block, errno kept or ENOMEM. alignment: a power of two."""
    cdef int before = m4_errno()
    cdef void *block = allocate_large(arena, size, alignment, False)
    m4_set_errno(ENOMEM if block == NULL else before)
    return block


cdef inline void *allocate_watched "m4_allocate_watched"(size_t size, Heap *heap, Arena *arena) noexcept nogil:
    """allocate under hooks on malloc: a canary behind the block, a look at the slot. heap: not nobody's."""
    cdef uint32_t c = fitting_class(arena, with_canary(arena, size))
    if unlikely(c == NO_BIN):
        return allocate_apart(arena, size, 1)
    return allocate_hooked(arena, heap, c, size, 1)


cdef inline void *allocate_shared(size_t size, Arena *arena) noexcept nogil:
    """allocate for a thread that can have no heap: it is exiting, or memory or thread keys are out."""
    cdef void *block
    m4_acquire(&arena.lock)
    block = allocate_slow(size, shared_heap(arena), arena)
    m4_relinquish(&arena.lock)
    return block


cdef inline void *allocate_slow "m4_allocate_slow"(size_t size, Heap *heap, Arena *arena) noexcept nogil:
    """allocate when the stack is empty, the thread has no heap yet, the request is over SMALL_MAX bytes or larger than
    every class, or mallocs are hooked."""
    cdef int before
    cdef uint32_t c
    cdef void *block = NULL
    cdef Bin *bin
    cdef bint empty
    if likely(not m4_is_nobody(heap) and arena.hooked_malloc != 0):  # likely: rather the hooked ones are quick
        return allocate_watched(size, heap, arena)
    before = m4_errno()
    if m4_is_nobody(heap):
        heap = <Heap *>m4_enter(arena)
        m4_set_errno(before)
        if unlikely(m4_is_nobody(heap)):
            return allocate_shared(size, arena)
        if arena.hooked_malloc:
            return allocate_watched(size, heap, arena)
    c = fitting_class(arena, size)
    if c == NO_BIN:
        block = allocate_large(arena, size, 1, False)
    else:
        bin = &heap.bins[c]
        if arena.knobs.sample_rate != 0:
            show_stack(arena, heap, bin)
            if heap.until_sample <= 0:
                block = allocate_sample(arena, heap, size, 1)
        if block == NULL:
            empty = bin.top == bin.bottom
            if not empty or refill(arena, heap, c):
                bin.top -= 1
                m4_write8(bin.top.state, LIVE)
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
        return allocate_slow(size, heap, arena)
    bin = &heap.bins[size_class(arena, size)]
    top = bin.top
    if unlikely(top == bin.bottom):
        return allocate_slow(size, heap, arena)
    top -= 1
    bin.top = top
    m4_write8(top.state, LIVE)
    return top.address


cdef inline Slot exchange_delay(Bin *bin, Slot slot) noexcept nogil:
    """Put a slot into the bin's delay line; the one that has been there longest (NULL: none yet)."""
    cdef Slot *place = <Slot *>(<char *>bin.delay + (bin.freed & bin.delay_mask))
    cdef Slot oldest
    oldest.address = place.address
    oldest.state = place.state
    place.address = slot.address
    place.state = slot.state
    bin.freed += sizeof(Slot)
    return oldest


cdef inline void tick(Arena *arena, Heap *heap) noexcept nogil:
    """Once every TICK frees of a class: return pages that have been free for too long, without a thread for it."""
    cdef int before = m4_errno()
    cdef uint64_t now = m4_coarse_ms()
    if now - heap.scavenged_ms >= arena.knobs.retain_ms:
        heap.scavenged_ms = now
        empty_stacks(arena, heap)  # a few slots on them may each pin a slab
    if m4_read_pointer(<void **>&arena.oldest) != NULL and now - heap.purged_ms >= arena.knobs.retain_ms // 4:
        heap.purged_ms = now
        m4_acquire(&arena.lock)
        purge_until(arena, retained(arena), now)
        m4_relinquish(&arena.lock)
    m4_set_errno(before)


cdef inline int release_turn "m4_release_turn"(char *address, Heap *heap, Arena *arena, Bin *bin,
                                               uint8_t *state) noexcept nogil:
    """release by the owner when it is time to look at the clock, or when its stack is full."""
    cdef Slot slot
    slot.address = address
    slot.state = state
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        m4_write8(state, CACHED)
    slot = exchange_delay(bin, slot)
    if slot.address != NULL:
        push_slot(arena, heap, bin, slot.address, slot.state)
    if bin.freed & TICK_MASK == 0:
        tick(arena, heap)
        if arena.knobs.sample_rate != 0:  # now that this slot is pushed, so that the next malloc sees none
            count_down(arena, heap, bin, TICK)
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
        m4_write8(state, CACHED)
    if hooks & HOOK_CANARY:
        check_slack(arena, address, state, bin.slot_size)
        check_beside(arena, record, address, state)
    if hooks & HOOK_HISTORY:
        end_history(arena, record, state, thread_of(heap))
    if hooks & HOOK_CHECK and hooks & (HOOK_NO_DELAY | HOOK_QUARANTINE) != HOOK_NO_DELAY:
        heap.last_freed.address = address
        heap.last_freed.state = state
        heap.last_size = arena.class_checked[c]
    wipe(arena, c, hooks, address, bin.slot_size)
    place = <Slot *>(<char *>bin.delay + (bin.freed & bin.delay_mask))
    bin.freed += sizeof(Slot)
    if unlikely(bin.freed & TICK_MASK == 0):
        tick(arena, heap)
    if not hooks & HOOK_NO_DELAY:
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
        return push_slot(arena, heap, bin, address, state)
    place.address = address
    place.state = state
    bin.top = place + 1
    return NO_MISUSE


cdef inline int refuse(Arena *arena, char *address) noexcept nogil:
    """Report a free of what cannot be freed, or forward it; errno is kept."""
    cdef int before = m4_errno()
    cdef int result = report_pointer(arena, False, address)
    if result == FOREIGN and arena.forward_free != NULL:
        arena.forward_free(address)
    m4_set_errno(before)
    return result


cdef inline int release_remote "m4_release_remote"(Arena *arena, Heap *heap, Record *record,
                                                   Slot slot) noexcept nogil:
    """Free a slot of another thread's: mark it, delay it here, then tell its owner.

    The delay line is the freeing thread's, so that when the owner learns of the slot it may reuse it at once.
    heap: nobody's for a thread that is exiting.
    """
    cdef uint32_t c = record.size_class
    if not m4_swap8(slot.state, LIVE, DELAYED):
        return refuse(arena, slot.address)
    if arena.hooked_malloc:
        if arena.class_hooks[c] & HOOK_CANARY:
            check_slack(arena, slot.address, slot.state, record.slot_size)
        if arena.knobs.history:
            end_history(arena, record, slot.state, 0 if m4_is_nobody(heap) else thread_of(heap))
    if arena.hooked:
        wipe(arena, c, arena.class_hooks[c], slot.address, record.slot_size)
    if m4_is_nobody(heap):
        return delay_apart(arena, c, slot)
    return delay_remote(arena, heap, c, slot)


cdef inline int release_apart(char *address, Heap *heap, Arena *arena, Record *record) noexcept nogil:
    """release of what is no slot: a sample, a large block, or misuse; errno is kept."""
    cdef int before = m4_errno()
    cdef int result = NO_MISUSE
    if record.kind == SAMPLE_SPAN:
        result = free_sample(arena, heap, address, False)
    elif not free_large(arena, address):
        return refuse(arena, address)
    m4_set_errno(before)
    return result


cdef inline int release_slow "m4_release_slow"(char *address, Heap *heap, Arena *arena) noexcept nogil:
    """release of NULL, of large blocks, of slots outside the first region or of other threads', all of a hooked arena's,
    and all misuse."""
    cdef int before
    cdef Record *record
    cdef Slot slot
    if address == NULL:
        return NO_MISUSE
    if heap == m4_nobody():  # a thread's first call
        before = m4_errno()
        heap = <Heap *>m4_enter(arena)
        m4_set_errno(before)
    record = record_of(arena, address)
    if record == NULL:
        return refuse(arena, address)
    slot.address = address
    slot.state = slot_state(record, address)
    if slot.state == NULL:
        return release_apart(address, heap, arena, record)
    if m4_read8(slot.state) != LIVE:
        return refuse(arena, address)
    if record.owner != heap:
        return release_remote(arena, heap, record, slot)
    return release_hooked(arena, heap, record, slot.address, slot.state)


cdef inline int release_found(Arena *arena, Heap *heap, Record *record, char *address, uint8_t *state) noexcept nogil:
    """release of a live slot that the caller has found, in an arena whose frees are hooked."""
    if likely(record.owner == heap and m4_read8(state) == LIVE):
        return release_hooked(arena, heap, record, address, state)
    return release_slow(address, heap, arena)


cdef inline int release_watched "m4_release_watched"(char *address, Heap *heap, Arena *arena) noexcept nogil:
    """release of what is not in the used part of the first region: of everything, where frees are hooked."""
    cdef Record *record
    cdef uint8_t *state
    if likely(not m4_is_nobody(heap) and arena.hooked != 0
              and <uint64_t>(address - arena.base) < m4_read64(&arena.regions[0].used)):
        record = arena.records + (<uint64_t>(address - arena.base) >> UNIT_SHIFT)
        state = slot_state(record, address)
        if likely(state != NULL and m4_read8(state) == LIVE and record.owner == heap):
            return release_hooked(arena, heap, record, address, state)
    return release_slow(address, heap, arena)


cdef inline int release(Arena *arena, Heap *heap, void *block) noexcept nogil:
    """Free a block: NO_MISUSE, or what was wrong (MisuseKind) when the mode lets the program go on. errno is kept."""
    cdef char *address = m4_untag(block)
    cdef uint64_t offset = <uint64_t>(address - arena.base)
    cdef uint64_t index, low, freed, reciprocal
    cdef uint8_t *state
    cdef Record *record
    cdef Bin *bin
    cdef Slot *place
    cdef Slot *top
    if unlikely(offset >= m4_read64(&arena.used)):
        return release_watched(address, heap, arena)
    record = arena.records + (offset >> UNIT_SHIFT)
    # slot_state by hand: one branch fewer.
    reciprocal = m4_read64(&record.reciprocal)
    index = m4_multiply(<uint64_t>(address - record.start), reciprocal, &low)
    if unlikely(low >= reciprocal):
        return release_slow(address, heap, arena)
    state = record.states + index
    if unlikely(m4_read8(state) != LIVE or record.owner != heap):
        return release_slow(address, heap, arena)
    bin = record.bin
    freed = bin.freed
    place = <Slot *>(<char *>bin.delay + (freed & bin.delay_mask))
    freed += sizeof(Slot)
    top = bin.top
    if unlikely(freed & TICK_MASK == 0 or top == bin.limit):
        return release_turn(address, heap, arena, bin, state)
    if M4_FAULT != FAULT_STATE_NOT_CLEARED:
        m4_write8(state, CACHED)
    # exchange_delay and push_slot by hand.
    if likely(place.address != NULL):
        top.address = place.address
        top.state = place.state
        bin.top = top + 1
    place.address = address
    place.state = state
    bin.freed = freed
    return NO_MISUSE
