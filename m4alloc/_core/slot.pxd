# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Slots: from a pointer to its slot's state byte, with one multiplication that also rejects interior pointers."""

from libc.stdint cimport uint64_t, uint8_t

from m4alloc._core.c cimport m4_load32, m4_multiply, m4_read64
from m4alloc._core.types cimport UNIT_SHIFT, Arena, Record, Region


cdef inline uint8_t *slot_state(const Record *record, const char *address) noexcept nogil:
    """The state byte of the slot that starts at `address`; NULL unless `record` is a slab's and a slot starts there.

    With r = ceil(2**64 / s) and e = s * r - 2**64 < s, and d = q * s + t: d * r = q * 2**64 + q * e + t * r. As d is below
    2**26 (SLAB_MAX) and s at most 2**20 (CLASS_MAX), q * e <= d < 2**26 and r >= 2**44. So for t = 0 the high half is q and
    the low one q * e, below r; for t > 0 the low one is at least r, and at most (s - 1) * r + q * e = 2**64 + e + q * e - r,
    which is below 2**64, so the high half is q again. Other records have r = 0.
    """
    cdef uint64_t low
    cdef uint64_t reciprocal = m4_read64(&record.reciprocal)
    cdef uint64_t index = m4_multiply(<uint64_t>(address - record.start), reciprocal, &low)
    if low >= reciprocal:
        return NULL
    return record.states + index


cdef inline Region *region_of(Arena *arena, const char *address) noexcept nogil:
    """The region that has handed out the unit of `address`, or NULL: then the pointer is not ours."""
    cdef unsigned int i
    cdef Region *region
    for i in range(m4_load32(&arena.region_count)):
        region = &arena.regions[i]
        if <uint64_t>(address - region.base) < m4_read64(&region.used):
            return region
    return NULL


cdef inline Record *record_of(Arena *arena, const char *address) noexcept nogil:
    """The record of the unit of `address`, or NULL when it is outside every region."""
    cdef Region *region
    if <uint64_t>(address - arena.base) < m4_read64(&arena.used):
        return arena.records + (<uint64_t>(address - arena.base) >> UNIT_SHIFT)
    region = region_of(arena, address)
    if region == NULL:
        return NULL
    return region.records + (<uint64_t>(address - region.base) >> UNIT_SHIFT)
