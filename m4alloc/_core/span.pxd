# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Spans: runs of units taken from the regions, split and coalesced, their pages returned by amount and by age.

All functions here but `prefault` want the arena's lock held.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport (EINVAL, M4_FAULT, MADV_DONTNEED, MADV_POPULATE_WRITE, m4_add64, m4_address_space_limit,
                              m4_coarse_ms, m4_errno, m4_load32, m4_lowest_bit, m4_set_errno, m4_store32,
                              m4_store_pointer, madvise)
from m4alloc._core.fault cimport FAULT_LARGE_OVERLAPS
from m4alloc._core.region cimport commit, reserve_region, set_used
from m4alloc._core.types cimport FREE_SPAN, LOST_SPAN, NO_SPAN, SPAN_LISTS, UNIT, UNIT_SHIFT, Arena, Record, Region

cdef enum:
    REGION_LEAST = 4 * 1024 * 1024   # a further region is at least this large
    REFUSALS_MAX = 8                 # spans that the system would not take back, before purging ends for now


cdef inline Region *region_of_record(Arena *arena, const Record *record) noexcept nogil:
    """The region whose table holds `record`."""
    cdef uint32_t i
    for i in range(arena.region_count):
        if <uint64_t>(<char *>record - <char *>arena.regions[i].records) < arena.regions[i].records_committed:
            return &arena.regions[i]
    return NULL


cdef inline char *unit_address(Region *region, const Record *record) noexcept nogil:
    """The first byte of the unit that `record` describes."""
    return region.base + ((<uint64_t>(record - region.records)) << UNIT_SHIFT)


cdef inline uint32_t list_index(uint64_t units) noexcept nogil:
    """The list for free spans of that many units."""
    return <uint32_t>(units if units < SPAN_LISTS - 1 else SPAN_LISTS - 1)


cdef inline void age_insert(Arena *arena, Record *span) noexcept nogil:
    """Put a dirty free span in front of the list by age."""
    span.age_previous = NULL
    span.remote_next = arena.youngest
    if arena.youngest != NULL:
        arena.youngest.age_previous = span
    else:
        m4_store_pointer(<void **>&arena.oldest, span)  # which a tick reads without the lock
    arena.youngest = span
    arena.dirty_bytes += <uint64_t>span.dirty_units << UNIT_SHIFT


cdef inline void age_remove(Arena *arena, Record *span) noexcept nogil:
    """Take a dirty free span out of the list by age."""
    if span.age_previous != NULL:
        span.age_previous.remote_next = span.remote_next
    else:
        arena.youngest = span.remote_next
    if span.remote_next != NULL:
        span.remote_next.age_previous = span.age_previous
    else:
        m4_store_pointer(<void **>&arena.oldest, span.age_previous)
    arena.dirty_bytes -= <uint64_t>span.dirty_units << UNIT_SHIFT


cdef inline void list_span(Arena *arena, Record *span, uint32_t units, uint32_t dirty, uint64_t now) noexcept nogil:
    """Make `units` units from `span` on a free span and list it."""
    cdef uint32_t i = list_index(units)
    cdef Record *tail = span + units - 1
    span.kind = FREE_SPAN
    span.units = units
    span.head = span
    span.dirty_units = dirty
    span.freed_ms = now
    tail.kind = FREE_SPAN
    tail.head = span
    span.previous = NULL
    span.next = arena.span_lists[i]
    if span.next != NULL:
        span.next.previous = span
    arena.span_lists[i] = span
    if i < SPAN_LISTS - 1:
        arena.span_list_bits |= <uint64_t>1 << i
    if dirty != 0:
        age_insert(arena, span)


cdef inline void unlist_span(Arena *arena, Record *span) noexcept nogil:
    """Take a free span out of the lists and erase its two marks."""
    cdef uint32_t i = list_index(span.units)
    if span.previous != NULL:
        span.previous.next = span.next
    else:
        arena.span_lists[i] = span.next
        if span.next == NULL and i < SPAN_LISTS - 1:
            arena.span_list_bits &= ~(<uint64_t>1 << i)
    if span.next != NULL:
        span.next.previous = span.previous
    if span.dirty_units != 0:
        age_remove(arena, span)
    (span + span.units - 1).kind = NO_SPAN
    span.kind = NO_SPAN


cdef inline void list_front(Arena *arena, Region *region, Record *span, uint32_t units, uint32_t dirty,
                            uint64_t now) noexcept nogil:
    """list_span of what is left in front of an aligned span; the unused end of a region may follow a free span."""
    cdef Record *left
    if span > region.records and (span - 1).kind == FREE_SPAN:
        left = (span - 1).head
        units += left.units
        dirty += left.dirty_units
        now = left.freed_ms
        unlist_span(arena, left)
        span = left
    list_span(arena, span, units, dirty, now)


