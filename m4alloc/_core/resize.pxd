# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The rest of the family over malloc and free: calloc, realloc, aligned requests, usable size."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport (EINVAL, ENOMEM, M4_FAULT, likely, m4_acquire, m4_enter, m4_errno, m4_is_nobody,
                              m4_multiply, m4_read8, m4_read64, m4_relinquish, m4_set_errno, m4_untag, memcpy, memset,
                              unlikely)
from m4alloc._core.canary cimport CANARY_BYTES, set_canary, with_canary
from m4alloc._core.fault cimport (FAULT_ALIGNMENT_IGNORED, FAULT_CALLOC_NOT_ZEROED, FAULT_REALLOC_LOSES_TAIL,
                                  FAULT_USABLE_SIZE_TOO_LARGE)
from m4alloc._core.guard cimport check_large, large_size, seal_large
from m4alloc._core.hooks cimport block_size, check_slack
from m4alloc._core.large cimport allocate_large, lose_large, move_pages, resize_large
from m4alloc._core.malloc cimport allocate, allocate_apart, allocate_hooked, release
from m4alloc._core.misuse cimport report_alignment, report_pointer, report_size
from m4alloc._core.region cimport round_up
from m4alloc._core.sample cimport free_sample, sample_size
from m4alloc._core.size_class cimport aligned_class
from m4alloc._core.slot cimport record_of, slot_state
from m4alloc._core.stack cimport shared_heap
from m4alloc._core.types cimport (GRANULE, HOOK_CANARY, HOOK_EMPTY, LARGE, LIVE, NO_MISUSE, PAGE, SAMPLE_SPAN, SLAB,
                                  SMALL_MAX, UNIT_SHIFT, Arena, Heap, Record)


cdef inline uint64_t usable_bytes(Arena *arena, void *block) noexcept nogil:
    """Bytes of a live block that the client may use; 0 for NULL and for anything that is not a live block."""
    cdef char *address = m4_untag(block)
    cdef Record *record = record_of(arena, address)
    cdef uint8_t *state
    cdef bint live
    if record == NULL:
        return 0
    state = slot_state(record, address)
    if state != NULL:
        if m4_read8(state) != LIVE:
            return 0
        return block_size(arena, record, address) + (GRANULE if M4_FAULT == FAULT_USABLE_SIZE_TOO_LARGE else 0)
    if record.kind == SAMPLE_SPAN:
        return sample_size(arena, address, &live)
    if record.kind == LARGE and record.start == address:
        return large_size(record)
    return 0


cdef inline void *allocate_zeroed(Arena *arena, Heap *heap, size_t count, size_t size) noexcept nogil:
    """calloc: count * size zeroed bytes, or NULL with ENOMEM when the product overflows or memory is out."""
    cdef uint64_t bytes
    cdef void *block
    cdef int before
    if m4_multiply(count, size, &bytes) != 0:
        m4_set_errno(ENOMEM)
        return NULL
    if bytes > SMALL_MAX:
        before = m4_errno()
        if m4_is_nobody(heap):
            heap = <Heap *>m4_enter(arena)
            m4_set_errno(before)
    if bytes > SMALL_MAX and bytes > arena.largest:
        block = allocate_large(arena, bytes, 1, M4_FAULT != FAULT_CALLOC_NOT_ZEROED)
        m4_set_errno(ENOMEM if block == NULL else before)
        return block
    block = allocate(arena, heap, bytes)
    if block != NULL and M4_FAULT != FAULT_CALLOC_NOT_ZEROED:
        memset(block, 0, bytes)
    return block


cdef inline void *allocate_aligned_shared "m4_allocate_aligned_shared"(Arena *arena, uint32_t c, size_t size,
                                                                       size_t alignment) noexcept nogil:
    """allocate_hooked for a thread that can have no heap."""
    cdef void *block
    m4_acquire(&arena.lock)
    block = allocate_hooked(arena, shared_heap(arena), c, size, alignment)
    m4_relinquish(&arena.lock)
    return block


cdef inline void *allocate_aligned(Arena *arena, Heap *heap, size_t alignment, size_t size) noexcept nogil:
    """A block at a multiple of `alignment`, a power of two, or NULL with ENOMEM."""
    cdef int c
    cdef int before
    if alignment <= GRANULE:
        return allocate(arena, heap, size)
    if m4_is_nobody(heap):  # before the look-up: the class tables are made when the arena opens
        before = m4_errno()
        heap = <Heap *>m4_enter(arena)
        m4_set_errno(before)
    c = aligned_class(arena, with_canary(arena, size), alignment)
    if c >= 0 and arena.hooked_malloc:
        if likely(not m4_is_nobody(heap)):
            return allocate_hooked(arena, heap, c, size, alignment)
        return allocate_aligned_shared(arena, c, size, alignment)
    if c >= 0:
        return allocate(arena, heap, arena.knobs.class_size[c])
    if M4_FAULT == FAULT_ALIGNMENT_IGNORED:
        alignment = 1
    return allocate_apart(arena, size if size != 0 else 1, alignment)


cdef inline void *move_block(Arena *arena, Heap *heap, void *old, uint64_t usable, bint large,
                             size_t size) noexcept nogil:
    """realloc by a new block: contents kept up to the smaller size; NULL with ENOMEM leaves the old block alone."""
    cdef void *block = allocate(arena, heap, size)
    cdef uint64_t kept = usable if usable < size else size
    if block == NULL:
        return NULL
    if large and size > arena.largest:
        if unlikely(not move_pages(arena, <char *>block, <char *>old, kept)):
            lose_large(arena, <char *>block)
            m4_set_errno(ENOMEM)
            return NULL
    else:
        if M4_FAULT == FAULT_REALLOC_LOSES_TAIL and kept > 8:
            kept -= 8
        memcpy(block, old, kept)
    release(arena, heap, old)
    return block


