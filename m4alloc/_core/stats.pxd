# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Statistics and invariants, counted when somebody asks: the hot paths count nothing for them."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_acquire, m4_load32, m4_load64, m4_read64, m4_read8, m4_relinquish, memset
from m4alloc._core.span cimport unit_address
from m4alloc._core.types cimport (BINS_MAX, FREE, FREE_SPAN, HELD_SPAN, LARGE, LIVE, LOST_SPAN, SAMPLE_LIVE, SAMPLE_SPAN, SLAB,
                                  UNIT_SHIFT, Arena, Heap, Record, Region, Ring, Slot)


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


cdef struct ClassCounts "m4_class_counts":     # of one size class; sizes in bytes
    uint64_t slot_size         # 0: of requests of zero bytes
    uint64_t spans             # in its slabs
    uint64_t slabs
    uint64_t slabs_peak
    uint64_t slabs_made        # so far, as the counts below
    uint64_t slots
    uint64_t live_blocks
    uint64_t cached_slots
    uint64_t free_slots
    uint64_t mallocs           # blocks handed out
    uint64_t frees             # and taken back
    uint64_t remote_frees      # of frees: by a thread that did not own the slab
    uint64_t refills           # of empty stacks
    uint64_t flushes           # of full stacks


cdef struct Counters "m4_counters":            # what has happened so far, and what Totals has no room for
    uint64_t mallocs           # of classes, large blocks and samples
    uint64_t frees
    uint64_t remote_frees
    uint64_t large_mallocs
    uint64_t large_frees
    uint64_t large_freed       # bytes, what resizing in place gave back included
    uint64_t sampled_mallocs
    uint64_t sampled_frees
    uint64_t refills
    uint64_t flushes
    uint64_t slabs_made
    uint64_t purges            # free spans whose pages went back to the system
    uint64_t purged            # bytes of them
    uint64_t commits           # times that more memory was made accessible
    uint64_t prefaults         # slabs and large blocks made resident in one step
    uint64_t held              # bytes of freed large blocks whose addresses are not used again yet
    uint64_t regions
    uint64_t threads           # that have a heap now


cdef struct Statistics "m4_statistics":
    Totals totals
    Counters counters
    uint32_t classes
    ClassCounts of_class[BINS_MAX]


cdef inline void count_states(const Record *slab, uint64_t *live, uint64_t *cached) noexcept nogil:
    """How many slots of a slab are LIVE, and how many neither LIVE nor FREE."""
    cdef uint32_t i
    cdef uint8_t state
    live[0] = 0
    cached[0] = 0
    for i in range(slab.slots):
        state = m4_read8(slab.states + i)
        if state == LIVE:
            live[0] += 1
        elif state != FREE:
            cached[0] += 1


cdef inline uint64_t live_samples(const Arena *arena, uint64_t *size) noexcept nogil:
    """How many samples are live, and their bytes. Wants the arena's lock."""
    cdef uint64_t live = 0
    cdef uint32_t i
    size[0] = 0
    if arena.samples == NULL:
        return 0
    for i in range(arena.knobs.sample_slots):
        if m4_load32(&arena.samples[i].state) == SAMPLE_LIVE:
            live += 1
            size[0] += arena.samples[i].size
    return live


cdef inline void count(Arena *arena, Totals *totals) noexcept nogil:
    """Fill `totals`. Exact when no other thread is inside a call; while one is, off by its block. Cost: O(slots)."""
    cdef uint32_t i
    cdef uint64_t live, cached, size
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
                count_states(record, &live, &cached)
                if record.size_class != arena.empty_class:
                    totals.live += live * record.slot_size
                    totals.cached += cached * record.slot_size
                totals.live_blocks += live
            record += record.units if record.units != 0 else 1
    totals.live_blocks += arena.large_blocks + live_samples(arena, &size)
    totals.live += arena.large_bytes + size
    heap = arena.heaps
    while heap != NULL:
        totals.heaps += 1
        heap = heap.next_heap
    m4_relinquish(&arena.lock)


cdef inline void count_slabs(Arena *arena, ClassCounts *of_class) noexcept nogil:
    """Add up the slabs of each class. Wants the arena's lock."""
    cdef uint32_t i
    cdef uint64_t live, cached
    cdef Region *region
    cdef Record *record
    cdef Record *end
    cdef ClassCounts *counts
    for i in range(arena.region_count):
        region = &arena.regions[i]
        record = region.records
        end = region.records + (region.used >> UNIT_SHIFT)
        while record < end:
            if record.kind == SLAB:
                counts = of_class + record.size_class
                count_states(record, &live, &cached)
                counts.spans += <uint64_t>record.units << UNIT_SHIFT
                counts.slabs += 1
                counts.slots += record.slots
                counts.live_blocks += live
                counts.cached_slots += cached
                counts.free_slots += record.slots - live - cached
            record += record.units if record.units != 0 else 1