cdef inline void purge(Arena *arena, Region *region, Record *span) noexcept nogil:
    """Return the pages of a listed free span to the system; they read as zero from now on. It may refuse; errno is kept."""
    cdef int before = m4_errno()
    if madvise(unit_address(region, span), <uint64_t>span.units << UNIT_SHIFT, MADV_DONTNEED) == 0:
        age_remove(arena, span)
        arena.purges += 1
        arena.purged_bytes += <uint64_t>span.dirty_units << UNIT_SHIFT
        span.dirty_units = 0
    m4_set_errno(before)


cdef inline uint64_t purge_until(Arena *arena, uint64_t dirty_limit, uint64_t now) noexcept nogil:
    """Purge oldest first until at most `dirty_limit` dirty bytes remain, and all that is older than retain_ms.

    now: 0 leaves age aside. Returns the bytes purged.
    """
    cdef Record *span
    cdef uint64_t before = arena.dirty_bytes
    cdef uint32_t refused = 0
    while arena.oldest != NULL:
        span = arena.oldest
        if arena.dirty_bytes <= dirty_limit and (now == 0 or now - span.freed_ms < arena.knobs.retain_ms):
            break
        purge(arena, region_of_record(arena, span), span)
        if span.dirty_units != 0:  # the system refused, since a page is locked: behind all others, for another time
            age_remove(arena, span)
            span.freed_ms = m4_coarse_ms()
            age_insert(arena, span)
            refused += 1
            if refused == REFUSALS_MAX:
                break
    return before - arena.dirty_bytes


cdef inline uint64_t retained(const Arena *arena) noexcept nogil:
    """Bytes of free spans that may keep their pages: so a program that replaces large blocks need not fault them anew."""
    cdef uint64_t share = arena.span_bytes // 100 * arena.knobs.retain_share
    return share if share > arena.knobs.retain_bytes else arena.knobs.retain_bytes


cdef inline Record *find_free(Arena *arena, uint64_t units) noexcept nogil:
    """A listed free span of at least `units` units, or NULL: best fit below 64 units, the smallest of the rest."""
    cdef uint64_t bits
    cdef Record *span
    cdef Record *best = NULL
    if units < SPAN_LISTS - 1:
        bits = arena.span_list_bits >> units << units
        if bits != 0:
            return arena.span_lists[m4_lowest_bit(bits)]
    span = arena.span_lists[SPAN_LISTS - 1]
    while span != NULL:
        if span.units >= units and (best == NULL or span.units < best.units):
            best = span
            if span.units == units:
                break
        span = span.next
    return best


cdef inline Record *extend(Arena *arena, uint64_t units) noexcept nogil:
    """A span from the unused end of a region, committed; NULL: out of memory or of address space."""
    cdef uint64_t bytes = units << UNIT_SHIFT
    cdef uint64_t least = bytes if bytes > REGION_LEAST else REGION_LEAST
    cdef uint64_t wanted = bytes if bytes > arena.knobs.reserve else arena.knobs.reserve
    cdef uint64_t limit
    cdef uint32_t i = 0
    cdef Region *region
    cdef Record *span
    while True:
        if i == arena.region_count:
            if not arena.extra_regions:
                return NULL
            limit = m4_address_space_limit()
            if limit != <uint64_t>-1 and wanted > limit // 16:  # under a limit, grow by little
                wanted = limit // 16 if limit // 16 > least else least
            if not reserve_region(arena, wanted, least):
                return NULL
        region = &arena.regions[i]
        if region.reserved - region.used >= bytes:
            break
        i += 1
    if not commit(arena, region, region.used + bytes):
        return NULL
    span = region.records + (region.used >> UNIT_SHIFT)
    set_used(arena, region, region.used + bytes)
    span.dirty_units = 0
    return span


cdef inline Record *take_span(Arena *arena, uint64_t units, uint64_t alignment) noexcept nogil:
    """A span of `units` units whose address is a multiple of `alignment` bytes, or NULL: out of memory.

    The head says how many of its units may be dirty (dirty_units); 0 means that every byte is zero.
    """
    cdef uint64_t wanted = units
    cdef uint64_t front, back, total, now
    cdef uint32_t dirty
    cdef Record *span
    cdef Record *head
    cdef Region *region
    if alignment > UNIT:
        wanted += (alignment >> UNIT_SHIFT) - 1
    if arena.knobs.capacity != 0 and arena.span_bytes + (units << UNIT_SHIFT) > arena.knobs.capacity:
        return NULL
    span = find_free(arena, wanted)
    if span != NULL:
        total = span.units
        dirty = span.dirty_units
        now = span.freed_ms
        unlist_span(arena, span)
    else:
        total = wanted
        dirty = 0
        now = 0
        span = extend(arena, wanted)
        if span == NULL:
            return NULL
    head = span
    front = 0
    if alignment > UNIT:
        region = region_of_record(arena, span)
        front = (-<uint64_t>unit_address(region, span) & (alignment - 1)) >> UNIT_SHIFT
        head = span + front
        if front != 0:
            list_front(arena, region, span, <uint32_t>front, <uint32_t>front if dirty != 0 else 0, now)
    back = total - front - units
    if back != 0:
        list_span(arena, head + units, <uint32_t>back, <uint32_t>back if dirty != 0 else 0, now)
    head.units = <uint32_t>units
    head.dirty_units = <uint32_t>units if dirty != 0 else 0
    arena.span_bytes += units << UNIT_SHIFT
    if arena.span_bytes > arena.span_bytes_peak:
        arena.span_bytes_peak = arena.span_bytes
    return head


