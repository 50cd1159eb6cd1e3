# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Side bytes: storage a slot has out of line, behind the slab's states: its history, then what monitors keep there."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_thread_id, snprintf
from m4alloc._core.size_class cimport HISTORY_BYTES
from m4alloc._core.types cimport Arena, Heap, Record

cdef enum:
    HISTORY_MAX = 96           # bytes of its text


cdef struct History:           # threads by the kernel's ids; 0: none yet
    uint32_t allocated_by
    uint32_t freed_by


cdef inline char *side_of(const Arena *arena, const Record *record, const uint8_t *state) noexcept nogil:
    """The side bytes of the slot with that state: zero in a new slab, kept from block to block."""
    cdef uint64_t index = <uint64_t>(state - record.states)
    return <char *>record.states + arena.class_side[record.size_class] + index * arena.side_length


cdef inline char *monitor_bytes(const Arena *arena, const Record *record, const uint8_t *state) noexcept nogil:
    """The side_bytes of the strategy for that slot, or NULL: it has none."""
    if arena.knobs.side_bytes == 0:
        return NULL
    return side_of(arena, record, state) + (HISTORY_BYTES if arena.knobs.history else 0)


cdef inline uint32_t thread_of(Heap *heap) noexcept nogil:
    """The kernel's id of the thread that owns the heap, asked for once."""
    if heap.thread == 0:
        heap.thread = m4_thread_id()
    return heap.thread


cdef inline void begin_history(const Arena *arena, const Record *record, const uint8_t *state,
                                 uint32_t thread) noexcept nogil:
    """Begin the history of a block."""
    cdef History *history = <History *>side_of(arena, record, state)
    history.allocated_by = thread
    history.freed_by = 0


cdef inline void end_history(const Arena *arena, const Record *record, const uint8_t *state,
                           uint32_t thread) noexcept nogil:
    """End it."""
    (<History *>side_of(arena, record, state)).freed_by = thread


cdef inline void tell_history(const Arena *arena, const Record *record, const uint8_t *state, char *into) noexcept nogil:
    """Write " (allocated by thread 1, freed by thread 2)" as far as it is known, HISTORY_MAX bytes at most."""
    cdef History *history
    into[0] = 0
    if not arena.knobs.history:
        return
    history = <History *>side_of(arena, record, state)
    if history.freed_by != 0:
        snprintf(into, HISTORY_MAX, " (allocated by thread %u, freed by thread %u)", history.allocated_by,
                 history.freed_by)
    elif history.allocated_by != 0:
        snprintf(into, HISTORY_MAX, " (allocated by thread %u)", history.allocated_by)
