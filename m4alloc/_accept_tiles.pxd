"""Tiles: disjoint address ranges such that every live block, and every young grave, lies in the tile at its base.

As spec.tiling has them, and the heap's only index by address: while a block fits into the tile at its address no
other can be in its way, which costs one look; only a new layout costs a search. They are kept in order of address in
chunks of a few kilobytes, so that a new one moves little.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcpy, memmove

from m4alloc._accept_map cimport *
from m4alloc._accept_types cimport *

cdef struct Spot:
    # A tile by its chunk and its index in it.
    uint32_t chunk
    uint32_t index


cdef inline uint64_t extent(uint64_t size, int64_t usable) noexcept nogil:
    """Bytes that no other block may touch."""
    if usable > 0 and <uint64_t>usable > size:
        return <uint64_t>usable
    return size if size else 1


cdef inline uint64_t end_of(const Place *at) noexcept nogil:
    """The last byte of the live block."""
    return at.base + (extent(at.size, at.usable) - 1)


cdef inline uint64_t end_of_dead(const Place *at) noexcept nogil:
    """The last byte of the block in the grave."""
    return at.base + (extent(at.dead.size, at.dead.usable) - 1)


cdef inline uint32_t chunk_for(Heap *heap, uint64_t base) noexcept nogil:
    """The last chunk whose first tile starts at or below `base`, the first chunk when none does."""
    cdef uint32_t low = heap.hint, high = heap.chunk_count, middle
    if heap.firsts[low] <= base and (low + 1 == high or base < heap.firsts[low + 1]):
        return low
    low = 0
    while high - low > 1:
        middle = (low + high) >> 1
        if heap.firsts[middle] <= base:
            low = middle
        else:
            high = middle
    heap.hint = low
    return low


cdef inline uint32_t above(const Chunk *chunk, uint64_t base) noexcept nogil:
    """How many tiles of the chunk start at or below `base`."""
    cdef uint32_t low = 0, high = chunk.count, middle
    if high == 0 or chunk.bases[high - 1] <= base:
        return high
    while low < high:
        middle = (low + high) >> 1
        if chunk.bases[middle] <= base:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline bint start_at(Heap *heap, uint64_t base, Spot *spot) noexcept nogil:
    """Find the last tile that starts at or below `base`, else the first above it; False when there is no tile."""
    cdef uint32_t number
    if heap.chunk_count == 0:
        return False
    spot.chunk = chunk_for(heap, base)
    number = above(heap.chunks[spot.chunk], base)
    spot.index = number - 1 if number else 0
    return heap.chunks[spot.chunk].count > 0


cdef inline uint32_t tile(const Heap *heap, Spot spot) noexcept nogil:
    """The index of the place of a tile."""
    return heap.chunks[spot.chunk].places[spot.index]


cdef inline bint step(const Heap *heap, Spot *spot) noexcept nogil:
    """Go on to the next tile; False when that was the last."""
    spot.index += 1
    if spot.index >= heap.chunks[spot.chunk].count:
        spot.chunk += 1
        spot.index = 0
    return spot.chunk < heap.chunk_count


cdef inline bint insert_chunk(Heap *heap, uint32_t number) noexcept nogil:
    """An empty chunk before the one with that number."""
    cdef Chunk **chunks
    cdef uint64_t *firsts
    cdef Chunk *fresh
    if heap.chunk_count == heap.chunk_room:
        chunks = <Chunk **>realloc(heap.chunks, heap.chunk_room * 2 * sizeof(Chunk *))
        if chunks == NULL:
            return False
        heap.chunks = chunks
        firsts = <uint64_t *>realloc(heap.firsts, heap.chunk_room * 2 * sizeof(uint64_t))
        if firsts == NULL:
            return False
        heap.firsts = firsts
        heap.chunk_room *= 2
    fresh = <Chunk *>malloc(sizeof(Chunk))
    if fresh == NULL:
        return False
    fresh.count = 0
    memmove(&heap.chunks[number + 1], &heap.chunks[number], (heap.chunk_count - number) * sizeof(Chunk *))
    memmove(&heap.firsts[number + 1], &heap.firsts[number], (heap.chunk_count - number) * sizeof(uint64_t))
    heap.chunks[number] = fresh
    heap.firsts[number] = 0
    heap.chunk_count += 1
    return True


cdef inline void add_tile(Heap *heap, uint64_t base, uint32_t place) noexcept nogil:
    """Put a tile in its place among the others; none starts at `base`."""
    cdef uint32_t number, index, half
    cdef Chunk *chunk
    cdef Chunk *upper
    if heap.chunk_count == 0 and not insert_chunk(heap, 0):
        heap.failed = True
        return
    number = chunk_for(heap, base)
    chunk = heap.chunks[number]
    index = above(chunk, base)
    if chunk.count == CHUNK:
        if not insert_chunk(heap, number + 1):
            heap.failed = True
            return
        upper = heap.chunks[number + 1]
        half = CHUNK if index == CHUNK else CHUNK // 2  # a heap that grows upwards leaves full chunks behind
        upper.count = CHUNK - half
        memcpy(upper.bases, &chunk.bases[half], upper.count * sizeof(uint64_t))
        memcpy(upper.places, &chunk.places[half], upper.count * sizeof(uint32_t))
        chunk.count = half
        heap.firsts[number + 1] = upper.bases[0] if upper.count else base
        if index > half or half == CHUNK:
            number += 1
            index -= half
            chunk = upper
    memmove(&chunk.bases[index + 1], &chunk.bases[index], (chunk.count - index) * sizeof(uint64_t))
    memmove(&chunk.places[index + 1], &chunk.places[index], (chunk.count - index) * sizeof(uint32_t))
    chunk.bases[index] = base
    chunk.places[index] = place
    chunk.count += 1
    heap.firsts[number] = chunk.bases[0]
    heap.hint = number


cdef inline void drop_tile(Heap *heap, Spot spot) noexcept nogil:
    """Take a tile out; the next one is then at the same spot, or first in the next chunk."""
    cdef Chunk *chunk = heap.chunks[spot.chunk]
    cdef uint32_t behind = chunk.count - spot.index - 1
    heap.places[chunk.places[spot.index]].flags &= ~<uint32_t>TILE
    memmove(&chunk.bases[spot.index], &chunk.bases[spot.index + 1], behind * sizeof(uint64_t))
    memmove(&chunk.places[spot.index], &chunk.places[spot.index + 1], behind * sizeof(uint32_t))
    chunk.count -= 1
    if chunk.count:
        heap.firsts[spot.chunk] = chunk.bases[0]
    elif heap.chunk_count > 1:
        free(chunk)
        behind = heap.chunk_count - spot.chunk - 1
        memmove(&heap.chunks[spot.chunk], &heap.chunks[spot.chunk + 1], behind * sizeof(Chunk *))
        memmove(&heap.firsts[spot.chunk], &heap.firsts[spot.chunk + 1], behind * sizeof(uint64_t))
        heap.chunk_count -= 1
        heap.hint = 0


cdef inline bint claim(Heap *heap, uint32_t place, uint64_t last) noexcept nogil:
    """Make [base of the place, last] a tile, unless bytes of it belong to a live block elsewhere or a young grave.

    A live block at the base itself does not stand in the way: it is the one being resized.
    """
    cdef uint64_t base = heap.places[place].base
    cdef Place *other
    cdef Spot spot, first
    cdef uint32_t crossed = 0
    if start_at(heap, base, &spot):
        first = spot
        while True:
            other = &heap.places[tile(heap, spot)]
            if other.base > last:
                break
            if other.flags & LIVE and other.base != base and end_of(other) >= base:
                return False
            if other.flags & YOUNG and end_of_dead(other) >= base:
                return False
            if other.base > base:
                crossed += 1
            if not step(heap, &spot):
                break
        other = &heap.places[tile(heap, first)]
        if other.base < base and other.last >= base:
            other.last = base - 1  # it goes on covering what it holds
        if crossed:
            # From the first tile above the base on, each one takes the place of the one dropped before it.
            while crossed:
                crossed -= 1
                start_at(heap, base, &spot)
                if heap.places[tile(heap, spot)].base <= base:
                    step(heap, &spot)
                drop_tile(heap, spot)
    other = &heap.places[place]
    if not other.flags & TILE:
        add_tile(heap, base, place)
        other.flags |= TILE
    other.last = last
    return True


cdef inline uint32_t holder(Heap *heap, uint64_t address) noexcept nogil:
    """The index of the live block that contains `address`, 0 when none does."""
    cdef Spot spot
    cdef Place *at
    if not start_at(heap, address, &spot):
        return 0
    at = &heap.places[tile(heap, spot)]
    if at.flags & LIVE and at.base <= address and address <= end_of(at):
        return tile(heap, spot)
    return 0
