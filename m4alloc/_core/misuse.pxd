# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Misuse: what is wrong with a pointer that free or realloc refused, in one line, and what happens then."""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport abort, m4_add64, m4_count_refusal, memcpy, snprintf, strlen, write
from m4alloc._core.slot cimport region_of
from m4alloc._core.types cimport (DOUBLE_FREE, FOREIGN, INTERIOR_FREE, INVALID_FREE, LARGE, MESSAGE_MAX, MISUSE_COUNT,
                                  MISUSE_FORWARD, MISUSE_RAISE, NO_SPAN, SIZE_MISMATCH, SLAB, WRITE_AFTER_FREE, Arena,
                                  Record, Region)

cdef enum:
    LINES_MAX = 16             # in counting mode, no more lines than this


cdef inline int finish_report(Arena *arena, int kind, char *line) noexcept nogil:
    """Count the misuse and do what the mode says; returns the kind when the program goes on."""
    cdef uint64_t before = m4_add64(&arena.misuses, 1)
    cdef size_t length = strlen(line)
    if arena.misuse_mode == MISUSE_RAISE:
        memcpy(arena.message, line, length + 1)
        return kind
    if arena.misuse_mode != MISUSE_COUNT or before < LINES_MAX:
        line[length] = 10
        write(2, line, length + 1)
        line[length] = 0
    if arena.misuse_mode != MISUSE_COUNT:
        abort()
    return kind


cdef inline Record *covering_large(Arena *arena, Region *region, Record *record, const char *address) noexcept nogil:
    """The live large block that `address` points into, or NULL; walks back to its head, so for reports only."""
    while record >= region.records:
        if record.kind == LARGE:
            return record if <uint64_t>(address - record.start) < <uint64_t>record.units << 16 else NULL
        if record.kind != NO_SPAN:
            return NULL
        record -= 1
    return NULL


cdef inline int report_pointer(Arena *arena, bint resizing, char *address) noexcept nogil:
    """Say why free (realloc, if `resizing`) refuses `address`. Returns the kind, or FOREIGN to forward it."""
    cdef char line[MESSAGE_MAX]
    cdef Region *region = region_of(arena, address)
    cdef Record *record
    cdef Record *large
    cdef uint64_t offset, slot
    cdef int kind = INVALID_FREE
    cdef const char *verb = "realloc" if resizing else "free"
    cdef const char *again = "realloc of freed" if resizing else "double free of"
    if region == NULL:
        if arena.misuse_mode == MISUSE_FORWARD:
            return FOREIGN
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: invalid %s of %p: not a pointer into the heap", verb, address)
        m4_count_refusal()
        return finish_report(arena, kind, line)
    record = region.records + (<uint64_t>(address - region.base) >> 16)
    m4_count_refusal()
    large = NULL
    if record.kind == SLAB:
        offset = <uint64_t>(address - record.start)
        slot = offset // record.slot_size
        if slot >= record.slots:
            snprintf(line, MESSAGE_MAX - 1, "m4alloc: invalid %s of %p: past the last slot of slab %p, size class %u",
                     verb, address, record.start, record.slot_size)
        elif offset % record.slot_size != 0:
            kind = INTERIOR_FREE
            snprintf(line, MESSAGE_MAX - 1, "m4alloc: interior %s of %p: size class %u, %u bytes into slot %u of slab %p",
                     verb, address, record.slot_size, <unsigned int>(offset % record.slot_size), <unsigned int>slot,
                     record.start)
        else:
            kind = DOUBLE_FREE
            snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s %p: size class %u, slot %u of slab %p is already free",
                     again, address, record.slot_size, <unsigned int>slot, record.start)
        return finish_report(arena, kind, line)
    large = covering_large(arena, region, record, address)
    if large != NULL:
        kind = INTERIOR_FREE
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: interior %s of %p: %llu bytes into a large block of %llu bytes at %p",
                 verb, address, <unsigned long long>(address - large.start), <unsigned long long>large.usable,
                 large.start)
    elif record.start == address and record.usable != 0:
        kind = DOUBLE_FREE
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s %p: large block of %llu bytes is already free",
                 again, address, <unsigned long long>record.usable)
    else:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: invalid %s of %p: no block starts there", verb, address)
    return finish_report(arena, kind, line)


cdef inline int report_size(Arena *arena, char *address, uint64_t claimed, uint64_t usable) noexcept nogil:
    """Say that a sized free names a size that the block cannot have."""
    cdef char line[MESSAGE_MAX]
    m4_count_refusal()
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: sized free of %p: %llu bytes claimed, but the block has %llu", address,
             <unsigned long long>claimed, <unsigned long long>usable)
    return finish_report(arena, SIZE_MISMATCH, line)


cdef inline int report_racing_free(Arena *arena, Record *slab) noexcept nogil:
    """Say that two threads freed the same slot at the same moment."""
    cdef char line[MESSAGE_MAX]
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: double free in slab %p: size class %u, two threads freed one slot at once",
             slab.start, slab.slot_size)
    return finish_report(arena, DOUBLE_FREE, line)


cdef inline int report_write(Arena *arena, char *address, uint64_t offset, uint64_t slot_size) noexcept nogil:
    """Say that a block in quarantine was written to after it was freed."""
    cdef char line[MESSAGE_MAX]
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: write after free to %p: size class %llu, byte %llu of the freed block changed",
             address, <unsigned long long>slot_size, <unsigned long long>offset)
    return finish_report(arena, WRITE_AFTER_FREE, line)
