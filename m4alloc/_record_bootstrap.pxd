"""A static buffer that serves what dlsym allocates while it looks for the allocator. Nothing in it is used again."""

from libc.stdint cimport uint64_t, uintptr_t

from m4alloc._record_system cimport RELAXED, add64

cdef enum:
    BOOTSTRAP_SIZE = 65536

cdef struct Buffer:
    uint64_t used
    char bytes[BOOTSTRAP_SIZE]


cdef inline void *take(Buffer *buffer, size_t size, size_t alignment) noexcept nogil:
    """A zeroed block of the buffer, its size in the 16 bytes before it; NULL when the buffer is used up."""
    cdef uint64_t used, start
    if size > BOOTSTRAP_SIZE or alignment > BOOTSTRAP_SIZE:
        return NULL
    if alignment < 16:
        alignment = 16
    used = add64(&buffer.used, size + 16 + alignment, RELAXED)
    if used + size + 16 + alignment > BOOTSTRAP_SIZE:
        return NULL
    start = (<uint64_t>&buffer.bytes[used] + 16 + alignment - 1) & ~<uint64_t>(alignment - 1)
    (<uint64_t *>(start - 16))[0] = size
    return <void *>start


cdef inline size_t size_in(const Buffer *buffer, const void *block) noexcept nogil:
    """The size (at least 1) of a block of the buffer, 0 for any other pointer."""
    if <uintptr_t>block - <uintptr_t>&buffer.bytes[0] >= <uintptr_t>BOOTSTRAP_SIZE:
        return 0
    return (<uint64_t *>(<uintptr_t>block - 16))[0] or 1
