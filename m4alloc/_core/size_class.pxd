# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Size classes: from a request size to the smallest slot that holds it, by one table look-up."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport M4_FAULT, m4_floor_log2, m4_read8, m4_write8
from m4alloc._core.fault cimport (FAULT_ALIGNMENT_IGNORED, FAULT_REUSE_BEFORE_QUARANTINE, FAULT_SIZE_CLASS_OFF_BY_ONE,
                                  FAULT_SLABS_OVERLAP)
from m4alloc._core.types cimport (CLASS_TABLE, GRANULE, HOOK_CANARY, HOOK_CHECK, HOOK_EMPTY, HOOK_HISTORY, HOOK_KEEP,
                                  HOOK_NO_DELAY, HOOK_QUARANTINE, HOOK_RANDOM, HOOK_ZERO, NO_BIN, SMALL_MAX, UNIT,
                                  UNIT_SHIFT, Arena, Knobs)

cdef enum:
    HISTORY_BYTES = 8          # of a slot, in front of its side bytes
    SAMPLE_HOOKED = 4096       # sample rates below are kept exactly, by looking at every malloc


cdef inline uint32_t size_class(const Arena *arena, size_t size) noexcept nogil:
    """The bin that the hot path looks into for a request of at most SMALL_MAX bytes; NO_BIN under hooks on malloc."""
    if M4_FAULT == FAULT_SIZE_CLASS_OFF_BY_ONE and size > GRANULE:
        size -= 1 if size % GRANULE == 1 else 0
    return m4_read8(&arena.class_of[(size + GRANULE - 1) // GRANULE])  # may be read while the arena opens: by nobody


cdef inline uint32_t slot_class(const Arena *arena, size_t size) noexcept nogil:
    """The class of a request of at most SMALL_MAX bytes, or NO_BIN; size 0 has one of its own, or gets the smallest."""
    if M4_FAULT == FAULT_SIZE_CLASS_OFF_BY_ONE and size > GRANULE:
        size -= 1 if size % GRANULE == 1 else 0
    return arena.slow_class_of[(size + GRANULE - 1) // GRANULE]


cdef inline uint32_t fitting_class(const Arena *arena, size_t size) noexcept nogil:
    """The class of a request of any size, or NO_BIN: it gets a span of its own."""
    cdef uint32_t c = arena.first_above
    if size <= SMALL_MAX:
        return slot_class(arena, size)
    if size > arena.largest:
        return NO_BIN
    while arena.knobs.class_size[c] < size:
        c += 1
    return c


cdef inline int aligned_class(const Arena *arena, size_t size, size_t alignment) noexcept nogil:
    """The smallest class whose slots hold `size` bytes and all start at multiples of `alignment`; -1 when none does.

    Slabs start at multiples of UNIT, so every slot is aligned as its size is. alignment: a power of two, so that a mask
    does for a division, of which there may be one a class.
    """
    cdef uint32_t c
    if alignment > UNIT:
        return -1
    c = fitting_class(arena, size if size != 0 else 1)
    if M4_FAULT == FAULT_ALIGNMENT_IGNORED:
        return <int>c if c != NO_BIN else -1
    while c < arena.knobs.classes:
        if arena.knobs.class_size[c] & (alignment - 1) == 0:
            return <int>c
        c += 1
    return -1


cdef inline uint32_t bounded(uint32_t slots, uint64_t bytes, uint64_t slot) noexcept nogil:
    """As many of `slots` slots as fit in `bytes`, but one at least when any are wanted."""
    if slots * slot <= bytes:
        return slots
    return <uint32_t>(bytes // slot if bytes > slot else 1)


cdef inline uint32_t power_of_two(uint32_t n) noexcept nogil:
    """The least power of two that is at least n; 0 for 0."""
    return <uint32_t>2 << m4_floor_log2(n - 1) if n > 1 else n


cdef inline uint32_t delay_length(const Knobs *knobs, uint32_t slot) noexcept nogil:
    """Length of the delay lines of that slot size: a power of two, for then a ring needs no branch to turn."""
    cdef uint32_t wanted = power_of_two(knobs.delay_line)
    while wanted > 1 and <uint64_t>wanted * slot > knobs.delay_bytes:
        wanted //= 2
    return wanted


cdef inline uint32_t hooks_of(const Arena *arena, uint32_t c) noexcept nogil:
    """What malloc and free of a class do besides."""
    cdef const Knobs *knobs = &arena.knobs
    cdef uint32_t hooks = 0
    if arena.class_delay[c] == 0 or M4_FAULT == FAULT_REUSE_BEFORE_QUARANTINE:
        hooks |= HOOK_NO_DELAY
    if arena.class_quarantine[c] != 0 and M4_FAULT != FAULT_REUSE_BEFORE_QUARANTINE:
        hooks |= HOOK_QUARANTINE
        if knobs.quarantine_random:
            hooks |= HOOK_RANDOM
        if arena.monitored:
            hooks |= HOOK_KEEP
    if knobs.history:
        hooks |= HOOK_HISTORY
    if c == arena.empty_class:
        return hooks | HOOK_EMPTY
    if knobs.class_size[c] <= knobs.zero_on_free or knobs.check_on_reuse != 0:
        hooks |= HOOK_ZERO
    if knobs.check_on_reuse != 0:
        hooks |= HOOK_CHECK
    if knobs.canaries:
        hooks |= HOOK_CANARY
    return hooks


cdef inline uint64_t least_units(const Knobs *knobs, uint32_t c) noexcept nogil:
    """Units of a slab of the class that has eight slots at least, or its tail would be mostly waste."""
    cdef uint64_t units = 1
    while units * UNIT < 8 * <uint64_t>knobs.class_size[c]:
        units *= 2
    return units


cdef inline uint64_t slab_units(const Knobs *knobs, uint32_t c) noexcept nogil:
    """Units of a slab of the class: as given, or the least."""
    return knobs.slab_bytes[c] >> UNIT_SHIFT if c < knobs.slabs_given else least_units(knobs, c)


cdef inline uint64_t depth_of(const Knobs *knobs, uint32_t c) noexcept nogil:
    """Slots on a stack of the class: as given, else by depth and bytes, but 16 at least; 2 above SMALL_MAX."""
    cdef uint64_t least = 16 if knobs.class_size[c] <= SMALL_MAX else 2
    cdef uint64_t depth = knobs.stack_bytes // knobs.class_size[c]
    if c < knobs.depths_given:
        return knobs.stack_depths[c]
    if depth > knobs.stack_depth:
        depth = knobs.stack_depth
    return depth if depth > least else least


cdef inline void build_classes(Arena *arena) noexcept nogil:
    """Fill the tables from the strategy's slot sizes (increasing, multiples of GRANULE)."""
    cdef Knobs *knobs = &arena.knobs
    cdef uint32_t c = 0
    cdef uint32_t i, batch
    cdef uint64_t slot, units
    for i in range(CLASS_TABLE):
        while c < knobs.classes and knobs.class_size[c] < i * GRANULE:
            c += 1
        m4_write8(&arena.class_of[i], <unsigned char>(c if c < knobs.classes else NO_BIN))
    arena.largest = knobs.class_size[knobs.classes - 1]
    arena.first_above = 0
    while arena.first_above < knobs.classes and knobs.class_size[arena.first_above] <= SMALL_MAX:
        arena.first_above += 1
    arena.hooked_malloc = (knobs.check_on_reuse != 0 or knobs.canaries != 0 or knobs.history != 0
                           or (knobs.sample_rate != 0 and knobs.sample_rate < SAMPLE_HOOKED))
    arena.hooked = (knobs.delay_line == 0 or knobs.quarantine != 0 or knobs.zero_on_free != 0
                    or arena.hooked_malloc != 0 or M4_FAULT == FAULT_REUSE_BEFORE_QUARANTINE)
    arena.side_length = (HISTORY_BYTES if knobs.history else 0) + knobs.side_bytes
    arena.bins = knobs.classes
    arena.empty_class = NO_BIN
    if knobs.guard_empty:
        arena.empty_class = knobs.classes
        arena.bins += 1
        knobs.class_size[arena.empty_class] = GRANULE
        m4_write8(&arena.class_of[0], <unsigned char>arena.empty_class)
    if knobs.canaries and knobs.class_size[arena.class_of[1]] == GRANULE:
        # A slot shorter than 32 bytes has too little around it to look at.
        m4_write8(&arena.class_of[1], arena.class_of[2])
    for i in range(CLASS_TABLE):
        arena.slow_class_of[i] = arena.class_of[i]
        if arena.hooked_malloc:
            m4_write8(&arena.class_of[i], NO_BIN)
    for c in range(arena.bins):
        slot = knobs.class_size[c]
        units = slab_units(knobs, c)
        arena.class_units[c] = <uint32_t>units
        arena.class_least[c] = <uint32_t>least_units(knobs, c)
        arena.class_slots[c] = <uint32_t>((units << UNIT_SHIFT) // slot)
        if M4_FAULT == FAULT_SLABS_OVERLAP:
            arena.class_slots[c] += 1
        arena.class_reciprocal[c] = (<uint64_t>0xFFFFFFFFFFFFFFFF) // slot + 1
        arena.class_depth[c] = <uint32_t>depth_of(knobs, c)
        arena.class_delay[c] = delay_length(knobs, <uint32_t>slot)
        arena.class_quarantine[c] = bounded(knobs.quarantine, knobs.quarantine_bytes, slot)
        batch = arena.class_delay[c] if arena.class_delay[c] != 0 else 1
        arena.class_batch[c] = batch
        arena.class_line[c] = (arena.class_delay[c] + arena.class_quarantine[c] + batch - 1) // batch * batch + batch
        arena.class_hooks[c] = hooks_of(arena, c)
        arena.class_checked[c] = <uint32_t>(slot if slot < knobs.check_on_reuse else knobs.check_on_reuse & ~15)
        arena.class_zeroed[c] = <uint32_t>slot if slot <= knobs.zero_on_free else arena.class_checked[c]


cdef inline uint64_t quarantine_length(const Arena *arena) noexcept nogil:
    """Frees of its class that a slot waits for at least; a quarantine that gives out random slots promises none."""
    return arena.knobs.delay_line + (0 if arena.knobs.quarantine_random else arena.knobs.quarantine)


cdef inline uint32_t quarantine_limit(const Arena *arena) noexcept nogil:
    """The largest slot size up to which every class has the delay line and the quarantine in full length.

    0 where the usable size of a block does not tell its class: under canaries, and of a sampled block.
    """
    cdef uint32_t c = 0
    if arena.knobs.canaries or arena.knobs.sample_rate != 0:
        return 0
    while (c < arena.knobs.classes and arena.class_delay[c] >= arena.knobs.delay_line
           and (arena.class_quarantine[c] == arena.knobs.quarantine or arena.knobs.quarantine_random)):
        c += 1
    return arena.knobs.class_size[c - 1] if c != 0 else 0
