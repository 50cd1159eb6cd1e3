# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Explaining a fault: from an address inside a guard, or on a page that is out of use, to the block it belongs to.

All of it runs in a signal handler: it takes no lock and allocates nothing.
"""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport snprintf
from m4alloc._core.misuse cimport say, tell_sample
from m4alloc._core.slot cimport region_of
from m4alloc._core.types cimport (HELD_SPAN, LARGE, MESSAGE_MAX, NO_SPAN, PAGE, SAMPLE_FREED, SAMPLE_SPAN,
                                  SAMPLE_UNUSED, SLAB, UNIT_SHIFT, Arena, Record, Region, Sample)


cdef inline Sample *nearest_sample(const Arena *arena, const char *address) noexcept nogil:
    """The sample to which a faulting access most likely belongs, or NULL.

    On a page of a sample that sample; on a guard, of the blocks on either side the nearer.
    """
    cdef uint64_t page = <uint64_t>(address - arena.sample_base) // PAGE
    cdef Sample *below = NULL
    cdef Sample *above = NULL
    if page % 2 == 1:
        return arena.samples + page // 2 if page // 2 < arena.knobs.sample_slots else NULL
    if page != 0 and page // 2 - 1 < arena.knobs.sample_slots:
        below = arena.samples + page // 2 - 1
    if page // 2 < arena.knobs.sample_slots:
        above = arena.samples + page // 2
    if below != NULL and below.state == SAMPLE_UNUSED:
        below = NULL
    if above != NULL and above.state == SAMPLE_UNUSED:
        above = NULL
    if below == NULL or above == NULL:
        return above if below == NULL else below
    return below if address - (below.block + below.size) < above.block - address else above


cdef inline bint explain_sample(Arena *arena, char *address) noexcept nogil:
    """Say what a fault in the pool of samples was; False: no sample was near."""
    cdef char line[MESSAGE_MAX]
    cdef Sample *sample = nearest_sample(arena, address)
    cdef const char *what = "overflow of"
    if sample == NULL or sample.state == SAMPLE_UNUSED:
        return False
    if sample.state == SAMPLE_FREED:
        what = "use after free of"
    elif address < sample.block:
        what = "underflow of"
    snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s %p: access to %p, %lld bytes from the start of a sampled block of %llu "
             "bytes", what, sample.block, address, <long long>(address - sample.block), <unsigned long long>sample.size)
    say(line)
    tell_sample(sample)
    return True


cdef inline bint explain_fault(Arena *arena, char *address) noexcept nogil:
    """Say which block a fault at `address` belongs to, in lines on stderr; False: none of this arena's."""
    cdef char line[MESSAGE_MAX]
    cdef Region *region = region_of(arena, address)
    cdef Record *record
    if region == NULL:
        return False
    record = region.records + (<uint64_t>(address - region.base) >> UNIT_SHIFT)
    if record.kind == SAMPLE_SPAN:
        return explain_sample(arena, address)
    while record > region.records and record.kind == NO_SPAN:
        record -= 1
    if record.kind == HELD_SPAN:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: use after free of %p: access to %p, %lld bytes from the start of a "
                 "large block of %llu bytes", record.start, address, <long long>(address - record.start),
                 <unsigned long long>(record.usable - record.free_slots))
    elif record.kind == LARGE:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: %s of %p: access to %p, %lld bytes from the start of a large block of "
                 "%llu bytes", <const char *>("underflow" if address < record.start else "overflow"), record.start,
                 address, <long long>(address - record.start), <unsigned long long>(record.usable - record.free_slots))
    elif record.kind == SLAB and record.size_class == arena.empty_class:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: access to %p: a block of zero bytes", address)
    elif record.kind == SLAB:
        snprintf(line, MESSAGE_MAX - 1, "m4alloc: overflow: access to %p, behind the slab %p of size class %u", address,
                 record.start, record.slot_size)
    else:
        return False
    say(line)
    return True