cdef inline void count_calls(Arena *arena, const Heap *heap, ClassCounts *of_class) noexcept nogil:
    """Add up what one heap has counted."""
    cdef uint32_t c
    cdef uint64_t remote
    cdef const Ring *ring
    for c in range(arena.bins):
        ring = &heap.rings[c]
        remote = m4_read64(&ring.freed_remote)
        of_class[c].remote_frees += remote
        of_class[c].frees += m4_read64(&heap.bins[c].freed) // sizeof(Slot) + remote
        of_class[c].refills += m4_read64(&ring.refills)
        of_class[c].flushes += m4_read64(&ring.flushes)


cdef inline void sum_classes(const Arena *arena, Statistics *statistics) noexcept nogil:
    """Complete each class by what the arena has counted and by what follows, and add all up."""
    cdef Counters *counters = &statistics.counters
    cdef ClassCounts *counts
    cdef uint32_t c
    for c in range(arena.bins):
        counts = &statistics.of_class[c]
        counts.slot_size = arena.knobs.class_size[c] if c != arena.empty_class else 0
        counts.slabs_peak = arena.class_slabs_peak[c]
        counts.slabs_made = arena.class_slabs_made[c]
        counts.mallocs = counts.frees + counts.live_blocks  # what was handed out came back or is live
        counters.mallocs += counts.mallocs
        counters.frees += counts.frees
        counters.remote_frees += counts.remote_frees
        counters.refills += counts.refills
        counters.flushes += counts.flushes
        counters.slabs_made += counts.slabs_made


cdef inline void take_statistics(Arena *arena, Statistics *statistics) noexcept nogil:
    """Fill `statistics`. Exact when no other thread is inside a call; a thread that is may be off by its block.

    The hot paths count frees anyway, for their delay lines; a class's mallocs are its frees and its live blocks. So a
    realloc that stays in its slot is none of either, and one that moves is one of both. A slot that two threads freed at
    once counts twice. Cost: O(slots).
    """
    cdef Counters *counters = &statistics.counters
    cdef uint64_t size
    cdef Heap *heap
    memset(statistics, 0, sizeof(Statistics))
    m4_acquire(&arena.lock)
    count(arena, &statistics.totals)
    statistics.classes = arena.bins
    count_slabs(arena, statistics.of_class)
    heap = arena.heaps
    while heap != NULL:
        count_calls(arena, heap, statistics.of_class)
        counters.threads += not heap.abandoned
        heap = heap.next_heap
    sum_classes(arena, statistics)
    counters.large_frees = arena.large_frees
    counters.large_freed = arena.large_freed_bytes
    counters.large_mallocs = arena.large_frees + arena.large_blocks
    counters.sampled_frees = m4_load64(&arena.samples_freed)
    counters.sampled_mallocs = counters.sampled_frees + live_samples(arena, &size)
    counters.mallocs += counters.large_mallocs + counters.sampled_mallocs
    counters.frees += counters.large_frees + counters.sampled_frees
    counters.purges = arena.purges
    counters.purged = arena.purged_bytes
    counters.commits = arena.commits
    counters.prefaults = m4_load64(&arena.prefaults)
    counters.held = arena.held_bytes
    counters.regions = arena.region_count
    m4_relinquish(&arena.lock)


cdef inline const char *broken_invariant(Arena *arena) noexcept nogil:
    """The name of an invariant that does not hold, or NULL. Wants every other thread outside the arena."""
    cdef uint32_t i, j, free_slots
    cdef uint64_t spans = 0
    cdef uint64_t large = 0
    cdef uint64_t dirty = 0
    cdef uint64_t held = 0
    cdef uint64_t slabs = 0
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
                slabs += 1
                free_slots = 0
                for j in range(record.slots):
                    if record.states[j] == FREE:
                        free_slots += 1
                        if j < 8 * record.first_free:
                            return "no slot before first_free is FREE"
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
            elif record.kind == HELD_SPAN or record.kind == SAMPLE_SPAN or record.kind == LOST_SPAN:
                spans += record.units
                held += record.units if record.kind == HELD_SPAN else 0
            else:
                return "every span is a slab, a large block, held, for samples, lost or free"
            record += record.units
        if record != end:
            return "spans tile the region"
    for i in range(arena.bins):
        slabs -= arena.class_slabs[i]
    if slabs != 0:
        return "class_slabs counts slabs"
    if spans << UNIT_SHIFT != arena.span_bytes:
        return "span_bytes counts slabs and large blocks"
    if held << UNIT_SHIFT != arena.held_bytes:
        return "held_bytes counts held spans"
    if large != arena.large_bytes:
        return "large_bytes counts large blocks"
    if dirty << UNIT_SHIFT != arena.dirty_bytes:
        return "dirty_bytes counts dirty free spans"
    return NULL
