# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Hooks: what malloc and free of a class do besides, when the strategy wants it: canaries, zeroing, checks on reuse.

A hooked free is found through arena.used, which is 0 then, and a hooked malloc through class_of, which leads to a bin
that is always empty; so the hot paths have no test for them.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (likely, m4_any_of_32, m4_first_unlike, m4_is_zero, m4_load8, m4_load_beside,
                              m4_prefetch_slot, m4_zero, memset, unlikely)
from m4alloc._core.canary cimport CANARY_BYTES, canary_key, first_overflow, read_canary, repeated, set_canary
from m4alloc._core.misuse cimport report_beside, report_canary, report_overflow, report_write
from m4alloc._core.side cimport begin_history, thread_of
from m4alloc._core.slot cimport record_of
from m4alloc._core.types cimport (CACHED, FREE, HOOK_CANARY, HOOK_CHECK, HOOK_EMPTY, HOOK_HISTORY, HOOK_KEEP,
                                  HOOK_QUARANTINE, HOOK_ZERO, LIVE, NO_MISUSE, Arena, Bin, Heap, Record, Slot)

cdef enum:
    POISON = 0xD5              # what quarantined slots are filled with, unless they are zeroed
    BESIDE = 32                # bytes before and after a block that a free looks at; no canaried slot is shorter


cdef inline void not_zero "m4_not_zero"(Arena *arena, char *address, const uint8_t *state,
                                        uint64_t bytes) noexcept nogil:
    """Report the first of a free slot's `bytes` zeroed bytes that is zero no more, and make it so again."""
    report_write(arena, address, state, m4_first_unlike(address, bytes, 0), record_of(arena, address).slot_size)
    m4_zero(address, bytes)


cdef inline void check_poison(Arena *arena, char *address, const uint8_t *state, uint64_t slot_size) noexcept nogil:
    """Report the first byte of a quarantined slot that is not poison any more."""
    cdef uint64_t at = m4_first_unlike(address, slot_size, POISON)
    if unlikely(at != slot_size):
        report_write(arena, address, state, at, slot_size)


cdef inline void check_last_freed(Arena *arena, Heap *heap) noexcept nogil:
    """Look at the slot that this thread freed last: what is written after a free is mostly written at once.

    It is in a delay line or in a quarantine, so nobody has it.
    """
    cdef char *address = heap.last_freed.address
    if address == NULL:
        return
    heap.last_freed.address = NULL
    if unlikely(not m4_is_zero(address, heap.last_size)):
        not_zero(arena, address, heap.last_freed.state, heap.last_size)


cdef inline void *hand_out "m4_hand_out"(Arena *arena, Heap *heap, Bin *bin, uint64_t size) noexcept nogil:
    """Pop a slot for a hooked malloc of `size` bytes from a stack that is not empty."""
    cdef Slot *top = bin.top - 1
    cdef char *address = top.address
    cdef uint8_t *state = top.state
    cdef uint32_t hooks = bin.hooks
    cdef uint64_t bytes
    bin.top = top
    # The slot that is likely next; below the stack lie other slots of the class, so that there always is one to read.
    m4_prefetch_slot((top - 1).address, bin.slot_size)
    if hooks & HOOK_CHECK:
        bytes = arena.class_checked[bin - heap.bins]
        if unlikely(not m4_is_zero(address, bytes)):
            not_zero(arena, address, state, bytes)
    state[0] = LIVE
    if hooks & HOOK_CANARY:
        set_canary(arena, address, bin.slot_size, size)
    if hooks & HOOK_HISTORY:
        begin_history(arena, record_of(arena, address), state, thread_of(heap))
    return address


cdef inline int check_slack "m4_check_slack"(Arena *arena, char *address, const uint8_t *state,
                                             uint64_t slot_size) noexcept nogil:
    """Report when a byte behind the block has changed; NO_MISUSE, or the kind when the program goes on."""
    cdef uint64_t size, at
    if unlikely(not read_canary(arena, address, slot_size, &size)):
        return report_canary(arena, address, state, slot_size)
    at = first_overflow(arena, address, slot_size, size)
    if unlikely(at != slot_size):
        return report_overflow(arena, address, state, size, at, slot_size)
    return NO_MISUSE


