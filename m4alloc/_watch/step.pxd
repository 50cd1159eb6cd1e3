# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""One letter, to all machines whose it is; and whether the next access of a block would change anything."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t

from m4alloc._core.c cimport m4_add64, unlikely
from m4alloc._watch.c cimport m4m_is_single_threaded, m4m_load16, m4m_swap16
from m4alloc._watch.cohort cimport Cohorts, cohort_event, cohort_label, cohort_state
from m4alloc._watch.machine cimport is_open, lost_at_malloc, newly_violated, next_state, step_from
from m4alloc._watch.table cimport LABELLED_MAX, Machine, Machines
from m4alloc._watch.types cimport GIVEN_UP, LETTER_MALLOC, Place, Story, Thread

cdef struct AllCohorts "m4m_all_cohorts":
    Cohorts of_machine[LABELLED_MAX]       # of the labelled ones

cdef enum:
    NOT_QUICK = 0xFFFF         # no state: something is violated

cdef struct Quick "m4m_quick":               # what a letter makes of a state of the first machine
    uint16_t after_malloc
    uint16_t after_free
    uint32_t shown             # of the block that a malloc hands out: M4M_SHADOW_*

cdef struct Watch "m4m_watch":               # what the table makes of this run
    uint32_t may_open          # the shadow may be opened: nobody wants to hear of every access
    uint32_t calls             # a machine steps at the begin or the end of calls
    uint32_t labels            # a machine steps at labels
    uint32_t further           # there are machines besides the first plain one
    uint32_t each_access       # the history is of accesses, too
    uint32_t redzone           # least number of bytes behind a request that are nobody's
    uint32_t redzone_shift     # and what share of the request, as a power of two
    const Quick *quick         # by state: nearly all mallocs and frees, where there is that machine and none besides,
                               # and it begins nothing anew at a malloc. NULL: there is more to do, or no arena yet
    uint16_t process_state     # of the machine of the process (atomic)
    uint16_t spare
    uint64_t lost[64]          # by property: blocks that can never fulfil it, for their address was handed out again

cdef extern from "monitor_state.h" nogil:
    Machines machines
    AllCohorts cohorts
    Watch watch


cdef inline void lose(uint64_t properties) noexcept nogil:
    """A block's address is handed out again, and these properties wanted more of it."""
    cdef uint32_t number = 0
    while properties != 0:
        if properties & 1:
            m4_add64(&watch.lost[number], 1)
        properties >>= 1
        number += 1


cdef inline uint16_t state_of(const Story *story) noexcept nogil:
    """Where the first machine is for a block."""
    return m4m_load16(&story.state) & <uint16_t>(GIVEN_UP - 1)


cdef inline uint32_t *labelled_reference(const Place *place, uint32_t number) noexcept nogil:
    """Where a block keeps its cohort in a labelled machine, behind its states in the further plain ones."""
    return place.references + (machines.plain_count - 1 if machines.plain_count != 0 else 0) + number


cdef inline uint64_t step_everyone(Thread *thread, uint32_t letter) noexcept nogil:
    """The letter to the machine of threads and to that of the process."""
    cdef uint16_t before
    cdef uint64_t violated = 0
    if machines.has_threads:
        violated |= step_from(&machines.of_threads, &thread.thread_state, letter, &before)
    if machines.has_process:
        violated |= step_from(&machines.of_process, &watch.process_state, letter, &before)
    return violated


cdef inline uint64_t step_nowhere(Thread *thread, uint32_t letter) noexcept nogil:
    """The letter where no block ever began, or labels say nothing: the first one of a word that nobody keeps."""
    cdef uint32_t i
    cdef uint64_t violated = step_everyone(thread, letter)
    for i in range(machines.plain_count):
        violated |= newly_violated(&machines.plain[i], 0, next_state(&machines.plain[i], 0, letter), letter)
    return violated


