# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Size classes: from a request size to the smallest slot that holds it, by one table look-up."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport M4_FAULT, m4_read8, m4_write8
from m4alloc._core.fault cimport (FAULT_ALIGNMENT_IGNORED, FAULT_REUSE_BEFORE_QUARANTINE, FAULT_SIZE_CLASS_OFF_BY_ONE,
                                  FAULT_SLABS_OVERLAP)
from m4alloc._core.types cimport CLASS_TABLE, GRANULE, SMALL_MAX, UNIT, UNIT_SHIFT, Arena, Knobs


cdef inline uint32_t size_class(const Arena *arena, size_t size) noexcept nogil:
    """The class of a request of at most SMALL_MAX bytes; size 0 gets the smallest."""
    if M4_FAULT == FAULT_SIZE_CLASS_OFF_BY_ONE and size > GRANULE:
        size -= 1 if size % GRANULE == 1 else 0
    return m4_read8(&arena.class_of[(size + GRANULE - 1) // GRANULE])  # may be read while the arena opens: by nobody


cdef inline int aligned_class(const Arena *arena, size_t size, size_t alignment) noexcept nogil:
    """The smallest class whose slots hold `size` bytes and all start at multiples of `alignment`; -1 when none does.

    Slabs start at multiples of UNIT, so every slot is aligned as its size is.
    """
    cdef uint32_t c
    if size > SMALL_MAX or alignment > UNIT:
        return -1
    c = size_class(arena, size)
    if M4_FAULT == FAULT_ALIGNMENT_IGNORED:
        return <int>c
    while c < arena.knobs.classes:
        if arena.knobs.class_size[c] % alignment == 0:
            return <int>c
        c += 1
    return -1


cdef inline uint32_t remote_batch(const Arena *arena, uint32_t c) noexcept nogil:
    """How many slots of other threads leave the delay line together: as many as the line is long, one at least."""
    return arena.class_delay[c] if arena.class_delay[c] != 0 else 1


cdef inline uint32_t remote_length(const Arena *arena, uint32_t c) noexcept nogil:
    """Length of the delay line for other threads' slots: whole batches, one more than the delay and the quarantine."""
    cdef uint32_t batch = remote_batch(arena, c)
    return (arena.class_delay[c] + arena.class_quarantine[c] + batch - 1) // batch * batch + batch


cdef inline uint32_t bounded(uint32_t slots, uint64_t bytes, uint64_t slot) noexcept nogil:
    """As many of `slots` slots as fit in `bytes`, but one at least when any are wanted."""
    if slots * slot <= bytes:
        return slots
    return <uint32_t>(bytes // slot if bytes > slot else 1)


cdef inline void build_classes(Arena *arena) noexcept nogil:
    """Fill the tables from the strategy's slot sizes (increasing multiples of GRANULE, the last is SMALL_MAX)."""
    cdef Knobs *knobs = &arena.knobs
    cdef uint32_t c = 0
    cdef uint32_t i
    cdef uint64_t slot, units, depth
    for i in range(CLASS_TABLE):
        while knobs.class_size[c] < i * GRANULE:
            c += 1
        m4_write8(&arena.class_of[i], <unsigned char>c)
    arena.hooked = (knobs.delay_line == 0 or knobs.quarantine != 0 or knobs.zero_on_free != 0
                    or M4_FAULT == FAULT_REUSE_BEFORE_QUARANTINE)
    for c in range(knobs.classes):
        slot = knobs.class_size[c]
        units = 1
        while units * UNIT < 8 * slot:  # at least eight slots, or the slab's tail would be mostly waste
            units *= 2
        arena.class_units[c] = <uint32_t>units
        arena.class_slots[c] = <uint32_t>((units << UNIT_SHIFT) // slot)
        if M4_FAULT == FAULT_SLABS_OVERLAP:
            arena.class_slots[c] += 1
        arena.class_reciprocal[c] = (<uint64_t>0xFFFFFFFFFFFFFFFF) // slot + 1
        depth = knobs.stack_bytes // slot
        if depth > knobs.stack_depth:
            depth = knobs.stack_depth
        arena.class_depth[c] = <uint32_t>(depth if depth > 16 else 16)
        arena.class_delay[c] = bounded(knobs.delay_line, knobs.delay_bytes, slot)
        arena.class_quarantine[c] = bounded(knobs.quarantine, knobs.quarantine_bytes, slot)


cdef inline uint32_t quarantine_limit(const Arena *arena) noexcept nogil:
    """The largest slot size up to which every class has the delay line and the quarantine in full length."""
    cdef uint32_t c = 0
    while (c < arena.knobs.classes and arena.class_delay[c] == arena.knobs.delay_line
           and arena.class_quarantine[c] == arena.knobs.quarantine):
        c += 1
    return arena.knobs.class_size[c - 1] if c != 0 else 0
