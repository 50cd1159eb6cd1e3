# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The shadow: a byte for eight bytes of memory, which says whether an access there changes nothing (see _monitor.h).

Blocks begin at multiples of 16, so that no byte of it is shared by two.
"""

from libc.stdint cimport uint64_t, uint8_t

from m4alloc._watch.c cimport M4M_SHADOW_OFFSET, M4M_SHADOW_SHIFT, m4m_plain_memset, m4m_shadow_on
from m4alloc._watch.types cimport M4M_SHADOW_FREED, M4M_SHADOW_OPEN, M4M_SHADOW_OUTSIDE


cdef inline uint8_t *shadow_of(const char *address) noexcept nogil:
    """The byte of the shadow that an address has."""
    return <uint8_t *>((<uint64_t>address >> M4M_SHADOW_SHIFT) + M4M_SHADOW_OFFSET)


cdef inline void fill_shadow(const char *start, uint64_t bytes, uint8_t value) noexcept nogil:
    """Give the bytes from `start`, both multiples of 8, one value."""
    cdef uint8_t *shadow = shadow_of(start)
    cdef uint64_t count = bytes >> M4M_SHADOW_SHIFT
    if count <= 8:  # most blocks are small
        while count != 0:
            count -= 1
            shadow[count] = value
    else:
        m4m_plain_memset(shadow, value, count)


cdef inline void show_block(const char *base, uint64_t size, uint64_t room, uint8_t inside) noexcept nogil:
    """A block of `size` bytes in `room`: `inside` its bytes, M4M_SHADOW_OUTSIDE behind them.

    Of the granule that the block ends in, only the bytes before the end are open.
    """
    cdef uint64_t whole = size & ~<uint64_t>7
    if not m4m_shadow_on:
        return
    fill_shadow(base, whole, inside)
    if whole != size:
        shadow_of(base + whole)[0] = <uint8_t>(size - whole) if inside == M4M_SHADOW_OPEN else inside
        whole += 8
    if whole < room:
        fill_shadow(base + whole, room - whole, M4M_SHADOW_OUTSIDE)


cdef inline void close_block(const char *base, uint64_t size) noexcept nogil:
    """The block of `size` bytes has been freed."""
    if m4m_shadow_on:
        fill_shadow(base, (size + 7) & ~<uint64_t>7, M4M_SHADOW_FREED)


cdef inline void fence_shadow(const char *start, const char *end) noexcept nogil:
    """Nothing is between two addresses, multiples of 8; whoever comes there has left a block."""
    if m4m_shadow_on and start < end:
        fill_shadow(start, <uint64_t>(end - start), M4M_SHADOW_OUTSIDE)
