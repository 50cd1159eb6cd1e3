# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The whole shadow anew: when it comes after the first blocks, and when a second thread makes accesses matter."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport m4_read64
from m4alloc._core.types cimport UNIT_SHIFT, Record
from m4alloc._watch.shadow cimport close_block, fill_shadow, show_block
from m4alloc._watch.step cimport changes_nothing
from m4alloc._watch.types cimport (LIVE_BLOCK, M4M_SHADOW_OPEN, M4M_SHADOW_OUTSIDE, M4M_SHADOW_STEP, stories)
from m4alloc._watch.walk cimport Walk, next_block


cdef inline void show_slabs() noexcept nogil:
    """What lies in a slab is outside of every block, until a block is shown there."""
    cdef uint64_t units, unit
    cdef Record *record
    if stories.arena == NULL:
        return
    units = m4_read64(&stories.arena.regions[0].used) >> UNIT_SHIFT
    for unit in range(units):
        record = stories.arena.records + unit
        if m4_read64(&record.reciprocal) != 0:
            fill_shadow(stories.arena.base + (unit << UNIT_SHIFT), 1 << UNIT_SHIFT, M4M_SHADOW_OUTSIDE)


cdef inline void show_blocks(bint open) noexcept nogil:
    """Show each block as it is, closed ones closed; with not `open` every access will be heard of."""
    cdef Walk walk
    cdef uint8_t inside
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        if walk.place.life == LIVE_BLOCK:
            inside = <uint8_t>(M4M_SHADOW_OPEN if open and changes_nothing(&walk.place) else M4M_SHADOW_STEP)
            show_block(walk.place.base, walk.place.size, walk.place.room, inside)
        else:
            close_block(walk.place.base, walk.place.size)
