# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Storage a slot has out of line besides its state, in one array with the states of its slab.

First come the states, then, of a long slab, one mark a part: some of its slots may be REMOTE. Then the side bytes of each
slot: its history, and what monitors keep there.
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_thread_id, snprintf
from m4alloc._core.size_class cimport HISTORY_BYTES
from m4alloc._core.types cimport Arena, Heap, Record

cdef extern from "_atomics.h" nogil:
    enum:
        UNMARKED_MAX "M4_UNMARKED_MAX"   # slots of the longest slab without marks: their owner looks at all its states
        PART_SHIFT "M4_PART_SHIFT"       # log2 of the slots of a part

cdef enum:
    HISTORY_MAX = 96           # bytes of its text


cdef struct History:           # threads by the kernel's ids; 0: none yet
    uint32_t allocated_by
    uint32_t freed_by


cdef inline uint64_t state_bytes(uint64_t slots) noexcept nogil:
    """Bytes of the states: one for every index that slot_state can yield, the last of them for no slot; whole lines."""
    return (slots + 1 + 63) & ~<uint64_t>63


cdef inline uint64_t mark_bytes(uint64_t slots) noexcept nogil:
    """Bytes of the marks, whole lines; 0 for a slab that has none."""
    return ((slots >> PART_SHIFT) + 1 + 63) & ~<uint64_t>63 if slots > UNMARKED_MAX else 0


cdef inline char *side_of(const Arena *arena, const Record *record, const uint8_t *state) noexcept nogil:
    """The side bytes of the slot with that state: zero in a new slab, kept from block to block."""
    cdef uint64_t index = <uint64_t>(state - record.states)
    return <char *>record.states + state_bytes(record.slots) + mark_bytes(record.slots) + index * arena.side_length


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
