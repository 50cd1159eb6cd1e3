"""What a call is evidence of: one small number, its signature, stands for all that decides which rules count it.

Which rules those are is not written down here. The first call of each signature is shown to the readable acceptor on
a heap of its own; the rules it counts then are those of all plain calls with this signature (m4alloc.check.accept).
"""

from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._accept_types cimport *

cdef enum:
    SIGNATURES = 1024   # room; a history shows some dozens
    BEGUN = 1           # what is known of a signature: which rules count it when the call begins,
    ENDED = 2           # and when it has returned
    OBJECTIONABLE = 4   # the readable acceptor objected: no call of this signature is plain

cdef struct Evidence:
    uint32_t keys[SIGNATURES]     # open addressing; 0 is free
    uint8_t known[SIGNATURES]
    uint64_t begun[SIGNATURES]    # plain calls of each signature that have begun
    uint64_t ended[SIGNATURES]    # and returned
    uint32_t used[SIGNATURES]     # the slots in use, in order of first use
    uint32_t count

cdef extern from *:
    bint __builtin_mul_overflow(uint64_t one, uint64_t other, uint64_t *product) nogil


cdef inline bint counted(uint8_t function) noexcept nogil:
    """Whether a call of the function names a number of elements."""
    return function == CALLOC or function == REALLOCARRAY


cdef inline uint64_t request_of(const Record *one, uint32_t *excess) noexcept nogil:
    """The bytes asked for, wrapped. excess: 1 for more than PTRDIFF_MAX bytes, 2 for more than a size_t counts."""
    cdef uint64_t request = one.size
    excess[0] = 0
    if counted(one.function) and __builtin_mul_overflow(one.size, one.extra, &request):
        excess[0] = 2
    elif request >> 63:
        excess[0] = 1
    return request


cdef inline bint power_of_two(uint64_t number) noexcept nogil:
    return number != 0 and number & (number - 1) == 0


cdef inline uint32_t signature(const Record *one, uint64_t request, uint32_t excess) noexcept nogil:
    """All that a rule's being counted may depend on, if the call is plain; never 0."""
    cdef uint32_t bits = one.function
    cdef uint64_t alignment = 0 if counted(one.function) else one.extra
    bits |= <uint32_t>(one.usable >= 0) << 8
    bits |= <uint32_t>(one.intact >= 0) << 9
    bits |= <uint32_t>(one.address != 0) << 10
    bits |= <uint32_t>(one.result != 0) << 11
    bits |= <uint32_t>(request == 0) << 12
    bits |= <uint32_t>(alignment != 0) << 13
    bits |= <uint32_t>power_of_two(alignment) << 14
    bits |= <uint32_t>(one.error != 0) << 15
    bits |= <uint32_t>(one.intact >= one.usable) << 16
    bits |= excess << 17
    bits |= <uint32_t>(one.flags & WHOLE_SCANNED) << 16  # bit 19
    return bits


cdef inline uint32_t slot_of(const Evidence *all, uint32_t key) noexcept nogil:
    """The slot of a signature, or the free one where it would be."""
    cdef uint32_t slot = (key * <uint32_t>0x9E3779B1) >> 22
    while all.keys[slot] and all.keys[slot] != key:
        slot = (slot + 1) & (SIGNATURES - 1)
    return slot


cdef struct Counts:
    # The counts as they were at some point.
    uint64_t begun[SIGNATURES]
    uint64_t ended[SIGNATURES]
    uint32_t count


cdef inline void save(const Evidence *all, Counts *counts) noexcept nogil:
    """Cost: O(1) a signature in use."""
    cdef uint32_t number
    counts.count = all.count
    for number in range(all.count):
        counts.begun[number] = all.begun[all.used[number]]
        counts.ended[number] = all.ended[all.used[number]]


cdef inline void restore(Evidence *all, const Counts *counts) noexcept nogil:
    """Take back what was counted since; signatures met since then were not counted before."""
    cdef uint32_t number
    for number in range(all.count):
        all.begun[all.used[number]] = counts.begun[number] if number < counts.count else 0
        all.ended[all.used[number]] = counts.ended[number] if number < counts.count else 0
