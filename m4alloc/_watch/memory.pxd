# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Memory of the monitor's own: mappings that grow at their end, apart from the heap that is watched."""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport (MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE,
                              m4_acquire, m4_lock, m4_relinquish, mmap)

cdef enum:
    CHUNK = 1 << 20

cdef struct Pool "m4m_pool":
    m4_lock lock
    char *next
    char *end
    uint64_t bytes             # mapped in all


cdef inline void *map_reserve(uint64_t bytes) noexcept nogil:
    """Zeroed address space whose pages cost nothing until they are touched; NULL: there is not so much."""
    cdef void *mapping = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    return NULL if mapping == MAP_FAILED else mapping


cdef inline void *take_memory(Pool *pool, uint64_t bytes) noexcept nogil:
    """Zeroed memory that is never given back, aligned to 16; NULL: there is none."""
    cdef char *found = NULL
    bytes = (bytes + 15) & ~<uint64_t>15
    m4_acquire(&pool.lock)
    if <uint64_t>(pool.end - pool.next) < bytes:
        pool.next = <char *>map_reserve(bytes if bytes > CHUNK else CHUNK)
        pool.end = pool.next + (bytes if bytes > CHUNK else CHUNK) if pool.next != NULL else NULL
        pool.bytes += <uint64_t>(pool.end - pool.next)
    if pool.next != NULL:
        found = pool.next
        pool.next += bytes
    m4_relinquish(&pool.lock)
    return found
