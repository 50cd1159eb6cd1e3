# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Samples: a small random share of the blocks, each alone on a page between inaccessible pages, with its history.

A block lies at one end of its page, at random, so that an overflow or an underflow faults; when it is freed the page
becomes inaccessible and waits, so that a use after free faults. Pages are reused in the order of their frees. The
address of the fault tells the block, and the block's record what it was and who had it.

A thread counts its calls down where it is off the hot path anyway, by as many as have passed since. When the count is
out, it hides the stack of one bin: the bin's next malloc then takes the slow path and becomes a sample.
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from m4alloc._core.c cimport (MADV_DONTNEED, MADV_GUARD_INSTALL, MADV_GUARD_REMOVE, PROT_NONE, PROT_READ, PROT_WRITE,
                              m4_acquire, m4_add64, m4_backtrace, m4_errno, m4_fill, m4_first_unlike, m4_is_nobody,
                              m4_load32, m4_relinquish, m4_set_errno, m4_swap32, m4_thread_id, madvise, mprotect)
from m4alloc._core.canary cimport FILL_MAX, canary_key, fill_byte
from m4alloc._core.chance cimport draw, draw_below
from m4alloc._core.metadata cimport take_metadata
from m4alloc._core.misuse cimport report_sample
from m4alloc._core.side cimport thread_of
from m4alloc._core.span cimport give_span, region_of_record, take_span, unit_address
from m4alloc._core.stack cimport hide_stack
from m4alloc._core.types cimport (DOUBLE_FREE, FRAMES_MAX, GRANULE, INTERIOR_FREE, INVALID_FREE, NO_MISUSE, OVERFLOW,
                                  PAGE, SAMPLE_FREED, SAMPLE_LIVE, SAMPLE_SPAN, SAMPLE_UNUSED, UNIT, UNIT_SHIFT, Arena,
                                  Bin, Heap, Record, Sample)


cdef inline void draw_interval(Arena *arena, Heap *heap) noexcept nogil:
    """How many calls until the thread's next sample: 1 to 2 * sample_rate - 1, each as likely, sample_rate on average."""
    heap.until_sample = 1 + <int64_t>draw_below(&heap.random, 2 * arena.knobs.sample_rate - 1)


cdef inline void count_down(Arena *arena, Heap *heap, Bin *bin, uint32_t calls) noexcept nogil:
    """So many calls have passed; when the count is out, make the next malloc of the bin a sample."""
    heap.until_sample -= calls
    if heap.until_sample <= 0:
        hide_stack(bin)


cdef inline char *sample_page(const Arena *arena, uint32_t index) noexcept nogil:
    """The page of a sample: every second one of the pool, after a guard."""
    return arena.sample_base + (2 * <uint64_t>index + 1) * PAGE


cdef inline bint close_pages(Arena *arena, char *pages, uint64_t bytes) noexcept nogil:
    """Make pages of the pool inaccessible and drop their contents; False: it cannot be done.

    By markers where the kernel has them, else by mprotect: then a pool is up to 2 * sample_slots mappings.
    """
    if not arena.sample_mapped and madvise(pages, bytes, MADV_GUARD_INSTALL) == 0:
        return True
    arena.sample_mapped = 1  # the first call is for the whole pool
    if mprotect(pages, bytes, PROT_NONE) != 0:
        return False
    madvise(pages, bytes, MADV_DONTNEED)
    return True


cdef inline bint open_page(Arena *arena, char *page) noexcept nogil:
    """Make a page of the pool accessible; False: it cannot be done.

    A pool may have pages of both kinds, since one that is locked (mlock) takes no marker.
    """
    if arena.sample_mapped and mprotect(page, PAGE, PROT_READ | PROT_WRITE) != 0:
        return False
    return madvise(page, PAGE, MADV_GUARD_REMOVE) == 0 or arena.sample_mapped != 0


cdef inline bint open_samples(Arena *arena) noexcept nogil:
    """Make the pool at the first sample; False: out of memory. Wants the arena's lock."""
    cdef uint64_t pages = 2 * <uint64_t>arena.knobs.sample_slots + 1
    cdef uint32_t units = <uint32_t>((pages * PAGE + UNIT - 1) >> UNIT_SHIFT)
    cdef Sample *samples = <Sample *>take_metadata(arena, arena.knobs.sample_slots * sizeof(Sample))
    cdef Record *span
    cdef uint32_t i
    if samples == NULL:
        return False
    span = take_span(arena, units, 1)
    if span == NULL:
        return False
    arena.sample_base = unit_address(region_of_record(arena, span), span)
    if not close_pages(arena, arena.sample_base, <uint64_t>units << UNIT_SHIFT):
        give_span(arena, span, units, True)
        return False
    for i in range(units):
        (span + i).start = arena.sample_base
        (span + i).kind = SAMPLE_SPAN
    for i in range(arena.knobs.sample_slots):
        samples[i].next = samples + i + 1
    samples[arena.knobs.sample_slots - 1].next = NULL
    arena.sample_first = samples
    arena.sample_last = samples + arena.knobs.sample_slots - 1
    arena.samples = samples
    return True


