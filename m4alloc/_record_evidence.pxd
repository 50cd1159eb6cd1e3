"""What only somebody inside the call can see: which bytes are zero after calloc, which ones realloc has kept."""

from libc.stdint cimport uint64_t, uintptr_t
from libc.string cimport memcmp, memcpy

from m4alloc._record_system cimport (
    RELAXED,
    errno_location,
    getpid,
    iovec,
    load64,
    process_vm_readv,
    swap64,
    unlikely,
)

cdef struct Range:  # of the addresses that the allocator has handed out; all zero before the first
    uint64_t lowest_inverted
    uint64_t stop


cdef inline uint64_t lowest(Range *handed_out) noexcept nogil:
    """The address of the lowest block."""
    return ~load64(&handed_out.lowest_inverted, RELAXED)


cdef inline uint64_t highest(Range *handed_out) noexcept nogil:
    """The end of the highest block."""
    return load64(&handed_out.stop, RELAXED)


cdef inline void note_range(Range *handed_out, uint64_t start, uint64_t stop) noexcept nogil:
    """Widen the range by a block."""
    cdef uint64_t seen = load64(&handed_out.lowest_inverted, RELAXED)
    while unlikely(seen < ~start) and not swap64(&handed_out.lowest_inverted, &seen, ~start, True, RELAXED, RELAXED):
        pass
    seen = load64(&handed_out.stop, RELAXED)
    while unlikely(seen < stop) and not swap64(&handed_out.stop, &seen, stop, True, RELAXED, RELAXED):
        pass


cdef inline size_t leading_zeros(const char *block, size_t length) noexcept nogil:
    """How many bytes from the start are zero."""
    cdef size_t i = 0
    if length >= 8 and (<const uint64_t *>block)[0] == 0 and memcmp(block, block + 8, length - 8) == 0:
        return length
    while i < length and block[i] == 0:
        i += 1
    return i


cdef inline size_t leading_equal(const char *one, const char *other, size_t length) noexcept nogil:
    """How many bytes from the start are the same in both."""
    cdef size_t i = 0
    if memcmp(one, other, length) == 0:
        return length
    while one[i] == other[i]:
        i += 1
    return i


cdef inline size_t copy_prefix(void *copy, const void *block, size_t length) noexcept nogil:
    """Copy the block's first bytes and return how many could be read.

    Within the page that holds its first byte a plain copy is safe; across pages the kernel copies, which answers an
    unmapped page, as a block freed before may have, with a count instead of a fault.
    """
    cdef iovec into, source
    cdef ssize_t copied
    cdef int before = errno_location()[0]
    if (<uintptr_t>block & 4095) + length <= 4096:
        memcpy(copy, block, length)
        return length
    into.iov_base = copy
    source.iov_base = <void *>block
    into.iov_len = source.iov_len = length
    copied = process_vm_readv(getpid(), &into, 1, &source, 1, 0)
    errno_location()[0] = before
    return <size_t>copied if copied > 0 else 0