cdef inline void give_span(Arena *arena, Record *span, uint32_t units, bint dirty) noexcept nogil:
    """Make a span free: coalesce it with free neighbours, list it, and purge what exceeds the strategy."""
    cdef Region *region = region_of_record(arena, span)
    cdef Record *left
    cdef Record *right
    cdef uint32_t dirty_units = units if dirty else 0
    cdef uint64_t now = m4_coarse_ms()
    arena.span_bytes -= <uint64_t>units << UNIT_SHIFT
    if span > region.records and (span - 1).kind == FREE_SPAN:
        left = (span - 1).head
        dirty_units += left.dirty_units
        units += left.units
        unlist_span(arena, left)
        span = left
    right = span + units
    if (<uint64_t>(right - region.records) << UNIT_SHIFT) < region.used and right.kind == FREE_SPAN:
        dirty_units += right.dirty_units
        units += right.units
        unlist_span(arena, right)
    list_span(arena, span, units, dirty_units, now)
    purge_until(arena, retained(arena), now)


cdef inline void lose_span(Record *span, uint32_t units) noexcept nogil:
    """Never use a span again, for it cannot be made accessible. It stays counted among the spans in use."""
    span.kind = LOST_SPAN
    span.units = units


cdef inline bint grow_span(Arena *arena, Record *span, uint32_t units) noexcept nogil:
    """Grow a taken span in place to `units` units; False: its right neighbour is not free or too small.

    dirty_units of the head then counts what was added dirty (0: the added bytes are zero).
    """
    cdef Region *region = region_of_record(arena, span)
    cdef Record *right = span + span.units
    cdef uint32_t more = units - span.units
    cdef uint32_t total, dirty
    cdef uint64_t now
    if arena.knobs.capacity != 0 and arena.span_bytes + (<uint64_t>more << UNIT_SHIFT) > arena.knobs.capacity:
        return False
    if (<uint64_t>(right - region.records) << UNIT_SHIFT) >= region.used or right.kind != FREE_SPAN:
        return False
    total = right.units
    if total < more:
        return False
    dirty = right.dirty_units
    now = right.freed_ms
    unlist_span(arena, right)
    if total > more:
        list_span(arena, right + more, total - more, total - more if dirty != 0 else 0, now)
    span.units = units
    span.dirty_units = more if dirty != 0 else 0
    arena.span_bytes += <uint64_t>more << UNIT_SHIFT
    if arena.span_bytes > arena.span_bytes_peak:
        arena.span_bytes_peak = arena.span_bytes
    return True


cdef inline void shrink_span(Arena *arena, Record *span, uint32_t units) noexcept nogil:
    """Give back the units of a taken span after its first `units`."""
    cdef uint32_t rest = span.units - units
    span.units = units
    if rest != 0:
        give_span(arena, span + units, rest, True)


cdef inline void prefault(Arena *arena, char *address, uint64_t bytes) noexcept nogil:
    """Make the first bytes of new memory resident in one step; errno is kept. Wants the arena's lock not held.

    Linux can since 5.14; where it cannot, this is not tried again.
    """
    cdef int before = m4_errno()
    if m4_load32(&arena.prefault_failed) == 0:
        if bytes > arena.knobs.prefault:
            bytes = arena.knobs.prefault
        if madvise(address, bytes, MADV_POPULATE_WRITE) == 0:
            m4_add64(&arena.prefaults, 1)
        elif m4_errno() == EINVAL:
            m4_store32(&arena.prefault_failed, 1)
    m4_set_errno(before)


cdef inline uint32_t large_span_units(uint64_t bytes) noexcept nogil:
    """Units for a large block of `bytes` bytes."""
    cdef uint64_t units = (bytes + UNIT - 1) >> UNIT_SHIFT
    if M4_FAULT == FAULT_LARGE_OVERLAPS and units > 1:
        units -= 1
    return <uint32_t>units
