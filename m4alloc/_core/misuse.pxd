# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Misuse: what is wrong with a pointer that free or realloc refused, in one line, and what happens then."""

from libc.stdint cimport uint64_t, uint8_t

from m4alloc._core.c cimport (abort, m4_add64, m4_count_refusal, m4_say, m4_write_frames, memcpy, snprintf, strlen)
from m4alloc._core.side cimport HISTORY_MAX, tell_history
from m4alloc._core.slot cimport record_of, region_of
from m4alloc._core.types cimport (DOUBLE_FREE, FOREIGN, INTERIOR_FREE, INVALID_FREE, LARGE, MESSAGE_MAX, MISUSE_COUNT,
                                  MISUSE_FORWARD, MISUSE_RAISE, NO_SPAN, OVERFLOW, SIZE_MISMATCH, SLAB, UNDERFLOW,
                                  WRITE_AFTER_FREE, Arena, Record, Region, Sample)

cdef enum:
    LINES_MAX = 16             # in counting mode, no more lines than this


cdef inline void say(char *line) noexcept nogil:
    """Write a line to stderr. line: has room for one byte more."""
    cdef size_t length = strlen(line)
    line[length] = 10
    m4_say(line, length + 1)
    line[length] = 0


cdef inline int finish_report(Arena *arena, int kind, char *line) noexcept nogil:
    """Count the misuse and do what the mode says; returns the kind when the program goes on."""
    cdef uint64_t before = m4_add64(&arena.misuses, 1)
    if arena.misuse_mode == MISUSE_RAISE:
        memcpy(arena.message, line, strlen(line) + 1)
        return kind
    if arena.misuse_mode != MISUSE_COUNT or before < LINES_MAX:
        say(line)
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
    cdef char history[HISTORY_MAX]
    cdef Region *region = region_of(arena, address)
    cdef Record *record
    cdef Record *large
    cdef uint64_t offset, slot
    cdef unsigned int size_class
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
        size_class = record.slot_size if record.size_class != arena.empty_class else 0
        if slot >= record.slots:
            snprintf(line, MESSAGE_MAX - 1, "m4alloc: invalid %s of %p: past the last slot of slab %p, size class %u",
                     verb, address, record.start, size_class)
        elif offset % record.slot_size != 0:
            kind = INTERIOR_FREE
            snprintf(line, MESSAGE_MAX - 1, "m4alloc: interior %s of %p: size class %u, %u bytes into slot %u of slab %p",
                     verb, address, size_class, <unsigned int>(offset % record.slot_size), <unsigned int>slot,
                     record.start)
        else:
            kind = DOUBLE_FREE
            tell_history(arena, record, record.states + slot, history)
            snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s %p: size class %u, slot %u of slab %p is already free%s",
                     again, address, size_class, <unsigned int>slot, record.start, history)
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


cdef inline int report_alignment(Arena *arena, char *address, uint64_t claimed) noexcept nogil:
    """Say that a sized free names an alignment that the block has not."""
    cdef char line[MESSAGE_MAX]
    m4_count_refusal()
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: sized free of %p: alignment %llu claimed, but the block has not got it",
             address, <unsigned long long>claimed)
    return finish_report(arena, SIZE_MISMATCH, line)


cdef inline int report_racing_free(Arena *arena, Record *slab) noexcept nogil:
    """Say that two threads freed the same slot at the same moment."""
    cdef char line[MESSAGE_MAX]
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: double free in slab %p: size class %u, two threads freed one slot at once",
             slab.start, slab.slot_size)
    return finish_report(arena, DOUBLE_FREE, line)


cdef inline void slot_history(Arena *arena, const char *address, const uint8_t *state, char *into) noexcept nogil:
    """tell_history of the slot at `address`."""
    tell_history(arena, record_of(arena, address), state, into)


cdef inline int report_write "m4_report_write"(Arena *arena, char *address, const uint8_t *state, uint64_t offset,
                                               uint64_t slot_size) noexcept nogil:
    """Say that a freed block, or one in quarantine, was written to."""
    cdef char line[MESSAGE_MAX]
    cdef char history[HISTORY_MAX]
    slot_history(arena, address, state, history)
    snprintf(line, MESSAGE_MAX - 1,
             "m4alloc: write after free to %p: size class %llu, byte %llu of the freed block changed%s",
             address, <unsigned long long>slot_size, <unsigned long long>offset, history)
    return finish_report(arena, WRITE_AFTER_FREE, line)


cdef inline int report_overflow "m4_report_overflow"(Arena *arena, char *address, const uint8_t *state, uint64_t size,
                                                     uint64_t offset, uint64_t slot_size) noexcept nogil:
    """Say that byte `offset` from a block's start, behind the `size` bytes of the request, was written to."""
    cdef char line[MESSAGE_MAX]
    cdef char history[HISTORY_MAX]
    slot_history(arena, address, state, history)
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: overflow of %p: block of %llu bytes, size class %llu, byte %llu changed%s",
             address, <unsigned long long>size, <unsigned long long>slot_size, <unsigned long long>offset, history)
    return finish_report(arena, OVERFLOW, line)


