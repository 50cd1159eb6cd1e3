# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The whole shadow anew: when it comes after the first blocks, and when a second thread makes accesses matter."""

from libc.stdint cimport uint8_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport m4_read64
from m4alloc._core.types cimport UNIT_SHIFT, Record
from m4alloc._watch.c cimport m4m_is_single_threaded, m4m_shadow_on
from m4alloc._watch.place cimport find_place
from m4alloc._watch.shadow cimport close_block, fill_shadow, show_block
from m4alloc._watch.step cimport changes_nothing, machines
from m4alloc._watch.types cimport LIVE_BLOCK, M4M_SHADOW_OPEN, M4M_SHADOW_OUTSIDE, M4M_SHADOW_STEP, Place, stories
from m4alloc._watch.walk cimport Walk, next_block

cdef extern from * nogil:
    enum:
        __ATOMIC_SEQ_CST
    void fence_memory "__atomic_thread_fence"(int) noexcept


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


cdef inline void open_block "m4m_open_block"(const Place *place) noexcept nogil:
    """Let accesses of a live block pass, unless it is another one by now, or in another state.

    Whoever changes the block writes its shadow after that. So either it is seen here, once the shadow has been written
    for all to see, or it is written over what was written here.
    """
    cdef Place now
    show_block(place.base, place.size, place.room, <uint8_t>M4M_SHADOW_OPEN)
    if m4m_is_single_threaded() or not m4m_shadow_on:
        return
    fence_memory(__ATOMIC_SEQ_CST)
    find_place(place.base, &now)
    if (now.life != LIVE_BLOCK or now.base != place.base or now.size != place.size or now.story != place.story
            or not changes_nothing(&now)):
        close_block(place.base, place.size)  # better too strict than too lenient


cdef inline void show_blocks(bint open) noexcept nogil:
    """Show each block as it is, closed ones closed; with not `open` every access will be heard of."""
    cdef Walk walk
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        if walk.place.life != LIVE_BLOCK:
            close_block(walk.place.base, walk.place.size)
        elif open and changes_nothing(&walk.place):
            open_block(&walk.place)
        else:
            show_block(walk.place.base, walk.place.size, walk.place.room, <uint8_t>M4M_SHADOW_STEP)


cdef inline void accesses_matter "m4m_accesses_matter"() noexcept nogil:
    """There are several threads from now on: whose the last access of a block was begins to matter for labels."""
    if machines.labelled_count != 0 and m4m_shadow_on:
        show_blocks(False)
