# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Held spans: those of freed large blocks, until enough bytes of others have been freed after them.

Under large_quarantine they are inaccessible and their pages given back, so that a use after free faults; else they are
what a delay line is for slots: for that long a double free is caught. Callers hold the arena's lock.
"""

from libc.stdint cimport uint64_t, uint8_t

from m4alloc._core.fence cimport FENCE_KEPT, NO_FENCE, lift_fence, raise_fence
from m4alloc._core.span cimport give_span, lose_span, region_of_record, unit_address
from m4alloc._core.types cimport HELD_SPAN, NO_SPAN, UNIT_SHIFT, Arena, Record


cdef inline uint64_t let_go(Arena *arena, uint64_t limit) noexcept nogil:
    """Make held spans free, oldest first, until at most `limit` bytes are held; returns the bytes made free."""
    cdef uint64_t before = arena.held_bytes
    cdef uint64_t bytes
    cdef Record *record
    while arena.held_first != NULL and arena.held_bytes > limit:
        record = arena.held_first
        arena.held_first = record.next
        if arena.held_first == NULL:
            arena.held_last = NULL
        bytes = <uint64_t>record.units << UNIT_SHIFT
        arena.held_bytes -= bytes
        if not lift_fence(arena, unit_address(region_of_record(arena, record), record), bytes, record.fence):
            lose_span(record, record.units)
            continue
        record.kind = NO_SPAN
        give_span(arena, record, record.units, record.fence == NO_FENCE or record.fence == FENCE_KEPT)
    return before - arena.held_bytes


cdef inline bint hold_span(Arena *arena, Record *record) noexcept nogil:
    """Hold the span of a freed large block whose own guards are lifted; False: there is no room for it, or no fence."""
    cdef uint64_t bytes = <uint64_t>record.units << UNIT_SHIFT
    cdef uint64_t limit = arena.knobs.large_quarantine
    record.fence = NO_FENCE
    if limit != 0 and bytes <= limit:
        record.fence = <uint8_t>raise_fence(arena, unit_address(region_of_record(arena, record), record), bytes)
        if record.fence == NO_FENCE:
            return False
    if limit == 0:
        limit = arena.knobs.large_delay
    if bytes > limit:
        return False
    record.kind = HELD_SPAN
    record.next = NULL
    if arena.held_last != NULL:
        arena.held_last.next = record
    else:
        arena.held_first = record
    arena.held_last = record
    arena.held_bytes += bytes
    let_go(arena, limit)
    return True
