# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Stepping a machine whose states are numbers in memory: of blocks, of a thread, of the process."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

from m4alloc._watch.table cimport OPEN_ALONE, OPEN_TO_ALL, Machine

cdef extern from * nogil:
    enum:
        __ATOMIC_ACQ_REL
        __ATOMIC_ACQUIRE
    uint16_t __atomic_load_n(const uint16_t *, int) noexcept
    bint __atomic_compare_exchange_n(uint16_t *, uint16_t *expected, uint16_t, bint, int, int) noexcept


cdef inline uint16_t next_state(const Machine *machine, uint16_t state, uint32_t code) noexcept nogil:
    """The state after the letter."""
    return machine.next[<uint64_t>state * machine.width + code] if code < machine.width else state


cdef inline uint64_t newly_violated(const Machine *machine, uint16_t before, uint16_t after,
                                    uint32_t code) noexcept nogil:
    """The properties that a step violated; those of blocks are of another block after a malloc."""
    cdef uint64_t old = machine.violated[before]
    if code == 0:
        old &= ~machine.of_blocks
    return machine.violated[after] & ~old


cdef inline uint64_t step_from(const Machine *machine, uint16_t *state, uint32_t code, uint16_t *before) noexcept nogil:
    """Step the state, which other threads step, too; say what the letter newly violated, and where it was `before`."""
    cdef uint16_t after
    if code >= machine.width:
        before[0] = __atomic_load_n(state, __ATOMIC_ACQUIRE)
        return 0
    before[0] = __atomic_load_n(state, __ATOMIC_ACQUIRE)
    after = next_state(machine, before[0], code)
    while after != before[0] and not __atomic_compare_exchange_n(state, before, after, False, __ATOMIC_ACQ_REL,
                                                                __ATOMIC_ACQUIRE):
        after = next_state(machine, before[0], code)
    return newly_violated(machine, before[0], after, code)


cdef inline uint64_t step_plain(const Machine *machine, uint16_t *state, uint32_t code) noexcept nogil:
    """Step the state, and say which properties the letter newly violated."""
    cdef uint16_t before
    return step_from(machine, state, code, &before)


cdef inline uint64_t lost_at_malloc(const Machine *machine, uint16_t before) noexcept nogil:
    """The properties that the block left unfulfilled, when its address was handed out again in this state.

    Nothing can fulfil them any more: at exit they are violated.
    """
    return machine.unfulfilled[before] & machine.of_blocks


cdef inline bint is_open(const Machine *machine, uint16_t state, bint alone) noexcept nogil:
    """Does an access in bounds change nothing here? `alone`: the process has one thread."""
    return machine.open_states[state] & (OPEN_ALONE if alone else OPEN_TO_ALL) != 0
