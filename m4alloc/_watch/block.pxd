# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The life of a block: it is handed out, resized in place, given up; each is told to its properties and to its story."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport likely, m4_acquire, m4_multiply, m4_read64, m4_relinquish, m4_store32, unlikely
from m4alloc._core.types cimport SAMPLE_SPAN, UNIT, UNIT_SHIFT, Arena, Record
from m4alloc._watch.c cimport (m4m_core_free_found, m4m_is_single_threaded, m4m_load16, m4m_set16, m4m_shadow_on,
                               m4m_swap16)
from m4alloc._watch.depot cimport capture
from m4alloc._watch.finding cimport begin_finding, class_of
from m4alloc._watch.place cimport find_place, story_of_slot
from m4alloc._watch.report cimport report
from m4alloc._watch.ring cimport (RING_FREE, RING_MALLOC, RING_REFUSED, RING_REFUSED_REALLOC, RING_RESIZE,
                                  note)
from m4alloc._watch.shadow cimport close_block, fence_shadow, show_block
from m4alloc._watch.step cimport NOT_QUICK, Quick, changes_nothing, step_block, step_everyone, step_nowhere, watch
from m4alloc._watch.thread cimport next_event
from m4alloc._watch.types cimport (DEAD, DOUBLE_FREE, GIVEN_UP, IN_LARGE, IN_SAMPLE, INVALID_FREE, LETTER_FREE,
                                   LETTER_MALLOC, LIVE_BLOCK, M4M_SHADOW_OPEN, M4M_SHADOW_STEP, NOWHERE, Finding, Place,
                                   Story, Thread, stories)


cdef inline uint64_t unit_of(const char *address) noexcept nogil:
    """The number of the unit that an address of the arena is in."""
    return <uint64_t>(address - stories.arena.base) >> UNIT_SHIFT


cdef inline void fence_ahead(char *end) noexcept nogil:
    """Something will be handed out up to `end`: let the shadow know of it, and of as much behind it as an overflow may
    well reach. Units that have a block already are left alone."""
    cdef char *until = <char *>(<uint64_t>end + 2 * UNIT - 1 & ~<uint64_t>(UNIT - 1))
    if not m4m_shadow_on or until <= stories.fenced:
        return
    m4_acquire(&stories.lock)
    if stories.fenced < until:
        fence_shadow(stories.fenced, until)
        stories.fenced = until
    m4_relinquish(&stories.lock)


cdef inline void settle_large(char *block, uint64_t size) noexcept nogil:
    """The story of a large block is found from each of its units, from now on."""
    cdef uint64_t unit = unit_of(block)
    cdef uint64_t room = (stories.arena.records + unit).usable
    cdef uint64_t last = unit_of(block + room - 1)
    cdef uint32_t head = <uint32_t>unit + 1
    stories.large[unit].base = block
    stories.large[unit].size = size
    stories.large[unit].room = room
    while unit <= last:
        stories.head[unit] = head
        unit += 1
    fence_ahead(block + room)


cdef inline uint8_t shown(const Place *place) noexcept nogil:
    """What the shadow says of the bytes of a live block."""
    return <uint8_t>(M4M_SHADOW_OPEN if changes_nothing(place) else M4M_SHADOW_STEP)


cdef inline void tell_violation "m4m_tell_violation"(Thread *thread, uint64_t violated, const char *verb, char *address,
                                                     Place *place, const void *site, const void *frame) noexcept nogil:
    """A malloc or a free in its place has violated properties."""
    cdef Finding found
    begin_finding(&found, thread, class_of(violated, place), violated, verb, place, site, frame)
    found.address = address
    report(&found)


