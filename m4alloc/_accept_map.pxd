"""The places of a heap by base address, and its size classes by usable size: open addressing, nothing is ever removed.

A new place is appended, so that blocks handed out together lie together in the cache.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memcpy, memset

from m4alloc._accept_types cimport *

cdef enum:
    FIRST_SHIFT = 56        # 256 slots
    FIRST_CLASS_SHIFT = 58  # 64 slots


cdef inline uint64_t hashed(uint64_t key) noexcept nogil:
    """Fibonacci hashing: the upper bits depend on all bits of the key."""
    return key * <uint64_t>0x9E3779B97F4A7C15


cdef inline uint32_t index_of(const Heap *heap, uint64_t base) noexcept nogil:
    """The index of the place at `base`, 0 when there is none."""
    cdef uint64_t hash = hashed(base)
    cdef uint64_t mask = (<uint64_t>1 << (64 - heap.shift)) - 1
    cdef uint64_t slot = hash >> heap.shift
    cdef uint32_t tag = <uint32_t>(hash >> 8)
    cdef uint64_t entry = heap.slots[slot]
    while entry:
        if <uint32_t>(entry >> 32) == tag and heap.places[<uint32_t>entry].base == base:
            return <uint32_t>entry
        slot = (slot + 1) & mask
        entry = heap.slots[slot]
    return 0


cdef inline Place *find(const Heap *heap, uint64_t base) noexcept nogil:
    """The place at `base`; the one of no address when there is none."""
    return &heap.places[index_of(heap, base)]


cdef inline void enter(Heap *heap, uint32_t index) noexcept nogil:
    cdef uint64_t hash = hashed(heap.places[index].base)
    cdef uint64_t mask = (<uint64_t>1 << (64 - heap.shift)) - 1
    cdef uint64_t slot = hash >> heap.shift
    while heap.slots[slot]:
        slot = (slot + 1) & mask
    heap.slots[slot] = (<uint64_t><uint32_t>(hash >> 8)) << 32 | index


cdef inline bint grow_slots(Heap *heap) noexcept nogil:
    cdef uint64_t *fresh = <uint64_t *>calloc(<size_t>1 << (65 - heap.shift), sizeof(uint64_t))
    cdef uint32_t index
    if fresh == NULL:
        return False
    free(heap.slots)
    heap.slots = fresh
    heap.shift -= 1
    for index in range(1, heap.count):
        enter(heap, index)
    return True


cdef inline bint grow_places(Heap *heap) noexcept nogil:
    cdef uint32_t room = heap.room * 2
    cdef Place *fresh
    if room > <uint32_t>1 << 31:
        return False
    fresh = <Place *>realloc(heap.places, room * sizeof(Place))
    if fresh == NULL:
        return False
    heap.places = fresh
    heap.room = room
    return True


cdef inline uint32_t add_place(Heap *heap, uint64_t base) noexcept nogil:
    """A new place at `base`, which has none: its index. No pointer to a place survives this call."""
    cdef uint32_t index = heap.count
    if index == heap.room and not grow_places(heap):
        heap.failed = True
        return 0
    if <uint64_t>index * 2 >= <uint64_t>1 << (64 - heap.shift) and not grow_slots(heap):
        heap.failed = True
        return 0
    memset(&heap.places[index], 0, sizeof(Place))
    heap.places[index].base = base
    heap.count += 1
    enter(heap, index)
    return index


cdef inline bint grow_classes(Heap *heap) noexcept nogil:
    cdef uint32_t room = heap.class_room * 2
    cdef uint32_t number, slot, mask
    cdef uint32_t *slots
    cdef Class *fresh = <Class *>realloc(heap.classes, room * sizeof(Class))
    if fresh == NULL:
        return False
    heap.classes = fresh
    slots = <uint32_t *>calloc(<size_t>room * 2, sizeof(uint32_t))
    if slots == NULL:
        return False
    free(heap.class_slots)
    heap.class_slots = slots
    heap.class_room = room
    heap.class_shift -= 1
    mask = room * 2 - 1
    for number in range(heap.class_count):
        slot = <uint32_t>(hashed(<uint64_t>heap.classes[number].usable) >> heap.class_shift)
        while slots[slot]:
            slot = (slot + 1) & mask
        slots[slot] = number + 1
    return True


cdef inline Class *class_of(Heap *heap, int64_t usable) noexcept nogil:
    """The size class of blocks with so many usable bytes; none when memory ran out. Valid until the next call."""
    cdef uint32_t mask = heap.class_room * 2 - 1
    cdef uint32_t slot = <uint32_t>(hashed(<uint64_t>usable) >> heap.class_shift)
    cdef uint32_t number
    cdef Class *found
    while heap.class_slots[slot]:
        found = &heap.classes[heap.class_slots[slot] - 1]
        if found.usable == usable:
            return found
        slot = (slot + 1) & mask
    if heap.class_count == heap.class_room:
        if not grow_classes(heap):
            heap.failed = True
            return NULL
        return class_of(heap, usable)
    number = heap.class_count
    heap.class_count += 1
    heap.class_slots[slot] = number + 1
    found = &heap.classes[number]
    memset(found, 0, sizeof(Class))
    found.usable = usable
    return found


cdef inline void close_heap(Heap *heap) noexcept nogil:
    """Give back all memory."""
    cdef uint32_t number
    for number in range(heap.class_count):
        free(heap.classes[number].queue)
    for number in range(heap.chunk_count):
        free(heap.chunks[number])
    free(heap.places)
    free(heap.slots)
    free(heap.chunks)
    free(heap.firsts)
    free(heap.classes)
    free(heap.class_slots)
    memset(heap, 0, sizeof(Heap))


cdef inline bint open_heap(Heap *heap) noexcept nogil:
    """An empty heap; False when there is no memory for it."""
    memset(heap, 0, sizeof(Heap))
    heap.room = 128
    heap.shift = FIRST_SHIFT
    heap.class_room = 32
    heap.class_shift = FIRST_CLASS_SHIFT
    heap.chunk_room = 16
    heap.places = <Place *>malloc(heap.room * sizeof(Place))
    heap.slots = <uint64_t *>calloc(<size_t>1 << (64 - heap.shift), sizeof(uint64_t))
    heap.classes = <Class *>malloc(heap.class_room * sizeof(Class))
    heap.class_slots = <uint32_t *>calloc(heap.class_room * 2, sizeof(uint32_t))
    heap.chunks = <Chunk **>malloc(heap.chunk_room * sizeof(Chunk *))
    heap.firsts = <uint64_t *>malloc(heap.chunk_room * sizeof(uint64_t))
    if (heap.places == NULL or heap.slots == NULL or heap.classes == NULL or heap.class_slots == NULL
            or heap.chunks == NULL or heap.firsts == NULL):
        close_heap(heap)
        return False
    memset(&heap.places[0], 0, sizeof(Place))
    heap.count = 1
    heap.next_id = 1
    heap.counts = True
    return True


cdef inline void clear_heap(Heap *heap) noexcept nogil:
    """Make the heap empty again.  Cost: O(1) for each place and class that was used, whatever room they have."""
    cdef uint64_t mask = (<uint64_t>1 << (64 - heap.shift)) - 1
    cdef uint64_t slot
    cdef uint32_t index = heap.count, number = heap.class_count, at
    cdef uint32_t class_mask = heap.class_room * 2 - 1
    while index > 1:  # the last first: whatever stood in its way when it was entered still does
        index -= 1
        slot = hashed(heap.places[index].base) >> heap.shift
        while <uint32_t>heap.slots[slot] != index:
            slot = (slot + 1) & mask
        heap.slots[slot] = 0
    heap.count = 1
    while number > 0:
        number -= 1
        at = <uint32_t>(hashed(<uint64_t>heap.classes[number].usable) >> heap.class_shift)
        while heap.class_slots[at] != number + 1:
            at = (at + 1) & class_mask
        heap.class_slots[at] = 0
        free(heap.classes[number].queue)
    heap.class_count = 0
    while heap.chunk_count > 1:
        heap.chunk_count -= 1
        free(heap.chunks[heap.chunk_count])
    if heap.chunk_count:
        heap.chunks[0].count = 0
        heap.firsts[0] = 0
    heap.hint = 0
    heap.next_id = 1
    heap.live = 0


cdef inline bint copy_heap(Heap *twin, const Heap *heap) noexcept nogil:
    """Make `twin`, which is no heap yet, an independent copy; False, and no heap, when memory runs out."""
    cdef uint32_t number
    cdef size_t slots = <size_t>1 << (64 - heap.shift)
    cdef Buried *queue
    memcpy(twin, heap, sizeof(Heap))
    twin.places = <Place *>malloc(heap.room * sizeof(Place))
    twin.slots = <uint64_t *>malloc(slots * sizeof(uint64_t))
    twin.classes = <Class *>malloc(heap.class_room * sizeof(Class))
    twin.class_slots = <uint32_t *>malloc(heap.class_room * 2 * sizeof(uint32_t))
    twin.chunks = <Chunk **>malloc(heap.chunk_room * sizeof(Chunk *))
    twin.firsts = <uint64_t *>malloc(heap.chunk_room * sizeof(uint64_t))
    twin.class_count = 0
    twin.chunk_count = 0
    if (twin.places == NULL or twin.slots == NULL or twin.classes == NULL or twin.class_slots == NULL
            or twin.chunks == NULL or twin.firsts == NULL):
        close_heap(twin)
        return False
    memcpy(twin.places, heap.places, heap.count * sizeof(Place))
    for number in range(heap.count):
        twin.places[number].flags &= ~SHOWN
    memcpy(twin.slots, heap.slots, slots * sizeof(uint64_t))
    memcpy(twin.class_slots, heap.class_slots, heap.class_room * 2 * sizeof(uint32_t))
    memcpy(twin.firsts, heap.firsts, heap.chunk_count * sizeof(uint64_t))
    for number in range(heap.class_count):
        twin.classes[number] = heap.classes[number]
        twin.classes[number].queue = NULL
        twin.class_count += 1
        if heap.classes[number].room:
            queue = <Buried *>malloc(heap.classes[number].room * sizeof(Buried))
            if queue == NULL:
                close_heap(twin)
                return False
            memcpy(queue, heap.classes[number].queue, heap.classes[number].room * sizeof(Buried))
            twin.classes[number].queue = queue
    for number in range(heap.chunk_count):
        twin.chunks[number] = <Chunk *>malloc(sizeof(Chunk))
        if twin.chunks[number] == NULL:
            close_heap(twin)
            return False
        memcpy(twin.chunks[number], heap.chunks[number], sizeof(Chunk))
        twin.chunk_count += 1
    return True
