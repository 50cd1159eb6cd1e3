# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Checked copies: does a range that memcpy, memmove or memset touches lie inside one live block?

Only a library that is built with check_copies asks. Ranges outside the regions are not the allocator's business.
"""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport m4_load32, m4_multiply, unlikely
from m4alloc._core.guard cimport large_size
from m4alloc._core.hooks cimport block_size
from m4alloc._core.misuse cimport report_range
from m4alloc._core.sample cimport sample_of
from m4alloc._core.slot cimport record_of
from m4alloc._core.types cimport (LARGE, LIVE, NO_SPAN, SAMPLE_LIVE, SAMPLE_SPAN, SLAB, Arena, Record, Sample)


cdef inline bint slot_covers(Arena *arena, Record *record, char *address, uint64_t bytes, char **block,
                             uint64_t *size) noexcept nogil:
    """Do the bytes lie inside the live slot that `address` points into? `block` and `size` say which slot that is."""
    cdef uint64_t low
    cdef uint64_t index = m4_multiply(<uint64_t>(address - record.start), record.reciprocal, &low)
    block[0] = NULL
    if index >= record.slots or record.states[index] != LIVE:
        return False
    block[0] = record.start + index * record.slot_size
    size[0] = block_size(arena, record, block[0])
    return <uint64_t>(address - block[0]) + bytes <= size[0]


cdef inline bint large_covers(Record *record, char *address, uint64_t bytes, char **block,
                              uint64_t *size) noexcept nogil:
    """The same of a large block; walks back to its first unit."""
    while record.kind == NO_SPAN:
        record -= 1
    block[0] = NULL
    if record.kind != LARGE or address < record.start:
        return False
    block[0] = record.start
    size[0] = large_size(record)
    return <uint64_t>(address - block[0]) + bytes <= size[0]


cdef inline void check_range "m4_check_range"(Arena *arena, char *address, uint64_t bytes) noexcept nogil:
    """Report when the bytes of a range that begins in a region are not all of one live block."""
    cdef Record *record
    cdef Sample *sample
    cdef char *block = NULL
    cdef uint64_t size = 0
    cdef bint covered
    if bytes == 0 or not arena.knobs.check_copies:
        return
    record = record_of(arena, address)
    if record == NULL:
        return
    if record.kind == SAMPLE_SPAN:
        sample = sample_of(arena, address)
        covered = sample != NULL and m4_load32(&sample.state) == SAMPLE_LIVE and address >= sample.block
        if covered:
            block = sample.block
            size = sample.size
            covered = <uint64_t>(address - block) + bytes <= size
    elif record.kind == SLAB:
        covered = slot_covers(arena, record, address, bytes, &block, &size)
    else:
        covered = large_covers(record, address, bytes, &block, &size)
    if unlikely(not covered):
        report_range(arena, address, bytes, block, size)
