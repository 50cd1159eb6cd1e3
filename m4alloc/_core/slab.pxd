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
from m4alloc._core.side cimport mark_bytes, state_bytes
from m4alloc._core.span cimport give_span, lose_span, region_of_record, take_span, unit_address
from m4alloc._core.types cimport (ABSENT, CACHED, FREE, HOOK_CANARY, HOOK_CHECK, NO_SPAN, PLACE_LOWEST, SLAB, UNIT, UNIT_SHIFT, Arena,
                                  Bin, Heap, Record, Ring, Slot)

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


cdef inline uint32_t body_units(const Arena *arena, const Record *slab) noexcept nogil:
    """Units of the slab's span that its slots are in: all but its guard."""
    return slab.units if slab.fence == NO_FENCE or slab.size_class == arena.empty_class else slab.units - 1


cdef inline uint32_t restore_span(Arena *arena, Record *slab) noexcept nogil:
    """Undo the fence of prepare_span; how many of its units anybody can have now, for the system may refuse."""
    cdef uint32_t body = body_units(arena, slab)
    cdef uint64_t bytes = <uint64_t>slab.units << UNIT_SHIFT
    if slab.size_class == arena.empty_class:
        return slab.units if lift_fence(arena, slab.start, bytes, slab.fence) else 0
    return slab.units if lift_fence(arena, slab.start + bytes - UNIT, UNIT, slab.fence) else body


cdef inline void keep_states(Arena *arena, uint32_t size_class, uint8_t *states, uint32_t slots) noexcept nogil:
    """Put a state array that no slab uses any more aside, for the next slab of as many slots of the class."""
    m4_write_link(states, arena.spare_states[size_class])
    m4_write_link(states + 8, <uint8_t *><uint64_t>slots)
    arena.spare_states[size_class] = states


cdef inline uint8_t *take_states(Arena *arena, uint32_t size_class, uint32_t slots) noexcept nogil:
    """A state array for a slab of the class, put aside or new; NULL: out of memory.

    All slabs of a class are equally long but for those made when memory was short, so the first is mostly the right one.
    """
    cdef uint8_t *states = arena.spare_states[size_class]
    cdef uint8_t *before = NULL
    while states != NULL and <uint64_t>m4_read_link(states + 8) != slots:
        before = states
        states = m4_read_link(states)
    if states == NULL:
        return <uint8_t *>take_metadata(arena, state_bytes(slots) + mark_bytes(slots) + slots * arena.side_length)
    if before == NULL:
        arena.spare_states[size_class] = m4_read_link(states)
    else:
        m4_write_link(before, m4_read_link(states))
    return states


cdef inline Record *make_slab(Arena *arena, Heap *owner, uint32_t size_class, uint32_t units,
                              uint32_t guard) noexcept nogil:
    """A slab of fresh FREE slots in so many units, and `guard` more behind them; NULL: out of memory."""
    cdef uint32_t slots = arena.class_slots[size_class]
    cdef uint8_t *states
    cdef Record *slab
    cdef Record *record
    cdef uint64_t length
    cdef uint32_t i
    if units != arena.class_units[size_class]:
        slots = <uint32_t>((<uint64_t>units << UNIT_SHIFT) // arena.knobs.class_size[size_class])
    states = take_states(arena, size_class, slots)
    if states == NULL:
        return NULL
    slab = take_span(arena, units + guard, UNIT)
    if slab == NULL:
        keep_states(arena, size_class, states, slots)
        return NULL
    length = state_bytes(slots)
    m4_fill8(states, FREE, slots)
    m4_fill8(states + slots, ABSENT, length - slots)
    m4_fill8(states + length, 0, mark_bytes(slots))
    memset(states + length + mark_bytes(slots), 0, slots * arena.side_length)
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


cdef inline bint open_line(Arena *arena, Heap *heap, uint32_t size_class) noexcept nogil:
    """Give a heap its line for other threads' slots of a class; False: out of memory. Wants the arena's lock."""
    cdef Ring *ring = &heap.rings[size_class]
    if ring.line == NULL:
        ring.line = <Slot *>take_metadata(arena, arena.class_line[size_class] * sizeof(Slot))
    return ring.line != NULL


cdef inline uint32_t units_wanted(const Arena *arena, uint32_t size_class) noexcept nogil:
    """Units of the next slab of the class: as its strategy has it, or fewer where there is little address space for all.

    It is little where a slab of each class would take more than half of it. No class's slab then takes more than an equal
    share of that half.
    """
    cdef uint64_t room = arena.regions[0].reserved
    cdef uint64_t of_all = 0
    cdef uint32_t c
    cdef uint32_t units = arena.class_units[size_class]
    cdef uint32_t least = arena.class_least[size_class]
    if least > units:
        least = units
    if arena.knobs.capacity != 0 and arena.knobs.capacity < room:
        room = arena.knobs.capacity
    for c in range(arena.bins):
        of_all += arena.class_units[c]
    if 2 * of_all <= room >> UNIT_SHIFT:
        return units
    room = room // (2 * arena.bins) >> UNIT_SHIFT
    if units > room:
        units = <uint32_t>room
    return units if units > least else least


cdef inline Record *new_slab(Arena *arena, Heap *owner, uint32_t size_class) noexcept nogil:
    """A slab of fresh FREE slots for `owner`, or NULL: out of memory. Wants the arena's lock.

    Where memory is short, it has no guard, or no more units than it needs for eight slots, or half as many, and so on
    down to one slot.
    """
    cdef uint32_t units = units_wanted(arena, size_class)
    cdef uint32_t guard = 0
    cdef Record *slab
    if not open_line(arena, &arena.shared, size_class):  # now, so that a free never lacks one
        return NULL
    arena.slabs_made += 1
    if arena.knobs.guard_slabs != 0 and size_class != arena.empty_class:
        guard = 1 if arena.slabs_made % arena.knobs.guard_slabs == 0 else 0
    slab = make_slab(arena, owner, size_class, units, guard)
    if slab == NULL and guard != 0:
        slab = make_slab(arena, owner, size_class, units, 0)
    if units > 2 * arena.class_least[size_class]:
        units = 2 * arena.class_least[size_class]
    while slab == NULL and <uint64_t>(units // 2) << UNIT_SHIFT >= arena.knobs.class_size[size_class]:
        units //= 2
        slab = make_slab(arena, owner, size_class, units, 0)
    return slab


cdef inline void release_slab(Arena *arena, Record *slab) noexcept nogil:
    """Dissolve a slab whose slots are all FREE. Wants the arena's lock."""
    cdef uint32_t units = slab.units
    cdef uint32_t regained = restore_span(arena, slab)
    cdef uint32_t i
    arena.class_slabs[slab.size_class] -= 1
    for i in range(units):
        m4_store64(&(slab + i).reciprocal, 0)
        (slab + i).kind = NO_SPAN
        (slab + i).owner = NULL
    keep_states(arena, slab.size_class, slab.states, slab.slots)
    if regained != units:
        lose_span(slab + regained, units - regained)
    if regained != 0:
        give_span(arena, slab, regained, True)


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
