# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The words of all blocks in a machine that labels move: a label costs a step for each state, not for each block.

A block refers to a cohort, the blocks of one thread in one state. An event takes it to the cohort of its next state in
the event's thread; a label moves the cohorts of its thread, and makes one of those that come to the same state (union
by rank, with path compression). m4alloc/monitor/machine.py says the same in Python.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_acquire, m4_lock, m4_relinquish
from m4alloc._watch.machine cimport newly_violated
from m4alloc._watch.memory cimport Pool, take_memory
from m4alloc._watch.table cimport FIRST_LABEL, NO_GHOST, Machine

cdef enum:
    CHUNK_BITS = 12            # cohorts of a chunk
    CHUNKS_MAX = 1 << 14
    THREAD_BITS = 10           # threads of a chunk
    THREAD_CHUNKS_MAX = 1 << 12

cdef enum:
    NEVER_SEEN = 0             # the reference of a block that has had no event, as zeroed memory has it
    NOT_FOLLOWED = 0xFFFFFFFF  # and of one for which there was no memory

cdef struct Cohort "m4m_cohort":
    uint64_t members           # words that are here: also those of old generations, which nothing refers to
    uint32_t holds             # references and cohorts that lead directly here
    uint32_t forward           # where a label has put them together with others; 0: they are here
    uint32_t next              # unused: the next one unused; while a label moves them: the next to be moved
    uint32_t thread
    uint16_t state
    uint8_t rank               # no chain of cohorts that lead here is longer

cdef struct Followed "m4m_followed":         # what a thread's labels move
    uint32_t *at               # [state]: the cohort; 0: there is none
    uint32_t *link             # [state]: of states with a cohort, the next one, plus 1
    uint32_t first             # the first one, plus 1
    uint16_t unborn            # where a block would be of which no event has been heard

cdef struct Cohorts "m4m_cohorts":
    m4_lock lock
    const Machine *machine
    Pool pool
    uint32_t used              # cohorts ever made; 0 is none of them
    uint32_t unused            # those that can be used again
    uint64_t not_followed      # references that were given up, for memory was out
    uint64_t missed            # letters of a signal handler that interrupted one of the thread's own
    uint32_t inside            # the thread that has the lock, which is recursive, is changing something
    Cohort *chunks[CHUNKS_MAX]
    Followed *threads[THREAD_CHUNKS_MAX]


cdef inline void begin_cohorts(Cohorts *cohorts, const Machine *machine) noexcept nogil:
    """Make zeroed memory the cohorts of that machine."""
    cohorts.machine = machine


cdef inline void hold_cohorts(Cohorts *cohorts) noexcept nogil:
    """Before fork: nobody is in the middle of anything."""
    m4_acquire(&cohorts.lock)


cdef inline void let_go_of_cohorts(Cohorts *cohorts) noexcept nogil:
    """After it, in both processes: the child goes on with a copy."""
    m4_relinquish(&cohorts.lock)


cdef inline bint enter_cohorts(Cohorts *cohorts) noexcept nogil:
    """Take the lock to change something. False: a signal handler came into the middle of it, and must not."""
    m4_acquire(&cohorts.lock)
    if not cohorts.inside:
        cohorts.inside = 1
        return True
    cohorts.missed += 1
    m4_relinquish(&cohorts.lock)
    return False


cdef inline void leave_cohorts(Cohorts *cohorts) noexcept nogil:
    cohorts.inside = 0
    m4_relinquish(&cohorts.lock)


cdef inline Cohort *cohort_at(Cohorts *cohorts, uint32_t number) noexcept nogil:
    return &cohorts.chunks[number >> CHUNK_BITS][number & ((1 << CHUNK_BITS) - 1)]


cdef inline uint32_t take_cohort(Cohorts *cohorts) noexcept nogil:
    """The number of an empty cohort, or 0: there is no memory."""
    cdef uint32_t number = cohorts.unused
    if number != 0:
        cohorts.unused = cohort_at(cohorts, number).next
        cohort_at(cohorts, number).next = 0
        return number
    number = cohorts.used + 1
    if number >> CHUNK_BITS >= CHUNKS_MAX:
        return 0
    if cohorts.chunks[number >> CHUNK_BITS] == NULL:
        cohorts.chunks[number >> CHUNK_BITS] = <Cohort *>take_memory(&cohorts.pool, sizeof(Cohort) << CHUNK_BITS)
        if cohorts.chunks[number >> CHUNK_BITS] == NULL:
            return 0
    cohorts.used = number
    return number


