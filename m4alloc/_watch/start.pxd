# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Before the first block: which properties there are, and what they make of this run."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from m4alloc._core.types cimport UNIT, UNIT_SHIFT, Arena
from m4alloc._watch.c cimport m4m_arena_base, m4m_arena_bytes, m4m_core_settings
from m4alloc._watch.depot cimport open_depot
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.cohort cimport begin_cohorts
from m4alloc._watch.machine cimport is_open, newly_violated, next_state
from m4alloc._watch.step cimport NOT_QUICK, Quick, cohorts, machines, watch
from m4alloc._watch.table cimport Machine, load_table
from m4alloc._watch.types cimport (LETTER_ALLOCATE_END, LETTER_ALLOCATE_START, LETTER_FREE, LETTER_FREE_END,
                                   LETTER_MALLOC, M4M_SHADOW_OPEN, M4M_SHADOW_STEP, STORY_BYTES, LargeStory, stories)


cdef inline bint hears_of_calls(const Machine *machine) noexcept nogil:
    """Whether the begin or the end of a call is a step of the machine."""
    cdef uint32_t code
    for code in range(LETTER_ALLOCATE_START, LETTER_FREE_END + 1):
        if code < machine.width and machine.concerned[code]:
            return True
    return False


cdef inline const char *choose_properties(const void *table, uint64_t size, bint wants_accesses) noexcept nogil:
    """Take the properties of a compiled table. Answers what is wrong with it, or NULL.

    wants_accesses: somebody else wants to hear of each access, a history of them or the search for uninitialised reads.
    """
    cdef const char *wrong = load_table(&machines, table, size)
    cdef uint32_t i
    if wrong != NULL:
        return wrong
    watch.labels = machines.labelled_count != 0
    watch.further = machines.plain_count > 1 or watch.labels or machines.has_threads or machines.has_process
    watch.calls = 0
    watch.may_open = not wants_accesses
    for i in range(machines.labelled_count):
        begin_cohorts(&cohorts.of_machine[i], &machines.labelled[i])
        watch.calls |= hears_of_calls(&machines.labelled[i])
    if machines.has_threads:
        watch.calls |= hears_of_calls(&machines.of_threads)
        watch.may_open &= not machines.of_threads.steps_at_access
    if machines.has_process:
        watch.calls |= hears_of_calls(&machines.of_process)
        watch.may_open &= not machines.of_process.steps_at_access
    m4m_core_settings.side_bytes = STORY_BYTES + 4 * references_of_a_block()
    # A state that outlives the slab of its address would be lost with it.
    m4m_core_settings.keeps_slabs = watch.labels or outlives_free()
    return NULL


cdef inline uint32_t references_of_a_block() noexcept nogil:
    """How many machines besides the first plain one a block has a state in."""
    return machines.labelled_count + (machines.plain_count - 1 if machines.plain_count != 0 else 0)


cdef inline bint outlives_free() noexcept nogil:
    """Whether an address that nobody has now can be in another state than one that nobody has ever had."""
    cdef const Machine *machine
    cdef uint32_t i, state, after
    for i in range(machines.plain_count):
        machine = &machines.plain[i]
        for state in range(machine.states):
            after = machine.next[<uint64_t>state * machine.width + LETTER_FREE]
            if machine.violated[after] == 0 and after != 0:
                return True
    return False


cdef inline const Quick *make_quick() noexcept nogil:
    """For each state what nearly all mallocs and frees make of it; NULL: these properties want more, or no memory."""
    cdef const Machine *machine = &machines.plain[0]
    cdef Quick *quick
    cdef uint16_t state, after
    cdef bint is_quiet
    if machines.plain_count != 1 or watch.further or machine.of_blocks != 0:
        return NULL
    quick = <Quick *>map_reserve(machine.states * sizeof(Quick))
    if quick == NULL:
        return NULL
    for state in range(machine.states):
        after = next_state(machine, state, LETTER_MALLOC)
        is_quiet = newly_violated(machine, state, after, LETTER_MALLOC) == 0
        quick[state].after_malloc = after if is_quiet else <uint16_t>NOT_QUICK
        quick[state].shown = M4M_SHADOW_OPEN if watch.may_open and is_open(machine, after, True) else M4M_SHADOW_STEP
        after = next_state(machine, state, LETTER_FREE)
        is_quiet = newly_violated(machine, state, after, LETTER_FREE) == 0
        quick[state].after_free = after if is_quiet else <uint16_t>NOT_QUICK
    return quick


cdef inline bint open_stories(Arena *arena, uint32_t frames) noexcept nogil:
    """What the stories of the arena's blocks need; False: there is no address space for it."""
    global m4m_arena_base, m4m_arena_bytes
    cdef uint64_t units = arena.regions[0].reserved >> UNIT_SHIFT
    stories.large = <LargeStory *>map_reserve(units * sizeof(LargeStory))
    stories.head = <uint32_t *>map_reserve(units * sizeof(uint32_t))
    if stories.large == NULL or stories.head == NULL or not open_depot(frames):
        return False
    # The unit before it as well: somebody may run into it from the first block.
    m4m_arena_base = arena.base - UNIT
    m4m_arena_bytes = arena.regions[0].reserved + UNIT
    stories.fenced = m4m_arena_base
    stories.arena = arena
    watch.quick = make_quick()
    return True
