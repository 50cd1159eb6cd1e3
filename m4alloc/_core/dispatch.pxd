# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One request by number, as spec.event.Function numbers them: what the oracle drives an arena by."""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport EINVAL, ENOMEM, m4_multiply, m4_set_errno
from m4alloc._core.malloc cimport allocate, release
from m4alloc._core.resize cimport (allocate_aligned, allocate_zeroed, reallocate, release_aligned_sized, release_sized,
                                   usable_bytes)
from m4alloc._core.types cimport NO_MISUSE, PAGE, Arena, Heap

cdef enum:                     # spec.event.Function; a test holds the two together
    MALLOC = 1
    CALLOC = 2
    REALLOC = 3
    REALLOCARRAY = 4
    FREE = 5
    ALIGNED_ALLOC = 6
    MEMALIGN = 7
    POSIX_MEMALIGN = 8
    VALLOC = 9
    PVALLOC = 10
    USABLE_SIZE = 11
    FREE_SIZED = 12
    FREE_ALIGNED_SIZED = 13
    NEW = 14
    DELETE = 15


cdef inline bint known(int function) noexcept nogil:
    """Is this a request of the malloc family?"""
    return MALLOC <= function <= DELETE


cdef inline void *request_aligned(Arena *arena, Heap *heap, int function, size_t size, size_t alignment) noexcept nogil:
    """aligned_alloc, memalign and posix_memalign: EINVAL for an alignment that is no power of two."""
    if alignment == 0 or alignment & (alignment - 1) or (function == POSIX_MEMALIGN and alignment % sizeof(void *)):
        m4_set_errno(EINVAL)
        return NULL
    return allocate_aligned(arena, heap, alignment, size)


cdef inline int request(Arena *arena, Heap *heap, int function, void *block, size_t size, size_t count,
                        size_t alignment, void **result) noexcept nogil:
    """Make the request; `result` is the pointer, or usable_size's number. Returns NO_MISUSE or a MisuseKind."""
    cdef uint64_t bytes
    result[0] = NULL
    if function == MALLOC:
        result[0] = allocate(arena, heap, size)
    elif function == CALLOC:
        result[0] = allocate_zeroed(arena, heap, count, size)
    elif function == REALLOC:
        result[0] = reallocate(arena, heap, block, size)
    elif function == REALLOCARRAY:
        if m4_multiply(count, size, &bytes) != 0:
            m4_set_errno(ENOMEM)
        else:
            result[0] = reallocate(arena, heap, block, bytes)
    elif function == FREE or function == DELETE:
        return release(arena, heap, block)
    elif function == FREE_SIZED:
        return release_sized(arena, heap, block, size)
    elif function == FREE_ALIGNED_SIZED:
        return release_aligned_sized(arena, heap, block, alignment, size)
    elif function == VALLOC:
        result[0] = allocate_aligned(arena, heap, PAGE, size)
    elif function == PVALLOC:
        if size > <size_t>-1 - PAGE:
            m4_set_errno(ENOMEM)
        else:
            bytes = PAGE if size == 0 else (size + PAGE - 1) & ~<size_t>(PAGE - 1)
            result[0] = allocate_aligned(arena, heap, PAGE, bytes)
    elif function == USABLE_SIZE:
        result[0] = <void *>usable_bytes(arena, block)
    elif function == NEW:
        result[0] = allocate_aligned(arena, heap, alignment if alignment != 0 else 1, size)
    else:
        result[0] = request_aligned(arena, heap, function, size, alignment)
    return NO_MISUSE
