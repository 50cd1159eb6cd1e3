# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From an address to the block that is or was there, and its story: in the slot's side bytes, or by the unit."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_multiply, m4_read64
from m4alloc._core.side cimport side_of
from m4alloc._core.types cimport SAMPLE_SPAN, UNIT, UNIT_SHIFT, Arena, Record
from m4alloc._watch.c cimport m4m_load16
from m4alloc._watch.types cimport (DEAD, GIVEN_UP, IN_LARGE, IN_SAMPLE, IN_SLOT, LIVE_BLOCK, NEVER, NOWHERE, STORY_BYTES,
                                   LargeStory, Place, Story, stories)


cdef inline int life_of(const Story *story) noexcept nogil:
    """Whether its block lives."""
    if story.born == 0:
        return NEVER
    return DEAD if m4m_load16(&story.state) & GIVEN_UP else LIVE_BLOCK


cdef inline Story *story_of_slot(const Record *record, uint64_t index) noexcept nogil:
    """The story of the block in the slab's slot of that number."""
    return <Story *>side_of(stories.arena, record, record.states + index)


cdef inline void place_slot(Record *record, uint64_t index, Place *place) noexcept nogil:
    """The slot of that number in the slab."""
    place.kind = IN_SLOT
    place.record = record
    place.base = record.start + index * record.slot_size
    place.room = record.slot_size
    place.story = story_of_slot(record, index)
    place.references = <uint32_t *>(<char *>place.story + STORY_BYTES)
    place.size = place.room - place.story.slack
    place.life = life_of(place.story)


cdef inline bint find_large(uint64_t unit, Place *place) noexcept nogil:
    """The large block that is in that unit or was there last; False: none."""
    cdef Arena *arena = stories.arena
    cdef uint32_t head = stories.head[unit]
    cdef LargeStory *large
    cdef Record *record
    if head == 0:
        return False
    large = stories.large + (head - 1)
    record = arena.records + (head - 1)
    place.kind = IN_LARGE
    place.record = record
    place.base = large.base
    place.story = &large.story
    place.references = &large.references[0]
    place.size = large.size
    place.life = life_of(place.story)
    place.room = large.room
    return True


cdef inline bint find_place(const char *address, Place *place) noexcept nogil:
    """The block whose memory `address` is in, or was; False, and kind NOWHERE: there is none."""
    cdef Arena *arena = stories.arena
    cdef uint64_t offset, unit, low, index
    cdef Record *record
    place.kind = NOWHERE
    place.story = NULL
    place.life = NEVER
    if arena == NULL:
        return False
    offset = <uint64_t>(address - arena.base) if arena.base != NULL else ~<uint64_t>0
    if offset >= m4_read64(&arena.regions[0].used):
        return False
    unit = offset >> UNIT_SHIFT
    record = arena.records + unit
    if m4_read64(&record.reciprocal) != 0:
        index = m4_multiply(<uint64_t>(address - record.start), record.reciprocal, &low)
        if index >= record.slots:
            return False
        place_slot(record, index, place)
        return True
    if record.kind == SAMPLE_SPAN:
        place.kind = IN_SAMPLE
        place.record = record
        return True
    return find_large(unit, place)


cdef inline uint64_t gap(const Place *place, const char *address) noexcept nogil:
    """How far an address is from the bytes of a live block; the most there is, if the place has none."""
    if place.story == NULL or place.life != LIVE_BLOCK:
        return ~<uint64_t>0
    if address < place.base:
        return <uint64_t>(place.base - address)
    return <uint64_t>(address - (place.base + place.size)) if address >= place.base + place.size else 0


cdef inline void find_nearest(const char *address, Place *place) noexcept nogil:
    """Whose an access is that lies in no live block: of the nearer of the blocks on both sides that live, unless it is in
    what a freed block had, or nearer to that. place: what find_place says of the address."""
    cdef Place beside
    cdef Place found = place[0]
    cdef uint64_t best = gap(place, address)
    cdef const char *before = <const char *>(<uint64_t>address & ~<uint64_t>(UNIT - 1)) - 1
    cdef const char *behind = before + 1 + UNIT
    if place.story != NULL:
        if place.life == DEAD:
            if <uint64_t>(address - place.base) < place.size:
                return
            best = <uint64_t>(address - (place.base + place.size))
        before = place.base - 1
        behind = place.base + place.room
    find_place(behind, &beside)
    if gap(&beside, address) <= best and beside.life == LIVE_BLOCK:  # rather a live block than a dead one
        best = gap(&beside, address)
        found = beside
    find_place(before, &beside)
    if gap(&beside, address) < best or gap(&beside, address) == best and found.life != LIVE_BLOCK:
        found = beside
    place[0] = found