cdef inline int report_canary "m4_report_canary"(Arena *arena, char *address, const uint8_t *state,
                                                 uint64_t slot_size) noexcept nogil:
    """Say that the canary of a block was overwritten, and with it how long the block was."""
    cdef char line[MESSAGE_MAX]
    cdef char history[HISTORY_MAX]
    slot_history(arena, address, state, history)
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: overflow of %p: size class %llu, the canary behind the block changed%s",
             address, <unsigned long long>slot_size, history)
    return finish_report(arena, OVERFLOW, line)


cdef inline int report_beside "m4_report_beside"(Arena *arena, char *address, char *other,
                                                 uint64_t slot_size, bint is_free) noexcept nogil:
    """Say that the slot beside the one being freed was written to: its canary, or a byte of it while it was free.

    A free one (`is_free`) may as well have been written to by whoever had it last: nothing tells the two apart.
    """
    cdef char line[MESSAGE_MAX]
    cdef bint below = other < address
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s of %p: size class %llu, %s slot %p changed%s",
             <const char *>("underflow" if below else "overflow"), address, <unsigned long long>slot_size,
             <const char *>("the end of the" if below else "the"), other,
             <const char *>(", or a write after its free" if is_free else ""))
    return finish_report(arena, UNDERFLOW if below else OVERFLOW, line)


cdef inline int report_large_overflow "m4_report_large_overflow"(Arena *arena, char *address,
                                                                 uint64_t size) noexcept nogil:
    """Say that bytes between the end of a large block and the end of its last page were written to."""
    cdef char line[MESSAGE_MAX]
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: overflow of %p: large block of %llu bytes, a byte behind its end changed",
             address, <unsigned long long>size)
    return finish_report(arena, OVERFLOW, line)


cdef inline void tell_sample(Sample *sample) noexcept nogil:
    """Write who allocated a sampled block and who freed it, with the calls that led there."""
    cdef char line[MESSAGE_MAX]
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: allocated by thread %u", sample.allocated_by)
    say(line)
    m4_write_frames(sample.allocation, sample.allocation_frames)
    if sample.freed_by != 0:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: freed by thread %u", sample.freed_by)
        say(line)
        m4_write_frames(sample.release, sample.release_frames)


cdef inline int report_sample "m4_report_sample"(Arena *arena, int kind, Sample *sample, char *address,
                                                 bint resizing) noexcept nogil:
    """Say what is wrong with a pointer into the pool of samples, with the block's history; NULL: it never was a block."""
    cdef char line[MESSAGE_MAX]
    cdef const char *verb = "realloc" if resizing else "free"
    cdef uint64_t before
    if kind == DOUBLE_FREE:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s %p: sampled block of %llu bytes is already free",
                 <const char *>("realloc of freed" if resizing else "double free of"), address,
                 <unsigned long long>sample.size)
    elif kind == OVERFLOW:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: overflow of %p: sampled block of %llu bytes, byte %llu changed",
                 sample.block, <unsigned long long>sample.size, <unsigned long long>(address - sample.block))
    elif kind == INTERIOR_FREE:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: interior %s of %p: %lld bytes from the start of a sampled block of "
                 "%llu bytes at %p", verb, address, <long long>(address - sample.block),
                 <unsigned long long>sample.size, sample.block)
    else:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: invalid %s of %p: no block starts there", verb, address)
    if kind != OVERFLOW:
        m4_count_refusal()
    before = m4_add64(&arena.misuses, 1)
    if arena.misuse_mode == MISUSE_RAISE:
        memcpy(arena.message, line, strlen(line) + 1)
        return kind
    if arena.misuse_mode != MISUSE_COUNT or before < LINES_MAX:
        say(line)
        if sample != NULL:
            tell_sample(sample)
    if arena.misuse_mode != MISUSE_COUNT:
        abort()
    return kind


cdef inline int report_range "m4_report_range"(Arena *arena, char *address, uint64_t bytes, char *block,
                                               uint64_t size) noexcept nogil:
    """Say that a copy or a fill goes beyond the live block it begins in; block NULL: it begins in none."""
    cdef char line[MESSAGE_MAX]
    if block == NULL:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: copy of %llu bytes at %p: no live block lies there",
                 <unsigned long long>bytes, address)
        return finish_report(arena, OVERFLOW, line)
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: overflow of %p: copy of %llu bytes at byte %llu of a block of %llu bytes",
             block, <unsigned long long>bytes, <unsigned long long>(address - block), <unsigned long long>size)
    return finish_report(arena, OVERFLOW, line)
