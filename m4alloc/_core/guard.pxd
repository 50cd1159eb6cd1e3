# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Guards of large blocks: an inaccessible page before and after, and, under canaries, fill behind the request's end."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_fill, m4_first_unlike
from m4alloc._core.canary cimport CANARY_BYTES, FILL_MAX, canary_key, fill_byte
from m4alloc._core.fence cimport NO_FENCE, lift_fence, raise_fence
from m4alloc._core.misuse cimport report_large_overflow
from m4alloc._core.region cimport round_up
from m4alloc._core.types cimport NO_MISUSE, PAGE, Arena, Record

cdef enum:
    BEFORE_SHIFT = 4           # Record.fence of a large block: how the page after it was made, and the one before


cdef inline uint64_t lead_bytes(const Arena *arena, uint64_t alignment) noexcept nogil:
    """Bytes of the span before the block: a guard page, unless that would break its alignment."""
    return PAGE if arena.knobs.guards and alignment <= PAGE else 0


cdef inline uint64_t tail_bytes(const Arena *arena) noexcept nogil:
    """Bytes of the span after the block."""
    return PAGE if arena.knobs.guards else 0


cdef inline uint64_t large_usable(const Arena *arena, uint64_t size) noexcept nogil:
    """Whole pages for a request; under canaries without guards there is always something behind it to look at."""
    if arena.knobs.canaries and not arena.knobs.guards:
        size += CANARY_BYTES
    return round_up(size, PAGE)


cdef inline uint64_t large_size(const Record *record) noexcept nogil:
    """What malloc_usable_size says of a large block: its pages, or under canaries the request."""
    return record.usable - record.free_slots


cdef inline void place_guards(Arena *arena, Record *record, char *span) noexcept nogil:
    """Make the page after a large block inaccessible, and the one before it, where its span has one."""
    record.fence = 0
    if not arena.knobs.guards:
        return
    record.fence = raise_fence(arena, record.start + record.usable, PAGE)
    if record.start != span:
        record.fence |= raise_fence(arena, span, PAGE) << BEFORE_SHIFT


cdef inline bint lift_guards(Arena *arena, Record *record, char *span) noexcept nogil:
    """Undo place_guards; False: the system refuses, and what is still in place is in record.fence."""
    cdef uint32_t after = record.fence & ((1 << BEFORE_SHIFT) - 1)
    cdef uint32_t front = record.fence >> BEFORE_SHIFT
    if lift_fence(arena, record.start + record.usable, PAGE, after):
        after = NO_FENCE
    if lift_fence(arena, span, PAGE, front):
        front = NO_FENCE
    record.fence = <uint8_t>(after | front << BEFORE_SHIFT)
    return record.fence == 0


cdef inline uint64_t watched(const Record *record) noexcept nogil:
    """How many bytes behind the request are filled."""
    return record.free_slots if record.free_slots < FILL_MAX else FILL_MAX


cdef inline void seal_large(const Arena *arena, Record *record, uint64_t size) noexcept nogil:
    """Fill the bytes behind a request of `size` bytes; without canaries the whole last page is the client's."""
    record.free_slots = 0
    if arena.knobs.canaries:
        record.free_slots = <uint32_t>(record.usable - size)
        m4_fill(record.start + size, watched(record), fill_byte(canary_key(arena, record.start)))


cdef inline int check_large(Arena *arena, Record *record) noexcept nogil:
    """Report when a byte behind the request has changed; NO_MISUSE, or the kind when the program goes on."""
    cdef uint64_t size = large_size(record)
    cdef uint64_t length = watched(record)
    if length == 0 or m4_first_unlike(record.start + size, length,
                                      fill_byte(canary_key(arena, record.start))) == length:
        return NO_MISUSE
    return report_large_overflow(arena, record.start, size)
