# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""All blocks that there are or were: slot by slot and unit by unit, in the order of their addresses.

Blocks of other threads may come and go meanwhile; each is seen as it is at one moment.
"""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport m4_read64
from m4alloc._core.types cimport SAMPLE_SPAN, UNIT_SHIFT, Record
from m4alloc._watch.place cimport find_large, place_slot, story_of_slot
from m4alloc._watch.types cimport NEVER, Place, Story, stories

cdef struct Walk "m4m_walk":                 # begins with zeros
    uint64_t unit
    uint64_t slot
    Place place                # where it is


cdef inline bint next_block(Walk *walk) noexcept nogil:
    """Go on to the next block that there is or was; False: there are no more.

    Cost: 4 bytes looked at for each slot of each slab, handed out or not.
    """
    cdef uint64_t units
    cdef Record *record
    cdef const char *story
    if stories.arena == NULL:
        return False
    units = m4_read64(&stories.arena.regions[0].used) >> UNIT_SHIFT
    while walk.unit < units:
        record = stories.arena.records + walk.unit
        if m4_read64(&record.reciprocal) == 0:
            walk.unit += 1
            if record.kind != SAMPLE_SPAN and stories.head[walk.unit - 1] == walk.unit:
                if find_large(walk.unit - 1, &walk.place) and walk.place.life != NEVER:
                    return True
        elif record.head != record or walk.slot >= record.slots:
            walk.unit += 1
            walk.slot = 0
        else:
            story = <const char *>story_of_slot(record, walk.slot)
            while walk.slot < record.slots and (<const Story *>story).born == 0:  # most of a small program's
                walk.slot += 1
                story += stories.arena.side_length
            if walk.slot < record.slots:
                place_slot(record, walk.slot, &walk.place)
                walk.slot += 1
                if walk.place.life != NEVER:
                    return True
    return False
