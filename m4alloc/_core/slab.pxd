# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Slabs: spans of equal slots with one state byte a slot, kept out of line; side bytes of the slots after the states.

A slab may be followed by a unit that nobody can access (guard_slabs); it belongs to the slab's span.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (m4_fill8, m4_lowest_bit, m4_read8, m4_read_link, m4_read_states, m4_slab_made, m4_store64,
                              m4_write8, m4_write_link, memset)
from m4alloc._core.chance cimport common_divisor, draw_below
from m4alloc._core.fence cimport NO_FENCE, lift_fence, raise_fence
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.span cimport give_span, region_of_record, take_span, unit_address
from m4alloc._core.types cimport (ABSENT, CACHED, FREE, HOOK_CANARY, HOOK_CHECK, NO_SPAN, PLACE_LOWEST, SLAB, UNIT, UNIT_SHIFT, Arena,
                                  Bin, Heap, Record, Slot)

cdef enum:
    LOOK = 16                  # slabs of a list that a placement looks at
    LANES = 0x8080808080808080 # the top bit of each of eight states


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


cdef inline Record *preferred_slab(Record *first, uint32_t placement) noexcept nogil:
    """Of the first LOOK slabs of a bin's list the one at the lowest address, or the one with the fewest FREE slots."""
    cdef Record *best = first
    cdef Record *slab = first.next
    cdef uint32_t left = LOOK - 1
    while slab != NULL and left != 0:
        if slab.start < best.start if placement == PLACE_LOWEST else slab.free_slots < best.free_slots:
            best = slab
        slab = slab.next
        left -= 1
    return best


cdef inline bint promised_zero(const Arena *arena, uint32_t size_class) noexcept nogil:
    """Whether free slots of the class are taken to be zero: by the check on reuse, or by canaries that look beside them."""
    cdef uint32_t hooks = arena.class_hooks[size_class]
    return hooks & HOOK_CHECK != 0 or (hooks & HOOK_CANARY != 0
                                       and arena.class_zeroed[size_class] == arena.knobs.class_size[size_class])


cdef inline void prepare_span(Arena *arena, Record *slab, uint32_t size_class, uint32_t units) noexcept nogil:
    """Make a new slab's bytes what its class promises, and the unit behind it, should there be one, a guard."""
    slab.fence = NO_FENCE
    if size_class == arena.empty_class:
        slab.fence = raise_fence(arena, slab.start, <uint64_t>units << UNIT_SHIFT)
    elif slab.units != units:
        slab.fence = raise_fence(arena, slab.start + (<uint64_t>units << UNIT_SHIFT), UNIT)
    if slab.dirty_units != 0 and promised_zero(arena, size_class):
        memset(slab.start, 0, <uint64_t>units << UNIT_SHIFT)


cdef inline void restore_span(Arena *arena, Record *slab) noexcept nogil:
    """Undo the fence of prepare_span."""
    cdef uint64_t body = <uint64_t>arena.class_units[slab.size_class] << UNIT_SHIFT
    if slab.size_class == arena.empty_class:
        lift_fence(arena, slab.start, body, slab.fence)
    else:
        lift_fence(arena, slab.start + body, UNIT, slab.fence)


cdef inline Record *new_slab(Arena *arena, Heap *owner, uint32_t size_class) noexcept nogil:
    """A slab of fresh FREE slots for `owner`, or NULL: out of memory. Wants the arena's lock."""
    cdef uint32_t units = arena.class_units[size_class]
    cdef uint32_t slots = arena.class_slots[size_class]
    cdef uint32_t guard = 0
    cdef uint64_t length = arena.class_side[size_class]
    cdef uint64_t side = slots * arena.side_length
    cdef uint8_t *states = arena.spare_states[size_class]
    cdef Record *slab
    cdef Record *record
    cdef uint32_t i
    if states != NULL:
        arena.spare_states[size_class] = m4_read_link(states)
    else:
        states = <uint8_t *>take_metadata(arena, length + side)
        if states == NULL:
            return NULL
    arena.slabs_made += 1
    if arena.knobs.guard_slabs != 0 and size_class != arena.empty_class:
        guard = 1 if arena.slabs_made % arena.knobs.guard_slabs == 0 else 0
    slab = take_span(arena, units + guard, UNIT)
    if slab == NULL and guard != 0:  # memory is short: rather a slab than a guard
        slab = take_span(arena, units, UNIT)
    if slab == NULL:
        m4_write_link(states, arena.spare_states[size_class])
        arena.spare_states[size_class] = states
        return NULL
    m4_fill8(states, FREE, slots)
    m4_fill8(states + slots, ABSENT, length - slots)
    memset(states + length, 0, side)
    slab.free_slots = slots  # the count of remote frees is 0, but for those who notice only now that the last slab is gone
    slab.first_free = 0
    slab.remote_next = NULL
    slab.start = unit_address(region_of_record(arena, slab), slab)
    prepare_span(arena, slab, size_class, units)
    m4_slab_made(slab.start, <uint64_t>units << UNIT_SHIFT)
    arena.class_slabs_made[size_class] += 1
    arena.class_slabs[size_class] += 1
    if arena.class_slabs[size_class] > arena.class_slabs_peak[size_class]:
        arena.class_slabs_peak[size_class] = arena.class_slabs[size_class]
    for i in range(units):
        record = slab + i
        record.start = slab.start
        record.states = states
        record.owner = owner
        record.slot_size = arena.knobs.class_size[size_class]
        record.slots = slots
        record.size_class = <uint8_t>size_class
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
    restore_span(arena, slab)
    arena.class_slabs[slab.size_class] -= 1
    for i in range(units):
        m4_store64(&(slab + i).reciprocal, 0)
        (slab + i).kind = NO_SPAN
        (slab + i).owner = NULL
    m4_write_link(states, arena.spare_states[slab.size_class])
    arena.spare_states[slab.size_class] = states
    give_span(arena, slab, units, True)


