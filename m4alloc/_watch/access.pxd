# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Accesses that the shadow does not let pass: whose they are, what they change, and whether they were wrong."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport likely, unlikely
from m4alloc._watch.finding cimport begin_finding, class_of
from m4alloc._watch.initial cimport initial, judge_bits, tell_uninitialised
from m4alloc._watch.place cimport find_place, life_of
from m4alloc._watch.report cimport report
from m4alloc._watch.shadow cimport close_block, show_block
from m4alloc._watch.step cimport changes_nothing, step_block
from m4alloc._watch.thread cimport next_event
from m4alloc._watch.types cimport (DEAD, IN_SAMPLE, IN_SLOT, LETTER_ACCESS, LIVE_BLOCK, M4M_SHADOW_OPEN, M4M_WRITE,
                                   NEVER, OUTSIDE, UNINITIALISED, Finding, Place, Thread)


cdef inline void nearest(char *address, Place *place) noexcept nogil:
    """An access that lies in no block belongs to the nearest live one beside it, else to the dead one that it is behind."""
    cdef Place beside
    cdef uint64_t best = ~<uint64_t>0
    cdef Place found = place[0]
    if place.life != NEVER:
        best = <uint64_t>(address - (place.base + place.size))
    if place.kind != IN_SLOT:
        return
    find_place(place.base + place.room, &beside)
    if beside.kind == IN_SLOT and beside.life == LIVE_BLOCK and <uint64_t>(beside.base - address) < best:
        best = <uint64_t>(beside.base - address)
        found = beside
    find_place(place.base - 1, &beside)
    if place.life != LIVE_BLOCK and beside.kind == IN_SLOT and beside.life == LIVE_BLOCK:
        if <uint64_t>(address - (beside.base + beside.size)) < best:
            found = beside
    place[0] = found


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
    found.function = function
    report(&found)


cdef inline void access(Thread *thread, char *address, uint64_t size, unsigned int how, const void *site,
                        const void *frame, const char *function) noexcept nogil:
    """The program accesses `size` bytes of the arena."""
    cdef Place place
    cdef uint64_t violated
    cdef uint32_t letter = LETTER_ACCESS
    find_place(address, &place)
    if place.story == NULL:
        return
    if unlikely(place.life == NEVER or <uint64_t>(address - place.base) >= place.size):
        nearest(address, &place)
    if place.life == LIVE_BLOCK:
        if address < place.base or <uint64_t>(address - place.base) + size > place.size:
            letter += OUTSIDE
        elif unlikely(initial.mode):
            letter += judge_bits(address, size, how, site)
    violated = step_block(thread, &place, letter)
    if unlikely(violated != 0):
        if letter == LETTER_ACCESS + UNINITIALISED:
            tell_uninitialised(thread, violated, address, size, how, &place, site, frame, function)
            return
        tell_access(thread, violated, address, size, how, &place, site, frame, function)
    elif place.life == LIVE_BLOCK and letter == LETTER_ACCESS and changes_nothing(&place):
        show_block(place.base, place.size, place.room, <unsigned char>M4M_SHADOW_OPEN)
        if unlikely(life_of(place.story) != LIVE_BLOCK):  # freed meanwhile: better too strict than too lenient
            close_block(place.base, place.size)
