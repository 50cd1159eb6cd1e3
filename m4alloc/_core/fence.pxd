# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Fences: pages made inaccessible inside a region and opened again; what they held is gone.

MADV_GUARD_INSTALL (Linux 6.13) marks page table entries and splits no mapping. Where the kernel has not got it, mprotect
does the same and splits one; a process may have few mappings (vm.max_map_count, 65,530), so those fences are counted,
and beyond a bound there are none.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport (MADV_DONTNEED, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, MAP_ANONYMOUS, MAP_FIXED,
                              MAP_NORESERVE, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, m4_errno, m4_set_errno,
                              madvise, mmap, mprotect)
from m4alloc._core.types cimport Arena

cdef enum:
    NO_FENCE = 0
    FENCE_MARKED = 1           # by MADV_GUARD_INSTALL
    FENCE_MAPPED = 2           # by mprotect
    FENCE_KEPT = 3             # by mprotect, and the system kept the pages, since they were locked (mlock)
    FENCES_MAX = 8192          # of the second kind in an arena
    MARKED_MAX = 64 << 20      # larger ranges go to mprotect: markers take page tables, 1/512 of the range


cdef inline uint32_t raise_fence(Arena *arena, char *address, uint64_t bytes) noexcept nogil:
    """Make whole pages inaccessible and drop their contents; how it was done, or NO_FENCE: it could not be.

    FENCE_KEPT: their contents are still there.
    """
    cdef int before = m4_errno()
    cdef uint32_t made = NO_FENCE
    if bytes <= MARKED_MAX and madvise(address, bytes, MADV_GUARD_INSTALL) == 0:
        made = FENCE_MARKED
    elif arena.fences < FENCES_MAX and mprotect(address, bytes, PROT_NONE) == 0:
        made = FENCE_MAPPED if madvise(address, bytes, MADV_DONTNEED) == 0 else FENCE_KEPT
        arena.fences += 1
    m4_set_errno(before)
    return made


cdef inline bint lift_fence(Arena *arena, char *address, uint64_t bytes, uint32_t made) noexcept nogil:
    """Undo raise_fence; the pages read as zero, but for those of FENCE_KEPT. False: the system refuses.

    It may for want of mappings, and under RLIMIT_DATA and strict commitment, for which the pages count anew.
    """
    cdef int before = m4_errno()
    cdef bint lifted = True
    if made == FENCE_MARKED:
        if madvise(address, bytes, MADV_GUARD_REMOVE) != 0:  # a filter of system calls has been put up meanwhile
            lifted = <char *>mmap(address, bytes, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == address
    elif made != NO_FENCE:
        lifted = mprotect(address, bytes, PROT_READ | PROT_WRITE) == 0
        if lifted:
            madvise(address, bytes, MADV_GUARD_REMOVE)  # what is locked in part may have been marked up to there
            arena.fences -= 1
    m4_set_errno(before)
    return lifted