cdef inline uint64_t slot_room(const Arena *arena, const Record *record) noexcept nogil:
    """The largest request that a slot of the slab can hold."""
    if arena.class_hooks[record.size_class] & HOOK_EMPTY:
        return 0
    return record.slot_size - (CANARY_BYTES if arena.class_hooks[record.size_class] & HOOK_CANARY else 0)


cdef inline void reseal(Arena *arena, Record *record, char *address, uint8_t *state, uint64_t size) noexcept nogil:
    """Under canaries: a block that stays where it is now has `size` bytes."""
    if arena.class_hooks[record.size_class] & HOOK_CANARY:
        check_slack(arena, address, state, record.slot_size)
        set_canary(arena, address, record.slot_size, size)


cdef inline void *keep_block "m4_keep_block"(Arena *arena, Record *record, void *old, size_t size,
                                             int before) noexcept nogil:
    """realloc to fewer bytes when there is no memory for a smaller block: it stays as it is. before: what errno was."""
    cdef char *address = m4_untag(old)
    m4_set_errno(before)
    if record.kind == SLAB:
        reseal(arena, record, address, slot_state(record, address), size)
    elif record.kind == LARGE:
        m4_acquire(&arena.lock)
        check_large(arena, record)
        seal_large(arena, record, size)
        m4_relinquish(&arena.lock)
    return old


cdef inline void *reallocate(Arena *arena, Heap *heap, void *old, size_t size) noexcept nogil:
    """realloc: NULL old is malloc; size 0 frees and returns NULL; a pointer that is no live block is misuse.

    A block stays where it is while the request still fits it and would not waste more than half of it, or while there is
    no memory for a smaller one: making a block smaller never fails.
    """
    cdef char *address = m4_untag(old)
    cdef Record *record
    cdef uint8_t *state = NULL
    cdef uint64_t usable, room
    cdef void *block
    cdef bint live = False
    cdef int before
    if m4_is_nobody(heap):
        before = m4_errno()
        heap = <Heap *>m4_enter(arena)
        m4_set_errno(before)  # for a realloc to 0 bytes returns NULL, which is a failure only if errno says so
    if old == NULL:
        return allocate(arena, heap, size)
    if size == 0:
        release(arena, heap, old)
        return NULL
    record = record_of(arena, address)
    usable = 0
    if record != NULL:
        state = slot_state(record, address)
        if state != NULL:
            if m4_read8(state) == LIVE:
                live = True
                usable = block_size(arena, record, address)
        elif record.kind == SAMPLE_SPAN:
            usable = sample_size(arena, address, &live)
        elif record.kind == LARGE and record.start == address:
            live = True
            usable = large_size(record)
    if not live:
        if record != NULL and record.kind == SAMPLE_SPAN:
            free_sample(arena, heap, address, True)
        else:
            report_pointer(arena, True, address)
        m4_set_errno(EINVAL)
        return NULL
    room = usable
    if record.kind == SLAB:
        room = slot_room(arena, record)
        if size <= room and (size > room // 2 or room <= 2 * GRANULE):
            reseal(arena, record, address, state, size)
            return old
    before = m4_errno()
    if record.kind == LARGE and size > arena.largest and resize_large(arena, record, size):
        m4_set_errno(before)
        return old
    block = move_block(arena, heap, old, usable, record.kind == LARGE, size)
    if unlikely(block == NULL and size <= room):
        return keep_block(arena, record, old, size, before)
    return block


cdef inline bint was_asked_for(Arena *arena, char *address, uint64_t size, uint64_t usable) noexcept nogil:
    """May a block whose size is known to the byte have come of a request of `size` bytes?

    An aligned request of none got one; pvalloc rounds to pages, and such a block lies as only it makes them.
    """
    cdef Record *record = record_of(arena, address)
    if size == 0:
        size = 1
    return size == usable or (usable == round_up(size, PAGE) and <uint64_t>address % PAGE == 0
                              and (record.kind != SLAB or record.slot_size % PAGE == 0))


cdef inline int release_sized(Arena *arena, Heap *heap, void *block, size_t size) noexcept nogil:
    """free with the size that the client claims to have asked for; one that cannot be true is misuse.

    A slot of the first region is looked up by its record alone; hooked arenas and all else go the long way.
    """
    cdef char *address = m4_untag(block)
    cdef uint64_t offset = <uint64_t>(address - arena.base)
    cdef Record *record
    cdef uint64_t usable
    if likely(offset < m4_read64(&arena.used)):
        record = arena.records + (offset >> UNIT_SHIFT)
        if likely(size <= record.slot_size and m4_read64(&record.reciprocal) != 0):
            return release(arena, heap, block)
    if block == NULL:
        return NO_MISUSE
    usable = usable_bytes(arena, block)
    if unlikely(usable != 0 and (size > usable or (arena.knobs.canaries != 0
                                                   and not was_asked_for(arena, m4_untag(block), size, usable)))):
        return report_size(arena, m4_untag(block), size, usable)
    return release(arena, heap, block)


cdef inline int release_aligned_sized(Arena *arena, Heap *heap, void *block, size_t alignment,
                                      size_t size) noexcept nogil:
    """free with the alignment, too, that the client claims to have asked for: one that the block has not is misuse."""
    cdef char *address = m4_untag(block)
    if unlikely(alignment & (alignment - 1) != 0 or <uint64_t>address & (alignment - 1) != 0) and alignment != 0:
        if usable_bytes(arena, block) != 0:
            return report_alignment(arena, address, alignment)
    return release_sized(arena, heap, block, size)
