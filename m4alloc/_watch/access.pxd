# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Accesses that the shadow does not let pass: whose they are, what they change, and whether they were wrong."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport likely, unlikely
from m4alloc._watch.depot cimport capture
from m4alloc._watch.finding cimport begin_finding, class_of, in_bounds_properties
from m4alloc._watch.initial cimport initial, judge_bits, tell_uninitialised
from m4alloc._watch.place cimport find_nearest, find_place
from m4alloc._watch.report cimport report
from m4alloc._watch.ring cimport RING_LOAD, RING_STORE, SIZE_BITS, note
from m4alloc._watch.show cimport open_block
from m4alloc._watch.step cimport changes_nothing, step_block, watch
from m4alloc._watch.thread cimport next_event
from m4alloc._watch.types cimport (IN_SAMPLE, LETTER_ACCESS, LIVE_BLOCK, M4M_WRITE, OUT_OF_BOUNDS, OUTSIDE,
                                   UNINITIALISED, Finding, Place, Thread)


cdef inline bint starts(const char *text, const char *beginning) noexcept nogil:
    """Whether a text begins with another."""
    while beginning[0] != 0 and text[0] == beginning[0]:
        text += 1
        beginning += 1
    return beginning[0] == 0


cdef inline const char *plain_name(const char *function) noexcept nogil:
    """The name that the program called a function of the C library by: headers rename a few."""
    if function != NULL and (starts(function, "__isoc99_") or starts(function, "__isoc23_")):
        return function + 9
    return function


cdef inline void tell_access "m4m_tell_access"(Thread *thread, uint64_t violated, char *address, uint64_t size,
                                               unsigned int how, Place *place, const void *site, const void *frame,
                                               const char *function) noexcept nogil:
    """An access has violated properties."""
    cdef Finding found
    next_event(thread, place.story.died if place.story.died != 0 else place.story.born)
    begin_finding(&found, thread, class_of(violated, place), violated, "write" if how & M4M_WRITE else "read", place,
                  site, frame)
    found.address = address
    found.size = size
    found.how = how
    found.function = plain_name(function)
    report(&found)


cdef inline void tell_stray "m4m_tell_stray"(Thread *thread, char *address, uint64_t size, unsigned int how,
                                             Place *place, const void *site, const void *frame,
                                             const char *function) noexcept nogil:
    """An access of no block: beside an array on the stack, or somewhere in the arena where there is none."""
    cdef Finding found
    next_event(thread, 0)
    begin_finding(&found, thread, OUT_OF_BOUNDS, in_bounds_properties(), "write" if how & M4M_WRITE else "read", place,
                  site, frame)
    found.address = address
    found.size = size
    found.how = how
    found.function = plain_name(function)
    report(&found)


cdef inline void access(Thread *thread, char *address, uint64_t size, unsigned int how, const void *site,
                        const void *frame, const char *function) noexcept nogil:
    """The program accesses `size` bytes of the arena."""
    cdef Place place
    cdef uint64_t violated
    cdef uint32_t letter = LETTER_ACCESS
    find_place(address, &place)
    if unlikely(place.life != LIVE_BLOCK or <uint64_t>(address - place.base) >= place.size):
        if place.kind == IN_SAMPLE:
            return
        find_nearest(address, &place)
        if place.story == NULL:  # the arena's, and far from every block
            tell_stray(thread, address, size, how, &place, site, frame, function)
            return
    if place.life == LIVE_BLOCK:
        if address < place.base or <uint64_t>(address - place.base) + size > place.size:
            letter += OUTSIDE
            if unlikely(initial.mode != 0 and address >= place.base) and judge_bits(
                    address, place.size - <uint64_t>(address - place.base), how, site):
                letter = LETTER_ACCESS + UNINITIALISED  # why a string went on beyond the end
        elif unlikely(initial.mode):
            letter += judge_bits(address, size, how, site)
    elif address < place.base or <uint64_t>(address - place.base) + size > place.size:
        letter += OUTSIDE  # freed memory has the bounds that its last block had
    if unlikely(watch.each_access):
        note(thread, next_event(thread, place.story.died if place.story.died != 0 else place.story.born),
             RING_STORE if how & M4M_WRITE else RING_LOAD, address,
             size & ((<uint64_t>1 << SIZE_BITS) - 1), capture(thread, site, frame))
    violated = step_block(thread, &place, letter)
    if unlikely(violated != 0 or letter == LETTER_ACCESS + UNINITIALISED):
        if letter == LETTER_ACCESS + UNINITIALISED:
            tell_uninitialised(thread, violated, address, size, how, &place, site, frame, function)
            return
        tell_access(thread, violated, address, size, how, &place, site, frame, function)
    elif place.life == LIVE_BLOCK and letter == LETTER_ACCESS and changes_nothing(&place):
        open_block(&place)
