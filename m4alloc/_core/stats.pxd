# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Statistics and invariants, counted from the records when somebody asks: the hot paths count nothing."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_acquire, m4_load64, m4_read8, m4_relinquish
from m4alloc._core.span cimport unit_address
from m4alloc._core.types cimport (FREE, FREE_SPAN, HELD_SPAN, LARGE, LIVE, SAMPLE_SPAN, SLAB, UNIT_SHIFT, Arena, Heap,
                                  Record, Region)


cdef struct Totals "m4_totals":            # bytes unless said otherwise
    uint64_t live              # usable size of all live blocks
    uint64_t live_blocks
    uint64_t large             # of live: in large blocks
    uint64_t large_blocks
    uint64_t cached            # freed slots in stacks, delay lines, quarantines and on their way back
    uint64_t spans             # in slabs and large blocks
    uint64_t spans_peak
    uint64_t dirty             # in free spans that keep their pages
    uint64_t reserved          # address space
    uint64_t committed
    uint64_t metadata
    uint64_t slabs
    uint64_t heaps             # threads that have allocated and their successors
    uint64_t misuses


cdef inline void count(Arena *arena, Totals *totals) noexcept nogil:
    """Fill `totals`. Exact when no other thread is inside a call; while one is, off by its block. Cost: O(slots)."""
    cdef uint32_t i, j
    cdef uint64_t live
    cdef uint8_t state
    cdef Region *region
    cdef Record *record
    cdef Record *end
    cdef Heap *heap
    m4_acquire(&arena.lock)
    totals[0] = Totals(0, 0, arena.large_bytes, arena.large_blocks, 0, arena.span_bytes, arena.span_bytes_peak,
                       arena.dirty_bytes, 0, 0, arena.metadata_bytes, 0, 0, m4_load64(&arena.misuses))
    for i in range(arena.region_count):
        region = &arena.regions[i]
        totals.reserved += region.reserved
        totals.committed += region.committed
        record = region.records
        end = region.records + (region.used >> UNIT_SHIFT)
        while record < end:
            if record.kind == SLAB:
                totals.slabs += 1
                live = 0
                for j in range(record.slots):
                    state = m4_read8(record.states + j)
                    if state == LIVE:
                        live += 1
                    elif state != FREE:
                        totals.cached += record.slot_size
                if record.size_class != arena.empty_class:
                    totals.live += live * record.slot_size
                totals.live_blocks += live
            record += record.units if record.units != 0 else 1
    totals.live += arena.large_bytes
    totals.live_blocks += arena.large_blocks
    heap = arena.heaps
    while heap != NULL:
        totals.heaps += 1
        heap = heap.next_heap
    m4_relinquish(&arena.lock)


cdef inline const char *broken_invariant(Arena *arena) noexcept nogil:
    """The name of an invariant that does not hold, or NULL. Wants every other thread outside the arena."""
    cdef uint32_t i, j, free_slots
    cdef uint64_t spans = 0
    cdef uint64_t large = 0
    cdef uint64_t dirty = 0
    cdef uint64_t held = 0
    cdef Region *region
    cdef Record *record
    cdef Record *end
    for i in range(arena.region_count):
        region = &arena.regions[i]
        if region.used > region.committed or region.committed > region.reserved:
            return "used <= committed <= reserved"
        record = region.records
        end = region.records + (region.used >> UNIT_SHIFT)
        while record < end:
            if record.units == 0 or record.units > <uint64_t>(end - record):
                return "spans tile the region"
            if record.kind == SLAB:
                spans += record.units
                free_slots = 0
                for j in range(record.slots):
                    if record.states[j] == FREE:
                        free_slots += 1
                if free_slots != record.free_slots:
                    return "a slab counts its FREE slots"
                if (free_slots != 0) != (record.listed != 0):
                    return "a slab is listed exactly when it has FREE slots"
                if record.start != unit_address(region, record):
                    return "a slab starts at its first unit"
            elif record.kind == LARGE:
                spans += record.units
                large += record.usable
                if record.usable > <uint64_t>record.units << UNIT_SHIFT:
                    return "a large block fits its span"
            elif record.kind == FREE_SPAN:
                dirty += record.dirty_units
                if record.head != record or (record + record.units - 1).head != record:
                    return "a free span is marked at both ends"
                if record + record.units < end and (record + record.units).kind == FREE_SPAN:
                    return "free neighbours are coalesced"
            elif record.kind == HELD_SPAN or record.kind == SAMPLE_SPAN:
                spans += record.units
                held += record.units if record.kind == HELD_SPAN else 0
            else:
                return "every span is a slab, a large block, held, for samples or free"
            record += record.units
        if record != end:
            return "spans tile the region"
    if spans << UNIT_SHIFT != arena.span_bytes:
        return "span_bytes counts slabs and large blocks"
    if held << UNIT_SHIFT != arena.held_bytes:
        return "held_bytes counts held spans"
    if large != arena.large_bytes:
        return "large_bytes counts large blocks"
    if dirty << UNIT_SHIFT != arena.dirty_bytes:
        return "dirty_bytes counts dirty free spans"
    return NULL
