# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Large blocks: each has a span of its own, zeroed by the system, grown in place or moved by remapping its pages."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport (M4_FAULT, MADV_NORMAL, MAP_ANONYMOUS, MAP_FAILED, MAP_FIXED_NOREPLACE, MAP_NORESERVE,
                              MAP_PRIVATE, MREMAP_DONTUNMAP, MREMAP_FIXED, MREMAP_MAYMOVE, PROT_READ, PROT_WRITE,
                              m4_acquire, m4_errno, m4_memory_is_limited, m4_relinquish, m4_set_errno, madvise, memcpy,
                              memset, mmap, mremap, munmap)
from m4alloc._core.fault cimport FAULT_REALLOC_LOSES_TAIL
from m4alloc._core.guard cimport (check_large, large_usable, lead_bytes, lift_guards, place_guards, seal_large,
                                  tail_bytes)
from m4alloc._core.heap cimport drain_abandoned
from m4alloc._core.hold cimport hold_span, let_go
from m4alloc._core.slot cimport record_of
from m4alloc._core.span cimport (give_span, grow_span, large_span_units, lose_span, prefault, region_of_record,
                                 shrink_span, take_span, unit_address)
from m4alloc._core.types cimport LARGE, NO_SPAN, UNIT, Arena, Record

cdef enum:
    REMAP_LEAST = 1 << 20      # below this, copying is cheaper than moving pages
    SIZE_LIMIT = 0x800000000000       # no request above can succeed; sums below cannot overflow


cdef inline void *allocate_large(Arena *arena, uint64_t size, uint64_t alignment, bint zeroed) noexcept nogil:
    """A block with a span of its own, or NULL: out of memory. alignment: a power of two."""
    cdef Record *record
    cdef bint dirty
    cdef char *address
    cdef uint64_t usable, units
    cdef uint64_t lead = lead_bytes(arena, alignment)
    if size >= SIZE_LIMIT or alignment >= SIZE_LIMIT:
        return NULL
    # Never as small as a slot: an aligned request that no class serves would else look like one, without its quarantine.
    usable = large_usable(arena, size if size > arena.largest else <uint64_t>arena.largest + 1)
    units = large_span_units(lead + usable + tail_bytes(arena))
    m4_acquire(&arena.lock)
    if arena.abandoned != NULL:
        drain_abandoned(arena)
    record = take_span(arena, units, alignment)
    if record == NULL and let_go(arena, 0) != 0:
        record = take_span(arena, units, alignment)
    if record == NULL:
        m4_relinquish(&arena.lock)
        return NULL
    dirty = record.dirty_units != 0
    address = unit_address(region_of_record(arena, record), record)
    record.start = address + lead
    record.usable = usable
    record.kind = LARGE
    arena.large_bytes += usable
    arena.large_blocks += 1
    place_guards(arena, record, address)
    address += lead
    seal_large(arena, record, size)
    m4_relinquish(&arena.lock)
    if not dirty and arena.knobs.prefault != 0:
        prefault(arena, address, usable)
    if zeroed and dirty:
        memset(address, 0, size)
    return address


cdef inline bint free_large(Arena *arena, char *address) noexcept nogil:
    """Free the large block that starts at `address`; False when none does."""
    cdef Record *record
    cdef bint lifted
    m4_acquire(&arena.lock)
    record = record_of(arena, address)
    if record == NULL or record.kind != LARGE or record.start != address:
        m4_relinquish(&arena.lock)
        return False
    check_large(arena, record)
    lifted = lift_guards(arena, record, unit_address(region_of_record(arena, record), record))
    arena.large_bytes -= record.usable
    arena.large_blocks -= 1
    arena.large_frees += 1
    arena.large_freed_bytes += record.usable
    record.kind = NO_SPAN
    if not lifted:
        lose_span(record, record.units)
    elif not hold_span(arena, record):
        give_span(arena, record, record.units, True)
    m4_relinquish(&arena.lock)
    return True


cdef inline void lose_large(Arena *arena, char *address) noexcept nogil:
    """Never use the large block again that starts at `address`: a stranger's mapping lies in it."""
    cdef Record *record
    m4_acquire(&arena.lock)
    record = record_of(arena, address)
    arena.large_bytes -= record.usable
    arena.large_blocks -= 1
    arena.large_frees += 1
    arena.large_freed_bytes += record.usable
    lose_span(record, record.units)
    m4_relinquish(&arena.lock)


cdef inline bint resize_large(Arena *arena, Record *record, uint64_t size) noexcept nogil:
    """Resize a live large block in place; False when it has to move."""
    cdef uint64_t units, usable
    cdef bint done
    cdef char *span
    if size >= SIZE_LIMIT:
        return False
    usable = large_usable(arena, size)
    m4_acquire(&arena.lock)
    check_large(arena, record)
    span = unit_address(region_of_record(arena, record), record)
    units = large_span_units(<uint64_t>(record.start - span) + usable + tail_bytes(arena))
    done = lift_guards(arena, record, span)
    if not done:  # it moves, and when it is freed its span is lost
        m4_relinquish(&arena.lock)
        return False
    if units > record.units:
        done = grow_span(arena, record, <uint32_t>units)
    elif units < record.units:
        shrink_span(arena, record, <uint32_t>units)
    if done:
        arena.large_bytes += usable - record.usable
        if usable < record.usable:
            arena.large_freed_bytes += record.usable - usable
        record.usable = usable
    place_guards(arena, record, span)
    if done:
        seal_large(arena, record, size)
    m4_relinquish(&arena.lock)
    return done


cdef inline bint refill_hole(char *to, uint64_t pages) noexcept nogil:
    """Map the target of a failed mremap again where the system has unmapped it; False: it will not.

    A stranger's mmap may have been there first: then it is not ours any more. The look comes first, for Linux before 4.17,
    which maps elsewhere what is asked for without replacement.
    """
    cdef char *mapping
    if madvise(to, pages, MADV_NORMAL) == 0:  # which fails where there is a hole
        return True
    mapping = <char *>mmap(to, pages, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0)
    if mapping == to:
        return True
    if <void *>mapping != MAP_FAILED:
        munmap(mapping, pages)
    return False


cdef inline bint move_pages(Arena *arena, char *to, char *start, uint64_t size) noexcept nogil:
    """Move the contents of one large block to another: by remapping its pages if it is long, else by copying.

    MREMAP_DONTUNMAP leaves the old range mapped, so that there is never a hole for a stranger's mmap. But mremap unmaps
    its target before it looks whether it may go on: not under a limit that was lowered below what is mapped, nor, before
    Linux 6.17, across two mappings. So where there is a limit, there is no remapping, and after a failure the target is
    mapped again. False: that could not be done, and the new block must not be used.
    """
    cdef int before = m4_errno()
    cdef uint64_t pages = size & ~<uint64_t>(UNIT - 1)
    if pages < REMAP_LEAST or m4_memory_is_limited():
        pages = 0
    elif mremap(start, pages, pages, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to) == MAP_FAILED:
        if not refill_hole(to, pages):
            return False
        m4_set_errno(before)
        pages = 0
    if M4_FAULT == FAULT_REALLOC_LOSES_TAIL and size - pages >= 8:
        size -= 8
    memcpy(to + pages, start + pages, size - pages)
    return True