cdef inline Sample *take_sample(Arena *arena) noexcept nogil:
    """The sample whose page has waited longest, or NULL: all are live. Wants the arena's lock."""
    cdef Sample *sample
    if arena.samples == NULL and (arena.sample_failed or not open_samples(arena)):
        arena.sample_failed = 1
        return NULL
    sample = arena.sample_first
    if sample != NULL:
        arena.sample_first = sample.next
        if arena.sample_first == NULL:
            arena.sample_last = NULL
    return sample


cdef inline void give_sample(Arena *arena, Sample *sample) noexcept nogil:
    """Put a sample at the end of the queue. Takes the arena's lock."""
    m4_acquire(&arena.lock)
    sample.next = NULL
    if arena.sample_last != NULL:
        arena.sample_last.next = sample
    else:
        arena.sample_first = sample
    arena.sample_last = sample
    m4_relinquish(&arena.lock)


cdef inline uint64_t behind(const Arena *arena, const Sample *sample, char *page) noexcept nogil:
    """How many bytes after the block are filled: up to FILL_MAX, and not beyond the page."""
    cdef uint64_t left = <uint64_t>(page + PAGE - sample.block) - sample.size
    return left if left < FILL_MAX else FILL_MAX


cdef inline void *allocate_sample "m4_allocate_sample"(Arena *arena, Heap *heap, uint64_t size,
                                                       uint64_t alignment) noexcept nogil:
    """A block on a page of its own, or NULL: the pool is used up, or the request does not fit a page. errno is kept.

    alignment: a power of two. The thread's next interval begins.
    """
    cdef int before = m4_errno()
    cdef Sample *sample
    cdef char *page
    cdef uint64_t step = alignment if alignment > GRANULE else GRANULE
    draw_interval(arena, heap)
    if size == 0 or size > PAGE or step > PAGE:
        return NULL
    m4_acquire(&arena.lock)
    sample = take_sample(arena)
    m4_relinquish(&arena.lock)
    if sample == NULL:
        return NULL
    page = sample_page(arena, <uint32_t>(sample - arena.samples))
    if not open_page(arena, page):
        give_sample(arena, sample)
        m4_set_errno(before)
        return NULL
    sample.block = page
    if draw(&heap.random) & (<uint64_t>1 << 32):
        sample.block += (PAGE - size) & ~(step - 1)
    sample.size = size
    sample.allocated_by = thread_of(heap)
    sample.freed_by = 0
    sample.allocation_frames = m4_backtrace(sample.allocation, FRAMES_MAX)
    sample.release_frames = 0
    m4_fill(sample.block + size, behind(arena, sample, page), fill_byte(canary_key(arena, sample.block)))
    m4_swap32(&sample.state, sample.state, SAMPLE_LIVE)
    m4_set_errno(before)
    return sample.block


cdef inline Sample *sample_of(const Arena *arena, const char *address) noexcept nogil:
    """The sample on whose page `address` lies, or NULL: on a guard, or after the last page."""
    cdef uint64_t page = <uint64_t>(address - arena.sample_base) // PAGE
    if page % 2 == 0 or page // 2 >= arena.knobs.sample_slots:
        return NULL
    return arena.samples + page // 2


cdef inline uint64_t sample_size(const Arena *arena, const char *address, bint *live) noexcept nogil:
    """The size of the live sampled block that starts at `address`; `live` says whether one does."""
    cdef Sample *sample = sample_of(arena, address)
    live[0] = sample != NULL and sample.block == address and m4_load32(&sample.state) == SAMPLE_LIVE
    return sample.size if live[0] else 0


cdef inline int free_sample "m4_free_sample"(Arena *arena, Heap *heap, char *address,
                                             bint resizing) noexcept nogil:
    """Free the sampled block that starts at `address`: NO_MISUSE, or what was wrong. resizing: it is realloc that asks."""
    cdef Sample *sample = sample_of(arena, address)
    cdef char *page
    cdef uint64_t length, at
    cdef int result = NO_MISUSE
    if sample == NULL or sample.state == SAMPLE_UNUSED:
        return report_sample(arena, INVALID_FREE, NULL, address, resizing)
    if sample.block != address:
        return report_sample(arena, INTERIOR_FREE, sample, address, resizing)
    if not m4_swap32(&sample.state, SAMPLE_LIVE, SAMPLE_FREED):
        return report_sample(arena, DOUBLE_FREE, sample, address, resizing)
    page = sample_page(arena, <uint32_t>(sample - arena.samples))
    length = behind(arena, sample, page)
    at = m4_first_unlike(address + sample.size, length, fill_byte(canary_key(arena, address)))
    if at != length:
        result = report_sample(arena, OVERFLOW, sample, address + sample.size + at, resizing)
    sample.freed_by = m4_thread_id() if m4_is_nobody(heap) else thread_of(heap)
    sample.release_frames = m4_backtrace(sample.release, FRAMES_MAX)
    close_pages(arena, page, PAGE)
    m4_add64(&arena.samples_freed, 1)
    give_sample(arena, sample)
    return result