cdef inline void show_born "m4m_show_born"(Thread *thread, char *block, uint64_t size, uint64_t room, Story *story,
                                           const void *site, const void *frame) noexcept nogil:
    """The rest of be_born where there is more to do than one step of one machine."""
    cdef Place place
    cdef uint64_t violated
    find_place(block, &place)
    place.size = size
    violated = step_block(thread, &place, LETTER_MALLOC)
    show_block(block, size, room, shown(&place))
    if unlikely(violated != 0):
        tell_violation(thread, violated, "malloc", block, &place, site, frame)


cdef inline void step_sample "m4m_step_sample"(Thread *thread, uint32_t letter, const char *verb, char *address,
                                               const void *site, const void *frame) noexcept nogil:
    """A block on a page of its own is handed out or given up: a letter of its thread's word, and of the process's."""
    cdef Place place
    cdef uint64_t violated
    next_event(thread, 0)
    violated = step_everyone(thread, letter)
    if unlikely(violated != 0):
        find_place(NULL, &place)
        tell_violation(thread, violated, verb, address, &place, site, frame)


cdef inline Story *large_story "m4m_large_story"(char *block, uint64_t size, uint64_t *room) noexcept nogil:
    """The story of a large block that has just been handed out; NULL: it is a sample, which has none."""
    cdef Place place
    if (stories.arena.records + unit_of(block)).kind == SAMPLE_SPAN:
        return NULL
    settle_large(block, size)
    find_place(block, &place)
    room[0] = place.room
    return place.story


cdef inline void be_born "m4m_be_born"(Thread *thread, char *block, uint64_t size, const void *site,
                                       const void *frame) noexcept nogil:
    """The core has handed out `block` for a request of `size` bytes."""
    cdef Record *record = stories.arena.records + unit_of(block)
    cdef const Quick *quick = watch.quick
    cdef Story *story
    cdef uint64_t index, low, room
    cdef uint32_t event, stack
    cdef uint16_t before
    if likely(record.reciprocal != 0):
        index = m4_multiply(<uint64_t>(block - record.start), record.reciprocal, &low)
        room = record.slot_size
        story = story_of_slot(record, index)
        story.slack = <uint16_t>(room - size)
    else:
        story = large_story(block, size, &room)
        if story == NULL:  # a sample has no story, and no word of its own
            step_sample(thread, LETTER_MALLOC, "malloc", block, site, frame)
            return
    stack = capture(thread, site, frame)
    event = next_event(thread, story.died)
    before = story.state & <uint16_t>(GIVEN_UP - 1)
    story.allocation = stack
    story.release = 0
    story.born = event
    story.died = 0
    note(thread, event, RING_MALLOC, block, size, stack)
    # Plain stores: nobody else has the block, and a stale access that steps it meanwhile is of the block before.
    if likely(quick != NULL and quick[before].after_malloc != NOT_QUICK):
        story.state = quick[before].after_malloc
        if m4m_shadow_on:
            show_block(block, size, room, <uint8_t>quick[before].shown)
        return
    story.state = before
    show_born(thread, block, size, room, story, site, frame)


cdef inline void be_resized(Thread *thread, Place *place, uint64_t size, const void *site,
                            const void *frame) noexcept nogil:
    """A live block has another size in the same place, which is no letter."""
    cdef uint64_t before = place.room
    if place.kind == IN_LARGE:
        settle_large(place.base, size)
        place.room = stories.large[unit_of(place.base)].room
    else:
        place.story.slack = <uint16_t>(place.room - size)
    place.size = size
    show_block(place.base, size, place.room, shown(place))
    if place.room < before:
        fence_shadow(place.base + place.room, place.base + before)
    note(thread, next_event(thread, place.story.born), RING_RESIZE, place.base, size, capture(thread, site, frame))