cdef inline void give_cohort(Cohorts *cohorts, uint32_t number) noexcept nogil:
    """Nothing leads there: use it again."""
    cdef Cohort *cohort = cohort_at(cohorts, number)
    cohort.members = 0
    cohort.holds = 0
    cohort.forward = 0
    cohort.rank = 0
    cohort.next = cohorts.unused
    cohorts.unused = number


cdef inline Followed *followed_by(Cohorts *cohorts, uint32_t thread) noexcept nogil:
    """What is followed of a thread, or NULL: there is no memory, or there were millions of threads before it."""
    cdef Followed **chunk
    cdef Followed *found
    cdef uint64_t bytes = sizeof(uint32_t) * <uint64_t>cohorts.machine.states
    if thread >> THREAD_BITS >= THREAD_CHUNKS_MAX:
        return NULL
    chunk = &cohorts.threads[thread >> THREAD_BITS]
    if chunk[0] == NULL:
        chunk[0] = <Followed *>take_memory(&cohorts.pool, sizeof(Followed) << THREAD_BITS)
        if chunk[0] == NULL:
            return NULL
    found = &chunk[0][thread & ((1 << THREAD_BITS) - 1)]
    if found.at == NULL:
        found.link = <uint32_t *>take_memory(&cohorts.pool, bytes)
        if found.link == NULL:
            return NULL
        found.at = <uint32_t *>take_memory(&cohorts.pool, bytes)
    return NULL if found.at == NULL else found


cdef inline void put_at(Followed *followed, uint16_t state, uint32_t number) noexcept nogil:
    """Let the cohort be the thread's in that state, where there may be another one."""
    if followed.at[state] == 0:
        followed.link[state] = followed.first
        followed.first = <uint32_t>state + 1
    followed.at[state] = number


cdef inline uint32_t place_for(Cohorts *cohorts, uint32_t thread, uint16_t state) noexcept nogil:
    """The cohort of that thread in that state, or 0: there is no memory."""
    cdef Followed *followed = followed_by(cohorts, thread)
    cdef uint32_t number
    if followed == NULL:
        return 0
    if followed.at[state] == 0:
        number = take_cohort(cohorts)
        if number == 0:
            return 0
        cohort_at(cohorts, number).thread = thread
        cohort_at(cohorts, number).state = state
        put_at(followed, state, number)
    return followed.at[state]


cdef inline uint32_t find_cohort(Cohorts *cohorts, uint32_t reference) noexcept nogil:
    """The cohort that a reference leads to. The reference has to be replaced by it, and counts as doing so."""
    cdef uint32_t root = reference
    cdef uint32_t here, following
    cdef Cohort *cohort
    while cohort_at(cohorts, root).forward != 0:
        root = cohort_at(cohorts, root).forward
    cohort_at(cohorts, reference).holds -= 1
    cohort_at(cohorts, root).holds += 1
    here = reference
    while here != root:
        cohort = cohort_at(cohorts, here)
        following = cohort.forward
        if cohort.holds == 0:
            cohort_at(cohorts, following).holds -= 1
            give_cohort(cohorts, here)
        elif following != root:
            cohort_at(cohorts, following).holds -= 1
            cohort_at(cohorts, root).holds += 1
            cohort.forward = root
        here = following
    return root


cdef inline uint32_t join_cohorts(Cohorts *cohorts, uint32_t one, uint32_t other) noexcept nogil:
    """Make one of both, which are in the same state; the one of lower rank leads to it from now on."""
    cdef uint32_t low = one, high = other
    cdef Cohort *small
    cdef Cohort *large
    if cohort_at(cohorts, one).rank > cohort_at(cohorts, other).rank:
        low, high = other, one
    small, large = cohort_at(cohorts, low), cohort_at(cohorts, high)
    large.members += small.members
    small.members = 0
    if small.holds == 0:
        give_cohort(cohorts, low)
        return high
    if large.rank <= small.rank:
        large.rank = small.rank + 1
    large.holds += 1
    small.forward = high
    return high


