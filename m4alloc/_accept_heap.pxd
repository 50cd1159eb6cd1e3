"""The compiled heap as other compiled modules use it."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._accept_types cimport Block, Heap

cdef object block_of(uint64_t base, const Block *block)

cdef class CompiledHeap:
    cdef Heap heap
    cdef dict shown  # by base, the blocks that Python has been shown; valid while the place says so

    cdef int sound(self) except -1
    cdef object show(self, uint32_t place)
    cdef object grave_of(self, uint32_t place)
    cdef uint32_t enter(self, uint64_t base) except 0
