"""How blocks live and die: birth, death, and the quarantine of the dead, as spec.heap and spec.reuse have them."""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from m4alloc._accept_map cimport *
from m4alloc._accept_tiles cimport *
from m4alloc._accept_types cimport *


cdef inline void born_at(Heap *heap, Place *at, uint64_t size, int64_t usable, uint64_t alignment, uint64_t born,
                         uint32_t thread) noexcept nogil:
    """A new generation at a place whose tile it fits into, and where nothing lives."""
    at.size = size
    at.usable = usable
    at.alignment = alignment
    at.id = heap.next_id
    at.born = born
    at.thread = thread
    at.flags = (at.flags & ~<uint32_t>SHOWN) | LIVE
    heap.next_id += 1
    heap.live += 1


cdef inline void resized(Place *at, uint64_t size, int64_t usable) noexcept nogil:
    """The same generation in another size; it is realloc's block from here on."""
    at.size = size
    at.usable = usable
    at.alignment = 0
    at.flags &= ~<uint32_t>SHOWN


cdef inline void read_block(const Place *at, Block *block) noexcept nogil:
    block.size = at.size
    block.usable = at.usable
    block.alignment = at.alignment
    block.id = at.id
    block.born = at.born
    block.thread = at.thread


cdef inline bint grow_queue(Class *one) noexcept nogil:
    cdef uint32_t room = one.room * 2 if one.room else 16
    cdef Buried *fresh = <Buried *>realloc(one.queue, room * sizeof(Buried))
    if fresh == NULL:
        return False
    # What had wrapped around to the front goes behind what was at the end.
    memcpy(&fresh[one.room], fresh, one.head * sizeof(Buried))
    one.queue = fresh
    one.room = room
    return True


cdef inline void bury(Heap *heap, uint32_t place) noexcept nogil:
    """Start the quarantine of the block in the grave, and end that of those whose time has come."""
    cdef Place *at = &heap.places[place]
    cdef Place *old
    cdef Buried *first
    cdef Class *one
    cdef int64_t old_enough
    cdef uint32_t tail
    if not (heap.quarantine and at.flags & CERTAIN and at.dead.usable >= 0
            and <uint64_t>at.dead.usable <= heap.limit):
        return
    one = class_of(heap, at.dead.usable)
    if one == NULL or (one.waiting == one.room and not grow_queue(one)):
        heap.failed = True
        return
    tail = (one.head + one.waiting) & (one.room - 1)
    one.queue[tail].place = place
    one.queue[tail].id = at.dead.id
    one.queue[tail].mark = <int64_t>at.mark
    one.waiting += 1
    at.flags |= YOUNG
    old_enough = one.begun - 1 - heap.quarantine
    while one.waiting:
        first = &one.queue[one.head]
        if first.mark > old_enough:
            break
        old = &heap.places[first.place]
        if old.flags & YOUNG and old.dead.id == first.id:
            old.flags &= ~<uint32_t>YOUNG
        one.head = (one.head + 1) & (one.room - 1)
        one.waiting -= 1


cdef inline void die(Heap *heap, uint32_t place, uint64_t number, uint32_t thread, bint certain) noexcept nogil:
    """The live block at the place is given up in event `number`: a free of it has begun."""
    cdef Place *at = &heap.places[place]
    cdef Class *one
    read_block(at, &at.dead)
    at.freed = number
    at.dead.by = thread
    at.mark = 0
    at.flags = (at.flags & ~<uint32_t>(LIVE | SHOWN | CERTAIN | YOUNG)) | BURIED
    if certain:
        at.flags |= CERTAIN
    heap.live -= 1
    if heap.counts:
        one = class_of(heap, at.dead.usable)
        if one != NULL:
            at.mark = <uint64_t>one.ended
            one.begun += 1


cdef inline void settle(Heap *heap, int64_t usable) noexcept nogil:
    """A free of a block of that size class has returned."""
    cdef Class *one
    if heap.counts:
        one = class_of(heap, usable)
        if one != NULL:
            one.ended += 1


cdef inline uint32_t too_young(Heap *heap, uint64_t base, uint64_t last) noexcept nogil:
    """The first grave that shares a byte with [base, last] and may not be reused yet; 0 when there is none."""
    cdef Spot spot
    cdef Place *at
    if not heap.quarantine or not start_at(heap, base, &spot):
        return 0
    while True:
        at = &heap.places[tile(heap, spot)]
        if at.base > last:
            return 0
        if at.flags & YOUNG and end_of_dead(at) >= base:
            return tile(heap, spot)
        if not step(heap, &spot):
            return 0