cdef inline uint64_t event_of(Cohorts *cohorts, uint32_t *reference, uint32_t thread, uint32_t code) noexcept nogil:
    cdef const Machine *machine = cohorts.machine
    cdef Followed *followed
    cdef Cohort *old = NULL
    cdef uint32_t number
    cdef uint16_t before = 0, after
    cdef uint64_t violated
    if reference[0] != NEVER_SEEN:
        reference[0] = find_cohort(cohorts, reference[0])
        old = cohort_at(cohorts, reference[0])
        before = old.state
    else:
        followed = followed_by(cohorts, thread)
        if followed != NULL:
            before = followed.unborn
    after = machine.next[<uint64_t>before * machine.width + code]
    violated = newly_violated(machine, before, after, code)
    if old != NULL:
        if code == 0 and machine.ghost[before] != NO_GHOST:
            number = place_for(cohorts, old.thread, machine.ghost[before])
            if number != 0:
                cohort_at(cohorts, number).members += 1
        if after == before and old.thread == thread:
            return violated
        old.members -= 1
        old.holds -= 1
    number = place_for(cohorts, thread, after)
    if number == 0:
        cohorts.not_followed += 1
        reference[0] = NOT_FOLLOWED
        return violated
    cohort_at(cohorts, number).members += 1
    cohort_at(cohorts, number).holds += 1
    reference[0] = number
    return violated


cdef inline uint64_t cohort_event(Cohorts *cohorts, uint32_t *reference, uint32_t thread,
                                  uint32_t code) noexcept nogil:
    """A letter of one block, by a thread; a label about the block is one. Answers what it newly violated, a bit each.

    thread: small numbers; the block of a thread beyond four millions is not followed.
    """
    cdef uint64_t violated = 0
    if code >= cohorts.machine.width or not cohorts.machine.concerned[code] or not enter_cohorts(cohorts):
        return 0
    if reference[0] != NOT_FOLLOWED:
        violated = event_of(cohorts, reference, thread, code)
    leave_cohorts(cohorts)
    return violated


cdef inline uint64_t label_of(Cohorts *cohorts, Followed *followed, uint32_t code, uint64_t *counts) noexcept nogil:
    cdef const Machine *machine = cohorts.machine
    cdef uint32_t moving = 0, number, state
    cdef uint16_t before
    cdef uint64_t newly, violated = 0
    cdef Cohort *cohort
    cdef int bit
    followed.unborn = machine.apart[<uint64_t>followed.unborn * machine.labels + (code - FIRST_LABEL)]
    while followed.first != 0:
        state = followed.first - 1
        followed.first = followed.link[state]
        cohort_at(cohorts, followed.at[state]).next = moving
        moving = followed.at[state]
        followed.at[state] = 0
    while moving != 0:
        number = moving
        cohort = cohort_at(cohorts, number)
        moving = cohort.next
        cohort.next = 0
        if cohort.members == 0:
            give_cohort(cohorts, number)
            continue
        before = cohort.state
        cohort.state = machine.next[<uint64_t>before * machine.width + code]
        newly = newly_violated(machine, before, cohort.state, code)
        violated |= newly
        if newly != 0 and counts != NULL:
            for bit in range(64):
                if newly >> bit & 1:
                    counts[bit] += cohort.members
        state = cohort.state
        if followed.at[state] != 0:
            number = join_cohorts(cohorts, number, followed.at[state])
        put_at(followed, <uint16_t>state, number)
    return violated


cdef inline uint64_t cohort_label(Cohorts *cohorts, uint32_t thread, uint32_t code, uint64_t *counts) noexcept nogil:
    """A label about no block, by a thread. Answers what it newly violated of some block, a bit each.

    counts: for each property, how many words it violated is added; or NULL. `cohort_violated` finds blocks among them.
    Cost: a step for each state that blocks of the thread are in.
    """
    cdef uint64_t violated = 0
    cdef Followed *followed
    if code < FIRST_LABEL or code >= cohorts.machine.width or not cohorts.machine.concerned[code]:
        return 0
    if not enter_cohorts(cohorts):
        return 0
    followed = followed_by(cohorts, thread)
    if followed != NULL:
        violated = label_of(cohorts, followed, code, counts)
    leave_cohorts(cohorts)
    return violated


