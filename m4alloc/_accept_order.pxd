"""The calls under way, by the number with which they end."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport realloc

from m4alloc._accept_evidence cimport counted
from m4alloc._accept_glance cimport Call
from m4alloc._accept_types cimport *

cdef struct Queue:
    # A binary heap; `calls[0]` is the one that ends first.
    Call *calls
    uint32_t count
    uint32_t room


cdef inline bint differ(uint64_t one, uint64_t other, bint *less) noexcept nogil:
    less[0] = one < other
    return one != other


cdef inline bint ends_before(const Record *a, const Record *b) noexcept nogil:
    """Whether `a` ends before `b`; of equal numbers, which only a damaged trace has, as spec.history orders them."""
    cdef bint less = False
    cdef bint whole_a = counted(a.function), whole_b = counted(b.function)
    cdef bint label_a = a.function == LABEL, label_b = b.function == LABEL
    if differ(a.end, b.end, &less) or differ(a.function, b.function, &less) or differ(a.thread, b.thread, &less):
        return less
    if differ(a.extra if label_a else a.address, b.extra if label_b else b.address, &less):
        return less
    if differ(a.size, b.size, &less) or differ(a.extra if whole_a else 1, b.extra if whole_b else 1, &less):
        return less
    if differ(0 if whole_a or label_a else a.extra, 0 if whole_b or label_b else b.extra, &less):
        return less
    if differ(a.result, b.result, &less):
        return less
    if differ(a.error, b.error, &less):
        return less
    if a.usable != b.usable:
        return a.usable < b.usable
    if a.intact != b.intact:
        return a.intact < b.intact
    return a.begin < b.begin


cdef inline bint push(Queue *queue, const Call *call) noexcept nogil:
    """Add a call; False when there is no memory for it."""
    cdef uint32_t room, at = queue.count, parent
    cdef Call *calls
    if queue.count == queue.room:
        room = queue.room * 2 if queue.room else 64
        calls = <Call *>realloc(queue.calls, room * sizeof(Call))
        if calls == NULL:
            return False
        queue.calls = calls
        queue.room = room
    queue.count += 1
    while at:
        parent = (at - 1) >> 1
        if not ends_before(call.record, queue.calls[parent].record):
            break
        queue.calls[at] = queue.calls[parent]
        at = parent
    queue.calls[at] = call[0]
    return True


cdef inline void pop(Queue *queue, Call *first) noexcept nogil:
    """Take out the call that ends first; there is one."""
    cdef uint32_t at = 0, child
    cdef Call *last = &queue.calls[queue.count - 1]
    first[0] = queue.calls[0]
    queue.count -= 1
    while True:
        child = at * 2 + 1
        if child >= queue.count:
            break
        if child + 1 < queue.count and ends_before(queue.calls[child + 1].record, queue.calls[child].record):
            child += 1
        if not ends_before(queue.calls[child].record, last.record):
            break
        queue.calls[at] = queue.calls[child]
        at = child
    queue.calls[at] = last[0]
