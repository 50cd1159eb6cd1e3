# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Stacks: who called, unwound by frame pointers and kept once however often it is the same.

Frame pointers are cheap, and `m4alloc cc` asks for them; code without leaves garbage in the register. So every step
has to go up, inside the thread's stack, by a limited distance, and a stack ends at the first that does not.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport m4_load32, m4_swap32
from m4alloc._watch.memory cimport Pool, map_reserve, take_memory
from m4alloc._watch.types cimport Thread

cdef enum:
    FRAMES_MOST = 32           # of a stack
    STEP_MOST = 1 << 20        # bytes from one frame to the next
    BUCKETS = 1 << 16
    STACKS_MOST = 1 << 22      # different ones; after so many, 0 stands for every further one

cdef struct Stack "m4m_stack":
    uint32_t next              # in its bucket
    uint32_t hash
    uint32_t thread            # its number
    uint32_t frames
    void *frame[FRAMES_MOST]   # return addresses, the innermost first; as many as there are

cdef struct Depot "m4m_depot":
    uint32_t depth             # frames that are kept
    uint32_t count             # of stacks (atomic)
    uint32_t *bucket
    Stack **stack              # by number
    Pool pool

cdef extern from "monitor_state.h" nogil:
    Depot depot


cdef inline bint open_depot(uint32_t depth) noexcept nogil:
    """Make room for stacks of at most `depth` frames, 1 to FRAMES_MOST; False: no memory."""
    depot.depth = depth
    depot.bucket = <uint32_t *>map_reserve(BUCKETS * sizeof(uint32_t))
    depot.stack = <Stack **>map_reserve(STACKS_MOST * sizeof(Stack *))
    return depot.bucket != NULL and depot.stack != NULL


cdef inline uint32_t unwind(const Thread *thread, const void *site, const void *frame, void **into,
                            uint32_t depth) noexcept nogil:
    """The return addresses from `site` outwards; how many, at least 1. frame: of the function that returns to site."""
    cdef uint32_t count = 1
    cdef char *at = <char *>frame
    cdef char *above
    cdef void *back
    into[0] = <void *>site
    if thread.stack_high == NULL:
        return 1
    while count < depth:
        if at < thread.stack_low or at > thread.stack_high - 16 or <uint64_t>at & 7:
            break
        above = (<char **>at)[0]
        if above <= at or above > thread.stack_high - 16 or above - at > STEP_MOST or <uint64_t>above & 7:
            break
        back = (<void **>above)[1]
        if <uint64_t>back < 4096:
            break
        into[count] = back
        count += 1
        at = above
    return count


cdef inline bint same_stack(const Stack *stack, uint32_t hash, uint32_t thread, void **frames,
                            uint32_t count) noexcept nogil:
    """Whether these are the frames of a stack."""
    cdef uint32_t i
    if stack.hash != hash or stack.frames != count or stack.thread != thread:
        return False
    for i in range(count):
        if stack.frame[i] != frames[i]:
            return False
    return True


cdef inline uint32_t keep_stack(const Thread *thread, void **frames, uint32_t count) noexcept nogil:
    """The number of the stack, from 1; 0: there is no room for a new one."""
    cdef uint64_t mixed = thread.number
    cdef uint32_t i, hash, number, first
    cdef uint32_t *bucket
    cdef Stack *stack
    for i in range(count):
        mixed = (mixed ^ <uint64_t>frames[i]) * <uint64_t>0x9E3779B97F4A7C15
        mixed ^= mixed >> 29
    hash = <uint32_t>(mixed >> 32)
    bucket = &depot.bucket[hash & (BUCKETS - 1)]
    first = m4_load32(bucket)
    number = first
    while number != 0:
        stack = depot.stack[number]
        if same_stack(stack, hash, thread.number, frames, count):
            return number
        number = stack.next
    if depot.count >= STACKS_MOST - 2:
        return 0
    stack = <Stack *>take_memory(&depot.pool, 16 + count * sizeof(void *))
    if stack == NULL:
        return 0
    stack.hash = hash
    stack.thread = thread.number
    stack.frames = count
    for i in range(count):
        stack.frame[i] = frames[i]
    while True:
        number = m4_load32(&depot.count)
        if number >= STACKS_MOST - 2:
            return 0
        if m4_swap32(&depot.count, number, number + 1):
            break
    number += 1
    depot.stack[number] = stack
    while True:  # two threads may keep the same stack twice, which is no harm
        first = m4_load32(bucket)
        stack.next = first
        if m4_swap32(bucket, first, number):
            return number


cdef inline uint32_t capture(const Thread *thread, const void *site, const void *frame) noexcept nogil:
    """The number of the stack that led here."""
    cdef void *frames[FRAMES_MOST]
    return keep_stack(thread, frames, unwind(thread, site, frame, frames, depot.depth))


cdef inline const Stack *stack_of(uint32_t number) noexcept nogil:
    """A kept stack, or NULL."""
    return depot.stack[number] if 0 < number <= depot.count else NULL