cdef inline uint64_t cohort_endangers(Cohorts *cohorts, uint32_t thread, uint32_t code) noexcept nogil:
    """What `cohort_label` would answer; nothing moves. Then the blocks that will fail can still be told from others."""
    cdef const Machine *machine = cohorts.machine
    cdef Followed *followed
    cdef uint64_t violated = 0
    cdef uint32_t rest = 0
    cdef uint16_t state
    if code < FIRST_LABEL or code >= machine.width or not machine.concerned[code] or not enter_cohorts(cohorts):
        return 0
    followed = followed_by(cohorts, thread)
    if followed != NULL:
        rest = followed.first
    while rest != 0:
        state = <uint16_t>(rest - 1)
        rest = followed.link[state]
        if followed.at[state] != 0 and cohort_at(cohorts, followed.at[state]).members != 0:
            violated |= newly_violated(machine, state, machine.next[<uint64_t>state * machine.width + code], code)
    leave_cohorts(cohorts)
    return violated


cdef inline uint64_t cohort_would_fail(Cohorts *cohorts, uint32_t reference, uint32_t thread,
                                       uint32_t code) noexcept nogil:
    """The properties that the label will make a block newly violate, a bit each; none if it is not of the thread."""
    cdef const Machine *machine = cohorts.machine
    cdef uint16_t state
    if code < FIRST_LABEL or code >= machine.width or not machine.concerned[code]:
        return 0
    if cohort_thread(cohorts, reference) != thread:
        return 0
    state = cohort_state(cohorts, reference)
    return newly_violated(machine, state, machine.next[<uint64_t>state * machine.width + code], code)


cdef inline uint16_t cohort_state(Cohorts *cohorts, uint32_t reference) noexcept nogil:
    """The state of a block; that of the beginning, when it has had no event, or is not followed."""
    cdef uint16_t state = 0
    if reference == NEVER_SEEN or reference == NOT_FOLLOWED:
        return 0
    m4_acquire(&cohorts.lock)
    while cohort_at(cohorts, reference).forward != 0:
        reference = cohort_at(cohorts, reference).forward
    state = cohort_at(cohorts, reference).state
    m4_relinquish(&cohorts.lock)
    return state


cdef inline uint64_t cohort_violated(Cohorts *cohorts, uint32_t reference) noexcept nogil:
    """The properties that the block violates for good, a bit each; also those that it has for long."""
    return cohorts.machine.violated[cohort_state(cohorts, reference)]


cdef inline uint32_t cohort_thread(Cohorts *cohorts, uint32_t reference) noexcept nogil:
    """The thread of a block's last letter; 0 when it has had none, or is not followed."""
    cdef uint32_t thread
    if reference == NEVER_SEEN or reference == NOT_FOLLOWED:
        return 0
    m4_acquire(&cohorts.lock)
    while cohort_at(cohorts, reference).forward != 0:
        reference = cohort_at(cohorts, reference).forward
    thread = cohort_at(cohorts, reference).thread
    m4_relinquish(&cohorts.lock)
    return thread


cdef inline uint64_t cohort_ends(Cohorts *cohorts, uint64_t *counts) noexcept nogil:
    """The properties that some word would violate if the run ended here, a bit each; how many words is added to counts.

    Words of old generations are among them, which no block refers to any more.  Cost: O(cohorts).
    """
    cdef uint64_t owed, all_owed = 0
    cdef uint32_t number
    cdef int bit
    cdef Cohort *cohort
    m4_acquire(&cohorts.lock)
    for number in range(1, cohorts.used + 1):
        cohort = cohort_at(cohorts, number)
        if cohort.members == 0 or cohort.forward != 0:
            continue
        owed = cohorts.machine.unfulfilled[cohort.state]
        all_owed |= owed
        if counts != NULL:
            for bit in range(64):
                if owed >> bit & 1:
                    counts[bit] += cohort.members
    m4_relinquish(&cohorts.lock)
    return all_owed