cdef inline uint64_t lanes_in(uint64_t states, uint64_t state) noexcept nogil:
    """Which of eight states are `state`: the top bit of each such byte and nothing else, the lowest address lowest.

    No state is above 7 (SlotState), so neither is its difference to another: 0x80 less the difference keeps its top bit
    where the difference is 0 only, and no byte borrows from the next. No shorter way exists (docs/superopt-core.md).
    """
    return (LANES - (states ^ state * <uint64_t>0x0101010101010101)) & LANES


cdef inline void lower_first_free(Record *slab, const uint8_t *state) noexcept nogil:
    """The slot with that state has become FREE."""
    cdef uint32_t group = <uint32_t>(state - slab.states) >> 3
    if group < slab.first_free:
        slab.first_free = group


cdef inline uint32_t take_slots(Record *slab, Slot *into, uint32_t most) noexcept nogil:
    """Move up to `most` FREE slots of the slab to `into` as CACHED, the lowest address last; how many.

    Looks at a group of eight states at a time, and at none before first_free. Other threads change no FREE state, so
    what was FREE when the group was read still is.
    """
    cdef uint32_t group = slab.first_free
    cdef uint32_t i
    cdef uint64_t lanes, at
    cdef char *address
    cdef uint8_t *states
    cdef Slot *place
    if most > slab.free_slots:
        most = slab.free_slots
    if most == 0:
        return 0
    place = into + most
    while True:
        states = slab.states + 8 * group
        address = slab.start + <uint64_t>(8 * group) * slab.slot_size
        lanes = lanes_in(m4_read_states(states), FREE)
        if lanes == LANES and place - into >= 8:  # as in a new slab: there is nothing to look for
            for i in range(8):
                m4_write8(states + i, CACHED)
                place -= 1
                place.address = address
                place.state = states + i
                address += slab.slot_size
        else:
            while lanes != 0 and place != into:
                at = m4_lowest_bit(lanes) >> 3
                m4_write8(states + at, CACHED)
                place -= 1
                place.address = address + at * slab.slot_size
                place.state = states + at
                lanes &= lanes - 1
        if place == into:
            slab.first_free = group
            slab.free_slots -= most
            return most
        group += 1


cdef inline uint32_t take_any_slots(Record *slab, Slot *into, uint32_t most, bint all_over,
                                    uint64_t *random) noexcept nogil:
    """take_slots, but from a random place of the slab on: the next FREE slots, or `all_over` by steps of random length.

    The step has no divisor in common with the number of slots, so that it leads to every slot. Cost: as many steps as
    find `most` FREE slots; all of the slab's at worst.
    """
    cdef uint32_t taken = 0
    cdef uint32_t slots = slab.slots
    cdef uint32_t at = draw_below(random, slots)
    cdef uint32_t step = draw_below(random, slots) if all_over else 1
    if most > slab.free_slots:
        most = slab.free_slots
    while common_divisor(step, slots) != 1:
        step += 1
    step %= slots
    while taken < most:
        if m4_read8(slab.states + at) == FREE:
            m4_write8(slab.states + at, CACHED)
            into[taken].address = slab.start + <uint64_t>at * slab.slot_size
            into[taken].state = slab.states + at
            taken += 1
        at += step
        if at >= slots:
            at -= slots
    slab.free_slots -= taken
    return taken