cdef inline void refuse_free "m4m_refuse_free"(Thread *thread, const char *verb, char *address, Place *place,
                                               const void *site, const void *frame) noexcept nogil:
    """Somebody frees or resizes what is no live block: a freed one, the middle of one, or no block at all."""
    cdef Finding found
    cdef uint64_t violated = 0
    cdef int kind = INVALID_FREE
    if place.story != NULL and place.base == address:
        next_event(thread, place.story.died if place.story.died != 0 else place.story.born)
        violated = step_block(thread, place, LETTER_FREE)
        if place.life == DEAD:
            kind = DOUBLE_FREE
    else:
        next_event(thread, 0)
        violated = step_nowhere(thread, LETTER_FREE)
    note(thread, thread.clock, RING_REFUSED if verb[0] == 102 else RING_REFUSED_REALLOC, address, 0,
         capture(thread, site, frame))
    begin_finding(&found, thread, kind, violated, verb, place, site, frame)
    found.address = address
    report(&found)


cdef inline bint takes_death(Story *story, uint32_t event) noexcept nogil:
    """Of several threads that free a block, one."""
    if m4m_is_single_threaded():
        story.state |= <uint16_t>GIVEN_UP
    elif m4m_set16(&story.state, <uint16_t>GIVEN_UP) & GIVEN_UP:
        return False
    m4_store32(&story.died, event)
    return True


cdef inline bint give_up(Thread *thread, const char *verb, char *address, uint32_t noted, const void *site,
                         const void *frame) noexcept nogil:
    """The program frees `address`; True: it was a live block, and the core may have it back.

    noted: as which event of the ring.
    """
    cdef Place place
    cdef Story *story
    cdef uint64_t violated
    find_place(address, &place)
    if unlikely(place.story == NULL or place.life != LIVE_BLOCK or place.base != address):
        if place.kind == IN_SAMPLE:
            step_sample(thread, LETTER_FREE, verb, address, site, frame)
            return True
        refuse_free(thread, verb, address, &place, site, frame)
        return False
    story = place.story
    if unlikely(not takes_death(story, next_event(thread, story.born))):
        place.life = DEAD
        refuse_free(thread, verb, address, &place, site, frame)
        return False
    violated = step_block(thread, &place, LETTER_FREE)
    story.release = capture(thread, site, frame)
    close_block(address, place.size)
    note(thread, story.died, noted, address, place.size, story.release)
    if unlikely(violated != 0):
        tell_violation(thread, violated, verb, address, &place, site, frame)
    return True


cdef inline bint free_slot "m4m_free_slot"(Thread *thread, char *address, uint32_t noted, const void *site,
                                         const void *frame) noexcept nogil:
    """give_up and the core's free, for nearly all frees: of a slot, under one machine, violating nothing; False: another."""
    cdef const Quick *quick = watch.quick
    cdef Arena *arena = stories.arena
    cdef Record *record
    cdef Story *story
    cdef uint64_t offset, index, low, size
    cdef uint32_t event, stack
    cdef uint16_t before, after
    if unlikely(quick == NULL):
        return False
    offset = <uint64_t>(address - arena.base)
    if unlikely(offset >= m4_read64(&arena.regions[0].used)):
        return False
    record = arena.records + (offset >> UNIT_SHIFT)
    index = m4_multiply(<uint64_t>(address - record.start), record.reciprocal, &low)
    if unlikely(low >= record.reciprocal or index >= record.slots):
        return False
    story = story_of_slot(record, index)
    before = m4m_load16(&story.state)
    if unlikely(before >= GIVEN_UP or story.born == 0):
        return False
    after = quick[before].after_free
    if unlikely(after == NOT_QUICK):
        return False
    after |= <uint16_t>GIVEN_UP
    if likely(m4m_is_single_threaded()):
        story.state = after
    elif unlikely(not m4m_swap16(&story.state, &before, after)):
        return False  # another thread frees it, or an access has come first
    event = next_event(thread, story.born)
    m4_store32(&story.died, event)
    stack = capture(thread, site, frame)
    story.release = stack
    size = record.slot_size - story.slack
    note(thread, event, noted, address, size, stack)
    if m4m_shadow_on:
        close_block(address, size)
    m4m_core_free_found(record, address, record.states + index)
    return True
