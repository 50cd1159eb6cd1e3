# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From what a letter violated to what it is called."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._watch.step cimport machines
from m4alloc._watch.types cimport (DEAD, DOUBLE_FREE, FOUND_NOTHING, INVALID_FREE, NEVER, OUT_OF_BOUNDS,
                                   PROPERTY_VIOLATED, USE_AFTER_FREE, Finding, Place, Thread)


cdef inline int class_of(uint64_t violated, const Place *place) noexcept nogil:
    """The class of the violated property that comes first; by what the block is, where that has a name of its own."""
    cdef int kind = PROPERTY_VIOLATED
    cdef uint32_t number = 0
    cdef int its
    while violated != 0:
        if violated & 1:
            its = machines.properties[number].report_class
            if its != FOUND_NOTHING and its < kind:
                kind = its
        violated >>= 1
        number += 1
    if kind == USE_AFTER_FREE and place.life == NEVER:
        return OUT_OF_BOUNDS
    if kind == DOUBLE_FREE and place.life != DEAD:
        return INVALID_FREE
    return kind


cdef inline void begin_finding(Finding *found, const Thread *thread, int kind, uint64_t violated, const char *verb,
                               const Place *place, const void *site, const void *frame) noexcept nogil:
    """A finding about a block, which happened in the thread's last event."""
    memset(found, 0, sizeof(Finding))
    found.kind = kind
    found.violated = violated
    found.verb = verb
    found.place = place[0]
    found.site = site
    found.frame = frame
    found.thread = thread.number
    found.event = thread.clock


cdef inline uint64_t in_bounds_properties() noexcept nogil:
    """Those whose violation is an access out of bounds, a bit each."""
    cdef uint64_t found = 0
    cdef uint32_t number
    for number in range(machines.property_count):
        if machines.properties[number].report_class == OUT_OF_BOUNDS:
            found |= <uint64_t>1 << number
    return found