cdef inline uint64_t step_further "m4m_step_further"(Thread *thread, Place *place, uint32_t letter) noexcept nogil:
    """The letter to every machine but the first plain one."""
    cdef uint32_t i
    cdef uint16_t before
    cdef uint64_t violated = step_everyone(thread, letter)
    for i in range(1, machines.plain_count):
        violated |= step_from(&machines.plain[i], <uint16_t *>&place.references[i - 1], letter, &before)
        if letter == LETTER_MALLOC:
            lose(lost_at_malloc(&machines.plain[i], before))
    for i in range(machines.labelled_count):
        violated |= cohort_event(&cohorts.of_machine[i], labelled_reference(place, i), thread.number, letter)
    return violated


cdef inline uint64_t step_first(Place *place, uint32_t letter) noexcept nogil:
    """The letter to the first plain machine: step_from, but a plain store where there is one thread."""
    cdef const Machine *machine = &machines.plain[0]
    cdef uint16_t before = state_of(place.story)
    cdef uint16_t after
    if letter >= machine.width:
        return 0
    after = machine.next[<uint64_t>before * machine.width + letter]
    if after != before:
        if m4m_is_single_threaded():
            place.story.state += <uint16_t>(after - before)
        else:
            return step_plain_shared(place, letter)
    if unlikely(letter == LETTER_MALLOC and machine.of_blocks != 0):
        lose(lost_at_malloc(machine, before))
    return newly_violated(machine, before, after, letter)


cdef inline uint64_t step_plain_shared(Place *place, uint32_t letter) noexcept nogil:
    """The same where other threads may step the state, or give the block up."""
    cdef const Machine *machine = &machines.plain[0]
    cdef uint16_t seen = m4m_load16(&place.story.state)
    cdef uint16_t before = seen & <uint16_t>(GIVEN_UP - 1)
    cdef uint16_t after = next_state(machine, before, letter)
    while after != before and not m4m_swap16(&place.story.state, &seen, after | seen & <uint16_t>GIVEN_UP):
        before = seen & <uint16_t>(GIVEN_UP - 1)
        after = next_state(machine, before, letter)
    if letter == LETTER_MALLOC and machine.of_blocks != 0:
        lose(lost_at_malloc(machine, before))
    return newly_violated(machine, before, after, letter)


cdef inline uint64_t step_block(Thread *thread, Place *place, uint32_t letter) noexcept nogil:
    """The letter happens to the block; the properties that it violates for good, a bit each."""
    cdef uint64_t violated = 0
    if machines.plain_count != 0:
        violated = step_first(place, letter)
    if unlikely(watch.further):
        violated |= step_further(thread, place, letter)
    return violated


cdef inline uint64_t step_label(Thread *thread, uint32_t letter) noexcept nogil:
    """A label about no block: also to all blocks whose last event was in this thread."""
    cdef uint32_t i
    cdef uint64_t violated = step_everyone(thread, letter)
    for i in range(machines.labelled_count):
        violated |= cohort_label(&cohorts.of_machine[i], thread.number, letter, NULL)
    return violated


cdef inline bint changes_nothing(const Place *place) noexcept nogil:
    """Whether an access inside of the block leaves every machine where it is, whatever labels may come before it."""
    cdef bint alone
    cdef uint32_t i
    cdef uint16_t state
    if not watch.may_open:
        return False
    if machines.plain_count != 0 and not is_open(&machines.plain[0], state_of(place.story), True):
        return False
    if machines.plain_count > 1 or machines.labelled_count != 0:
        for i in range(1, machines.plain_count):
            if not is_open(&machines.plain[i], <uint16_t>place.references[i - 1], True):
                return False
        alone = m4m_is_single_threaded()
        for i in range(machines.labelled_count):
            state = cohort_state(&cohorts.of_machine[i], labelled_reference(place, i)[0])
            if not is_open(&machines.labelled[i], state, alone):
                return False
    return True
