# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Metadata: a bump allocator for states, heaps and stacks, in mappings of its own between guards.

Nothing is given back; state arrays are kept and reused by size class. Callers hold the arena's lock.
"""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport (MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_NONE, PROT_READ, PROT_WRITE, mmap, mprotect,
                              munmap)
from m4alloc._core.region cimport round_up
from m4alloc._core.types cimport UNIT, Arena

cdef enum:
    CHUNK = 512 * 1024         # bytes of the first chunks
    SHARE = 8                  # of later ones a share of all there is, so that their number, and the mappings', grow little


cdef struct Chunk:             # at the start of each chunk
    Chunk *next
    uint64_t mapping_bytes


cdef inline char *map_between_guards(uint64_t bytes) noexcept nogil:
    """So many fresh bytes, an inaccessible unit on either side; NULL: out of memory."""
    cdef char *mapping = <char *>mmap(NULL, bytes + 2 * UNIT, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if <void *>mapping == MAP_FAILED:
        return NULL
    if mprotect(mapping + UNIT, bytes, PROT_READ | PROT_WRITE) != 0:
        munmap(mapping, bytes + 2 * UNIT)
        return NULL
    return mapping + UNIT


cdef inline bint add_chunk(Arena *arena, uint64_t least) noexcept nogil:
    """Map a further chunk with room for `least` bytes, a short one where memory is short; False: out of memory."""
    cdef uint64_t shortest = round_up(least + sizeof(Chunk) + 64, UNIT)
    cdef uint64_t body = round_up(arena.metadata_bytes // SHARE, UNIT)
    cdef Chunk *chunk
    if body < CHUNK:
        body = CHUNK
    if body < shortest:
        body = shortest
    chunk = <Chunk *>map_between_guards(body)
    if chunk == NULL and body != shortest:
        body = shortest
        chunk = <Chunk *>map_between_guards(body)
    if chunk == NULL:
        return False
    chunk.next = <Chunk *>arena.metadata_chunks
    chunk.mapping_bytes = body + 2 * UNIT
    arena.metadata_chunks = chunk
    arena.metadata = <char *>chunk + sizeof(Chunk)
    arena.metadata_end = <char *>chunk + body
    return True


cdef inline void *take_metadata(Arena *arena, uint64_t bytes) noexcept nogil:
    """`bytes` zeroed bytes at a multiple of 64 (a cache line, so that threads do not share one); NULL: out of memory."""
    cdef char *p = <char *>round_up(<uint64_t>arena.metadata, 64)
    if arena.metadata == NULL or p + bytes > arena.metadata_end:
        if not add_chunk(arena, bytes):
            return NULL
        p = <char *>round_up(<uint64_t>arena.metadata, 64)
    arena.metadata = p + bytes
    arena.metadata_bytes += bytes
    return p


cdef inline void release_metadata(Arena *arena) noexcept nogil:
    """Unmap every chunk; only an Arena that is closed does this."""
    cdef Chunk *chunk = <Chunk *>arena.metadata_chunks
    cdef Chunk *next
    while chunk != NULL:
        next = chunk.next
        munmap(<char *>chunk - UNIT, chunk.mapping_bytes)
        chunk = next
    arena.metadata_chunks = NULL
    arena.metadata = NULL
