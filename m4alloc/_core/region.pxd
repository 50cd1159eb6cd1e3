# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Regions: address space reserved once, committed as it is used, never unmapped while the arena lives.

A region is one mapping: the records of its units, a guard page, then the units. All of it is PROT_NONE until used, so
that it costs neither memory nor commit charge. Nothing is unmapped: a hole would be taken by a stranger's mmap, and
the test `address - base < used` would then take the stranger's pointers for ours.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport (MADV_HUGEPAGE, MADV_NOHUGEPAGE, MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE,
                              PROT_NONE, PROT_READ, PROT_WRITE, m4_address_space_limit, m4_errno, m4_set_errno,
                              m4_store32, m4_store64, madvise, mmap, mprotect, munmap)
from m4alloc._core.types cimport (HUGE, HUGE_REFUSED, HUGE_WANTED, REGIONS_MAX, UNIT, UNIT_SHIFT, Arena, Record,
                                  Region)


cdef inline uint64_t round_up(uint64_t n, uint64_t to) noexcept nogil:
    """The least multiple of `to` (a power of two) that is at least n."""
    return (n + to - 1) & ~(to - 1)


cdef inline uint64_t huge_or(const Arena *arena, uint64_t step) noexcept nogil:
    """What a region's base is a multiple of, and what it is committed by: a huge page where those are wanted."""
    return HUGE if arena.knobs.huge_pages == HUGE_WANTED else step


cdef inline void advise_huge(const Arena *arena, const Region *region) noexcept nogil:
    """Say once for all units of a region what the strategy thinks of huge pages; the system may not know them."""
    cdef int before = m4_errno()
    if arena.knobs.huge_pages != 0:
        madvise(region.base, region.reserved, MADV_NOHUGEPAGE if arena.knobs.huge_pages == HUGE_REFUSED
                else MADV_HUGEPAGE)
    m4_set_errno(before)


cdef inline bint reserve_region(Arena *arena, uint64_t wanted, uint64_t least) noexcept nogil:
    """Reserve `wanted` bytes of units, halving until the system agrees or less than `least` is left.

    A quarter of what RLIMIT_AS allows at most, unless one block needs more: the rest of the program needs room too.
    """
    cdef uint64_t limit = m4_address_space_limit()
    cdef uint64_t records_bytes, total
    cdef uint64_t alignment = huge_or(arena, UNIT)
    cdef char *mapping
    cdef Region *region
    if arena.region_count == REGIONS_MAX:
        return False
    if limit != <uint64_t>-1 and wanted > limit // 4:
        wanted = limit // 4 if limit // 4 > least else least
    wanted = round_up(wanted, UNIT)
    while True:
        records_bytes = round_up((wanted >> UNIT_SHIFT) * sizeof(Record), UNIT)
        total = records_bytes + UNIT + wanted + alignment
        mapping = <char *>mmap(NULL, total, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        if <void *>mapping != MAP_FAILED:
            break
        if wanted // 2 < least or wanted <= UNIT:
            return False
        wanted = round_up(wanted // 2, UNIT)
    region = &arena.regions[arena.region_count]
    region.mapping = mapping
    region.mapping_bytes = total
    region.records = <Record *>mapping
    region.base = <char *>round_up(<uint64_t>mapping + records_bytes + UNIT, alignment)
    region.reserved = wanted
    region.used = 0
    region.committed = 0
    region.records_committed = 0
    advise_huge(arena, region)
    if arena.region_count == 0:
        arena.base = region.base
        arena.records = region.records
    m4_store32(&arena.region_count, arena.region_count + 1)
    return True


cdef inline bint commit(Arena *arena, Region *region, uint64_t used) noexcept nogil:
    """Make the first `used` bytes of the region, and their records, readable and writable; False: out of memory.

    Commits ahead in steps that grow with the region, so that the calls are few, and without when memory is short.
    """
    cdef uint64_t step, records_bytes
    if used > region.committed:
        step = region.committed // 8
        if step < 4 * UNIT:  # small programs stay small, so that a write 1 MiB past a block faults
            step = 4 * UNIT
        elif step > 1024 * UNIT:
            step = 1024 * UNIT
        step = round_up(used + step, huge_or(arena, UNIT))
        if step > region.reserved:
            step = region.reserved
        if mprotect(region.base + region.committed, step - region.committed, PROT_READ | PROT_WRITE) != 0:
            step = used
            if mprotect(region.base + region.committed, step - region.committed, PROT_READ | PROT_WRITE) != 0:
                return False
        region.committed = step
        arena.commits += 1
    # One record more than the units, so that the right neighbour of the last unit can be read.
    records_bytes = round_up(((region.committed >> UNIT_SHIFT) + 1) * sizeof(Record), UNIT)
    if records_bytes > region.records_committed:
        if mprotect(<char *>region.records + region.records_committed, records_bytes - region.records_committed,
                    PROT_READ | PROT_WRITE) != 0:
            return False
        region.records_committed = records_bytes
    return True


cdef inline void set_used(Arena *arena, Region *region, uint64_t used) noexcept nogil:
    """Publish that pointers below base + used may be ours; their records are readable from now on."""
    m4_store64(&region.used, used)
    if region == &arena.regions[0] and not arena.hooked:
        m4_store64(&arena.used, used)


cdef inline void release_spare_records(Region *region) noexcept nogil:
    """Give back the address space of records beyond the region's units: a hole between the records and the guard."""
    cdef char *keep = <char *>region.records + round_up(((region.reserved >> UNIT_SHIFT) + 1) * sizeof(Record), UNIT)
    cdef char *end = region.base - UNIT
    if keep < end:
        munmap(keep, <uint64_t>(end - keep))


cdef inline uint64_t shrink_reservation(Arena *arena, uint64_t bytes) noexcept nogil:
    """Give back up to `bytes` of address space that no span has ever used; the only unmapping there is.

    It is taken from the end of the last region, where no pointer of ours has ever been. Returns the bytes given back.
    """
    cdef Region *region = &arena.regions[arena.region_count - 1]
    cdef uint64_t spare = region.reserved - region.committed
    cdef char *end = region.base + region.reserved
    if bytes > spare:
        bytes = spare
    bytes = bytes & ~<uint64_t>(UNIT - 1)
    if bytes == 0 or munmap(end - bytes, bytes) != 0:
        return 0
    region.reserved -= bytes
    release_spare_records(region)
    # What follows the units is slack from aligning the base; it goes too, so that the mapping stays one piece.
    munmap(end, <uint64_t>(region.mapping + region.mapping_bytes - end))
    region.mapping_bytes = <uint64_t>(region.base + region.reserved - region.mapping)
    return bytes


cdef inline void release_regions(Arena *arena) noexcept nogil:
    """Unmap everything; only an Arena that is closed does this."""
    cdef uint32_t i
    for i in range(arena.region_count):
        munmap(arena.regions[i].mapping, arena.regions[i].mapping_bytes)
    arena.region_count = 0
