# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Slabs: spans of equal slots with one state byte a slot, kept out of line."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_fill8, m4_read8, m4_read_link, m4_read_states, m4_store64, m4_write8, m4_write_link
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.region cimport round_up
from m4alloc._core.span cimport give_span, region_of_record, take_span, unit_address
from m4alloc._core.types cimport ABSENT, CACHED, FREE, NO_SPAN, SLAB, UNIT, UNIT_SHIFT, Arena, Bin, Heap, Record, Slot


cdef inline void list_slab(Bin *bin, Record *slab) noexcept nogil:
    """Put a slab of ours that has FREE slots in front of its bin's list."""
    slab.listed = 1
    slab.previous = NULL
    slab.next = bin.slabs
    if bin.slabs != NULL:
        bin.slabs.previous = slab
    bin.slabs = slab


cdef inline void unlist_slab(Bin *bin, Record *slab) noexcept nogil:
    """Take a slab out of its bin's list."""
    slab.listed = 0
    if slab.previous != NULL:
        slab.previous.next = slab.next
    else:
        bin.slabs = slab.next
    if slab.next != NULL:
        slab.next.previous = slab.previous


cdef inline uint64_t state_bytes(const Arena *arena, uint32_t size_class) noexcept nogil:
    """Length of a slab's state array: one byte for every index that slot_state can yield, ABSENT past the last slot."""
    cdef uint64_t bytes = <uint64_t>arena.class_units[size_class] << UNIT_SHIFT
    return round_up(bytes // arena.knobs.class_size[size_class] + 1, 64)


cdef inline Record *new_slab(Arena *arena, Heap *owner, uint32_t size_class) noexcept nogil:
    """A slab of fresh FREE slots for `owner`, or NULL: out of memory. Wants the arena's lock."""
    cdef uint32_t units = arena.class_units[size_class]
    cdef uint32_t slots = arena.class_slots[size_class]
    cdef uint64_t length = state_bytes(arena, size_class)
    cdef uint8_t *states = arena.spare_states[size_class]
    cdef Record *slab
    cdef Record *record
    cdef uint32_t i
    if states != NULL:
        arena.spare_states[size_class] = m4_read_link(states)
    else:
        states = <uint8_t *>take_metadata(arena, length)
        if states == NULL:
            return NULL
    slab = take_span(arena, units, UNIT)
    if slab == NULL:
        m4_write_link(states, arena.spare_states[size_class])
        arena.spare_states[size_class] = states
        return NULL
    m4_fill8(states, FREE, slots)
    m4_fill8(states + slots, ABSENT, length - slots)
    slab.free_slots = slots  # the count of remote frees is 0, but for those who notice only now that the last slab is gone
    slab.remote_next = NULL
    slab.start = unit_address(region_of_record(arena, slab), slab)
    for i in range(units):
        record = slab + i
        record.start = slab.start
        record.states = states
        record.owner = owner
        record.slot_size = arena.knobs.class_size[size_class]
        record.slots = slots
        record.size_class = <unsigned short>size_class
        record.bin = &owner.bins[size_class]
        record.kind = SLAB
        record.usable = 0
        record.head = slab
        m4_store64(&record.reciprocal, arena.class_reciprocal[size_class])  # last: now slot_state accepts it
    return slab


cdef inline void release_slab(Arena *arena, Record *slab) noexcept nogil:
    """Dissolve a slab whose slots are all FREE. Wants the arena's lock."""
    cdef uint32_t units = slab.units
    cdef uint8_t *states = slab.states
    cdef uint32_t i
    for i in range(units):
        m4_store64(&(slab + i).reciprocal, 0)
        (slab + i).kind = NO_SPAN
        (slab + i).owner = NULL
    m4_write_link(states, arena.spare_states[slab.size_class])
    arena.spare_states[slab.size_class] = states
    give_span(arena, slab, units, True)


cdef inline uint32_t take_slots(Record *slab, Slot *into, uint32_t most) noexcept nogil:
    """Move up to `most` FREE slots of the slab to `into`, lowest address first, as CACHED; returns how many."""
    cdef uint32_t taken = 0
    cdef uint32_t i = 0
    cdef uint32_t slots = slab.slots
    cdef uint8_t *states = slab.states
    cdef uint64_t word
    if most > slab.free_slots:
        most = slab.free_slots
    while taken < most and i < slots:
        if (i & 7) == 0:
            word = m4_read_states(states + i)
            if ((word - <uint64_t>0x0101010101010101) & ~word & <uint64_t>0x8080808080808080) == 0:
                i += 8  # eight states, none of them FREE
                continue
        if m4_read8(states + i) == FREE:
            m4_write8(states + i, CACHED)
            into[taken].address = slab.start + <uint64_t>i * slab.slot_size
            into[taken].state = states + i
            taken += 1
        i += 1
    slab.free_slots -= taken
    return taken