cdef inline uint64_t block_size(const Arena *arena, const Record *record, const char *address) noexcept nogil:
    """The usable size of the live slot at `address`: its class, or under canaries the request's size."""
    cdef uint64_t size = record.slot_size
    if arena.class_hooks[record.size_class] & HOOK_EMPTY:
        return 0
    if arena.class_hooks[record.size_class] & HOOK_CANARY:
        if not read_canary(arena, address, record.slot_size, &size):
            size = record.slot_size - CANARY_BYTES
    return size


cdef inline void check_beside "m4_check_beside"(Arena *arena, const Record *record, char *address,
                                                uint8_t *state) noexcept nogil:
    """When a block of ours is freed, look at what is next to it, in the slots before and after it of the same slab.

    That is BESIDE bytes of a free slot, which are zero, and the canary of a live one before it; a live slot after it
    begins with its client's bytes. All is computed and then chosen, for what a neighbour is cannot be predicted.
    Only the owner does this: no other thread hands out slots of this slab, or zeroes one that is CACHED or FREE. Others
    may free a live one meanwhile, so that one counts as changed only if it is live still.
    """
    cdef uint64_t size = record.slot_size
    cdef bint zeroed = arena.class_zeroed[record.size_class] == size  # else free slots may hold anything
    cdef uint32_t index = <uint32_t>(state - record.states)
    cdef uint64_t slack, canary, bytes
    cdef uint8_t seen
    if likely(index != 0):
        seen = m4_load8(state - 1)
        slack = m4_load_beside(address - CANARY_BYTES) ^ canary_key(arena, address - size)
        canary = slack ^ repeated(slack, size)
        bytes = m4_any_of_32(address - BESIDE) if zeroed and (seen == CACHED or seen == FREE) else 0
        if unlikely((canary if seen == LIVE else bytes) != 0):
            if seen != LIVE or m4_load8(state - 1) == LIVE:
                report_beside(arena, address, address - size, size, seen != LIVE)
                return
    if likely(zeroed and index != record.slots - 1):
        seen = m4_load8(state + 1)
        bytes = m4_any_of_32(address + size)
        if unlikely((bytes if seen == CACHED or seen == FREE else 0) != 0):
            report_beside(arena, address, address + size, size, True)


cdef inline void wipe(Arena *arena, uint32_t c, uint32_t hooks, char *address, uint64_t slot_size) noexcept nogil:
    """Zero or poison the slot of a block that is freed, as its class wants it."""
    if hooks & HOOK_ZERO:
        m4_zero(address, arena.class_zeroed[c])
    elif hooks & HOOK_QUARANTINE and not hooks & (HOOK_EMPTY | HOOK_KEEP):
        memset(address, POISON, slot_size)


cdef inline void check_leaving(Arena *arena, uint32_t c, uint32_t hooks, char *address, const uint8_t *state,
                               uint64_t slot_size) noexcept nogil:
    """Look at a slot that leaves its quarantine; under HOOK_CHECK its next malloc does that."""
    if hooks & (HOOK_CHECK | HOOK_EMPTY | HOOK_KEEP):
        return
    if not hooks & HOOK_ZERO:
        check_poison(arena, address, state, slot_size)
    elif unlikely(not m4_is_zero(address, arena.class_zeroed[c])):
        not_zero(arena, address, state, arena.class_zeroed[c])


cdef inline void mend_slot(Arena *arena, const Record *slab, uint32_t index) noexcept nogil:
    """In a forked child: finish what a vanished thread may have left half done in a slot, wiping it or sealing it."""
    cdef uint32_t hooks = arena.class_hooks[slab.size_class]
    cdef char *address = slab.start + <uint64_t>index * slab.slot_size
    cdef uint64_t size
    if slab.states[index] == LIVE:
        if hooks & HOOK_CANARY and not read_canary(arena, address, slab.slot_size, &size):
            set_canary(arena, address, slab.slot_size, slab.slot_size - CANARY_BYTES)
    elif hooks & HOOK_ZERO and not m4_is_zero(address, arena.class_zeroed[slab.size_class]):
        m4_zero(address, arena.class_zeroed[slab.size_class])
