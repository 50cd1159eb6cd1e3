# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Hooks: what malloc and free of a class do besides, when the strategy wants it: canaries, zeroing, checks on reuse.

A hooked free is found through arena.used, which is 0 then, and a hooked malloc through class_of, which leads to a bin
that is always empty; so the hot paths have no test for them.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_first_unlike, m4_is_zero, m4_load_word, m4_load8, m4_zero, memset
from m4alloc._core.canary cimport CANARY_BYTES, canary_key, first_overflow, four_times, read_canary, set_canary
from m4alloc._core.misuse cimport report_beside, report_canary, report_overflow, report_write
from m4alloc._core.side cimport note_allocation, thread_of
from m4alloc._core.slot cimport record_of
from m4alloc._core.types cimport (CACHED, FREE, HOOK_CANARY, HOOK_CHECK, HOOK_EMPTY, HOOK_QUARANTINE, HOOK_ZERO, LIVE,
                                  NO_MISUSE, Arena, Bin, Heap, Record, Slot)

cdef enum:
    POISON = 0xD5              # what quarantined slots are filled with, unless they are zeroed
    BESIDE = 32                # bytes before and after a block that a free looks at


cdef inline void check_zero(Arena *arena, const Slot *slot, uint64_t bytes, uint64_t slot_size) noexcept nogil:
    """Report the first of a free slot's `bytes` zeroed bytes that is zero no more, and make it so again."""
    if m4_is_zero(slot.address, bytes):
        return
    report_write(arena, slot.address, slot.state, m4_first_unlike(slot.address, bytes, 0), slot_size)
    m4_zero(slot.address, bytes)


cdef inline void check_poison(Arena *arena, const Slot *slot, uint64_t slot_size) noexcept nogil:
    """Report the first byte of a quarantined slot that is not poison any more."""
    cdef uint64_t at = m4_first_unlike(slot.address, slot_size, POISON)
    if at != slot_size:
        report_write(arena, slot.address, slot.state, at, slot_size)


cdef inline void check_last_freed(Arena *arena, Heap *heap) noexcept nogil:
    """Look at the slot that this thread freed last: what is written after a free is mostly written at once.

    It is in a delay line or in a quarantine, so nobody has it.
    """
    if heap.last_freed.address != NULL:
        check_zero(arena, &heap.last_freed, heap.last_size, record_of(arena, heap.last_freed.address).slot_size)
        heap.last_freed.address = NULL


cdef inline void hand_out(Arena *arena, Heap *heap, Bin *bin, const Slot *slot, uint64_t size) noexcept nogil:
    """What a hooked malloc of `size` bytes does with the slot that it hands out."""
    cdef uint32_t c = <uint32_t>(bin - heap.bins)
    if bin.hooks & HOOK_CHECK:
        check_zero(arena, slot, arena.class_checked[c], bin.slot_size)
    slot.state[0] = LIVE
    if bin.hooks & HOOK_CANARY:
        set_canary(arena, slot.address, bin.slot_size, size)
    if arena.knobs.history:
        note_allocation(arena, record_of(arena, slot.address), slot.state, thread_of(heap))


cdef inline int check_slack(Arena *arena, char *address, const uint8_t *state, uint64_t slot_size) noexcept nogil:
    """Report when a byte behind the block has changed; NO_MISUSE, or the kind when the program goes on."""
    cdef uint64_t size, at
    if not read_canary(arena, address, slot_size, &size):
        return report_canary(arena, address, state, slot_size)
    at = first_overflow(arena, address, slot_size, size)
    if at != slot_size:
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


cdef inline bint is_whole(const Arena *arena, const char *other, uint8_t *state, uint64_t from_, uint64_t bytes,
                          uint64_t slot_size, bint tail) noexcept nogil:
    """Is a slot beside one of ours as it must be? Of a live one the canary is looked at, of a free one `bytes` bytes.

    Other threads may free the slot meanwhile, so a live one counts as changed only if it is live still.
    """
    cdef uint8_t seen = m4_load8(state)
    cdef uint64_t slack
    if seen == LIVE:
        slack = m4_load_word(other + slot_size - CANARY_BYTES) ^ canary_key(arena, other)
        return slack == four_times(slack & 0xFFFF) or m4_load8(state) != LIVE
    if (seen == CACHED or seen == FREE) and not tail:
        return m4_is_zero(other + from_, bytes)
    return True


cdef inline void check_beside(Arena *arena, const Record *record, char *address, uint8_t *state) noexcept nogil:
    """When a block of ours is freed, look at up to BESIDE bytes on either side, where they are in the same slab.

    Only the owner does: no other thread hands out slots of this slab, or zeroes one that is CACHED or FREE.
    """
    cdef uint64_t slot_size = record.slot_size
    cdef bint unknown = arena.class_zeroed[record.size_class] < slot_size  # free slots may hold anything
    cdef uint64_t index = <uint64_t>(state - record.states)
    cdef uint64_t reach, bytes, i
    i = 1
    reach = 0
    while reach < BESIDE and i <= index:
        bytes = slot_size if slot_size < BESIDE - reach else BESIDE - reach
        if not is_whole(arena, address - i * slot_size, state - i, slot_size - bytes, bytes, slot_size, unknown):
            report_beside(arena, address, address - i * slot_size, slot_size)
            return
        reach += bytes
        i += 1
    i = 1
    reach = 0
    while reach < BESIDE and index + i < record.slots:
        bytes = slot_size if slot_size < BESIDE - reach else BESIDE - reach
        # The canary of a live one is out of reach of a short overflow, unless the slot is short.
        if not is_whole(arena, address + i * slot_size, state + i, 0, bytes, slot_size, unknown):
            report_beside(arena, address, address + i * slot_size, slot_size)
            return
        reach += bytes
        i += 1


cdef inline void wipe(Arena *arena, uint32_t c, char *address, uint64_t slot_size) noexcept nogil:
    """Zero or poison the slot of a block that is freed, as its class wants it."""
    cdef uint32_t hooks = arena.class_hooks[c]
    if hooks & HOOK_ZERO:
        m4_zero(address, arena.class_zeroed[c])
    elif hooks & HOOK_QUARANTINE and not hooks & HOOK_EMPTY:
        memset(address, POISON, slot_size)


cdef inline void check_leaving(Arena *arena, uint32_t c, const Slot *slot, uint64_t slot_size) noexcept nogil:
    """Look at a slot that leaves its quarantine; under HOOK_CHECK its next malloc does that."""
    cdef uint32_t hooks = arena.class_hooks[c]
    if hooks & (HOOK_CHECK | HOOK_EMPTY):
        return
    if hooks & HOOK_ZERO:
        check_zero(arena, slot, arena.class_zeroed[c], slot_size)
    else:
        check_poison(arena, slot, slot_size)
