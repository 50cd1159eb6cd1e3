# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The end of the run: what every property still wanted, and what was lost.

A property that the end leaves unfulfilled is violated by it (its verdict on the finite word). One that is about blocks
is reported once, with how many blocks and bytes and one of them as a witness. Blocks that nobody has freed are leaks,
and of those the ones that nothing points to are findings; see leak.pxd.

A forked child answers for what happened in it: blocks that were handed out before the fork are its parent's.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport m4_add32, m4_exchange32
from m4alloc._watch.c cimport m4m_load16
from m4alloc._watch.cohort cimport cohort_ends, cohort_state
from m4alloc._watch.finding cimport begin_finding
from m4alloc._watch.leak cimport (IGNORED_MOST, MADE_BY_PROGRAM, Ignored, LeakGroup, LeakSearch, close_search,
                                  ignorance, search_leaks)
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.options cimport LEAKS_ALL, LEAKS_NO, options
from m4alloc._watch.place cimport find_place
from m4alloc._watch.report cimport report
from m4alloc._watch.step cimport cohorts, labelled_reference, machines, state_of, watch
from m4alloc._watch.table cimport PROPERTIES_MAX
from m4alloc._watch.thread cimport next_event, threads
from m4alloc._watch.types cimport LEAK, LIVE_BLOCK, NEVER, NOWHERE, PROPERTY_VIOLATED, Finding, Place, Thread, stories
from m4alloc._watch.walk cimport Walk, next_block

cdef struct Ending "m4m_ending":
    uint32_t done              # atomic: the end was judged
    uint32_t forked_at         # the last event before the fork that made this process; 0: none did
    uint16_t forked_process    # the state of the machine of the process then,
    uint16_t forked_thread     # and of the thread that forked
    uint64_t lost_blocks       # for the summary: nothing points to them,
    uint64_t lost_bytes
    uint64_t kept_blocks       # something does
    uint64_t kept_bytes

cdef struct Owed "m4m_owed":                 # what one property still wants
    uint64_t blocks
    uint64_t bytes
    char *witness              # a live block, if there is one; or else the first of the dead ones
    uint32_t is_live

cdef extern from "monitor_leak_state.h" nogil:
    Ending ending


cdef inline void mark_inherited(Thread *thread) noexcept nogil:
    """In the child of a fork, before anything else happens in it: what there is now is the parent's.

    The clock goes on from the latest of all threads, so that later events are later than all that was before. So does
    the clock of each new thread: it begins at threads.begin.
    """
    cdef Thread *other = threads.first
    cdef uint32_t latest = threads.begin if threads.begin > threads.latest else threads.latest
    while other != NULL:
        latest = other.clock if other.clock > latest else latest
        other = other.next
    thread.clock = latest
    threads.begin = latest
    ending.forked_at = latest
    ending.forked_process = watch.process_state
    ending.forked_thread = thread.thread_state
    ending.done = 0


cdef inline uint64_t leak_properties() noexcept nogil:
    """Those whose violation is called a leak, a bit each."""
    cdef uint64_t found = 0
    cdef uint32_t number
    for number in range(machines.property_count):
        if machines.properties[number].report_class == LEAK and machines.properties[number].is_judged:
            found |= <uint64_t>1 << number
    return found


cdef inline uint64_t owed_to(const Place *place) noexcept nogil:
    """What the end of the run violates for a block, a bit each."""
    cdef uint32_t i
    cdef uint64_t owed = 0
    if machines.plain_count != 0:
        owed = machines.plain[0].unfulfilled[state_of(place.story)]
    for i in range(1, machines.plain_count):
        owed |= machines.plain[i].unfulfilled[m4m_load16(<uint16_t *>&place.references[i - 1])]
    for i in range(machines.labelled_count):
        owed |= machines.labelled[i].unfulfilled[cohort_state(&cohorts.of_machine[i], labelled_reference(place, i)[0])]
    return owed


cdef inline void count_owed(Owed *owed, uint64_t properties, const Place *place) noexcept nogil:
    """Count a block for each of the properties."""
    cdef Owed *one
    cdef uint32_t number = 0
    while properties != 0:
        if properties & 1:
            one = owed + number
            if one.blocks == 0 or place.life == LIVE_BLOCK and not one.is_live:
                one.witness = place.base
                one.is_live = place.life == LIVE_BLOCK
            one.blocks += 1
            one.bytes += place.size
        properties >>= 1
        number += 1


cdef inline void count_blocks_owed(Owed *owed, uint64_t but) noexcept nogil:
    """Every block, but for some properties; those of earlier blocks at an address are counted without their bytes."""
    cdef Walk walk
    cdef uint64_t words[PROPERTIES_MAX]
    cdef uint32_t i, number
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        if walk.place.story.born > ending.forked_at:
            count_owed(owed, owed_to(&walk.place) & ~but, &walk.place)
    if ending.forked_at != 0:
        return
    memset(words, 0, sizeof(words))
    for i in range(machines.labelled_count):
        cohort_ends(&cohorts.of_machine[i], words)
    for number in range(machines.property_count):
        if (but >> number) & 1 == 0:
            if words[number] > owed[number].blocks:
                owed[number].blocks = words[number]
            owed[number].blocks += watch.lost[number]


cdef inline uint64_t owed_elsewhere(const Thread *thread) noexcept nogil:
    """What the end violates for threads and for the process, a bit each; in a child, when something happened there."""
    cdef uint64_t owed = threads.owed if ending.forked_at == 0 else 0
    cdef const Thread *one = threads.first
    while machines.has_threads and one != NULL:
        if ending.forked_at == 0 or one == thread and one.thread_state != ending.forked_thread:
            owed |= machines.of_threads.unfulfilled[one.thread_state]
        one = one.next
    if machines.has_process and (ending.forked_at == 0 or watch.process_state != ending.forked_process):
        owed |= machines.of_process.unfulfilled[watch.process_state]
    return owed


cdef inline void judge_properties "m4m_judge_properties"(Thread *thread) noexcept nogil:
    """Report each property that the end violates, but for leaks."""
    cdef Owed owed[PROPERTIES_MAX]
    cdef Finding found
    cdef Place place
    cdef uint64_t elsewhere = owed_elsewhere(thread)
    cdef uint32_t number
    memset(owed, 0, sizeof(owed))
    count_blocks_owed(owed, leak_properties())
    for number in range(machines.property_count):
        if owed[number].blocks == 0 and (elsewhere >> number) & 1 == 0:
            continue
        memset(&place, 0, sizeof(place))
        if owed[number].witness != NULL:
            find_place(owed[number].witness, &place)
        begin_finding(&found, thread, PROPERTY_VIOLATED, <uint64_t>1 << number, "exit", &place, NULL, NULL)
        found.address = owed[number].witness
        found.blocks = owed[number].blocks
        found.bytes = owed[number].bytes
        report(&found)


cdef inline void tell_leak(Thread *thread, uint64_t properties, const LeakGroup *group, bint reachable) noexcept nogil:
    """Report the blocks of one stack."""
    cdef Finding found
    cdef Place place
    find_place(group.kept_witness if reachable else group.witness, &place)
    begin_finding(&found, thread, LEAK, properties, "exit", &place, NULL, NULL)
    found.address = place.base
    found.reachable = reachable
    if reachable:
        found.blocks = group.kept_blocks
        found.bytes = group.kept_bytes
    else:
        found.blocks = group.blocks
        found.bytes = group.bytes
        found.further_blocks = group.further_blocks
        found.further_bytes = group.further_bytes
    report(&found)


cdef inline uint64_t judge_leaks "m4m_judge_leaks"(Thread *thread, char *here, bint at_exit) noexcept nogil:
    """Report what is lost, a finding for each stack that allocated it; how many blocks that are."""
    cdef LeakSearch search
    cdef LeakGroup *group
    cdef uint64_t properties = leak_properties()
    cdef uint64_t lost = 0
    cdef uint32_t number
    if stories.arena == NULL:
        return 0
    if search_leaks(&search, here, at_exit, ending.forked_at):
        ending.lost_blocks = lost = search.lost_blocks
        ending.lost_bytes = search.lost_bytes
        ending.kept_blocks = search.kept_blocks
        ending.kept_bytes = search.kept_bytes
        for number in range(search.group_count):
            group = search.groups + number
            if group.blocks != 0:
                tell_leak(thread, properties, group, False)
            if group.kept_blocks != 0 and at_exit and (options.leaks != LEAKS_ALL or group.maker == MADE_BY_PROGRAM):
                tell_leak(thread, properties, group, True)  # which counts it, unless all are asked for
    close_search(&search)
    return lost


cdef inline void at_exit(Thread *thread, char *here) noexcept nogil:
    """The program ends. here: a frame of this thread that is live, should nobody have called exit by name.

    Once: a second call does nothing. report() has to return here whatever on_violation is: there may be more to tell.
    """
    if m4_exchange32(&ending.done, 1) != 0:
        return
    next_event(thread, 0)
    judge_properties(thread)
    if options.leaks != LEAKS_NO and leak_properties() != 0:
        judge_leaks(thread, here, True)


cdef inline void ignore(const char *address) noexcept nogil:
    """Let no leak be told of the block that the address is in, nor of what only it leads to."""
    cdef Place place
    cdef uint32_t number
    if not find_place(address, &place) or place.story == NULL or place.life != LIVE_BLOCK:
        return
    if ignorance.block == NULL:
        ignorance.block = <Ignored *>map_reserve(IGNORED_MOST * sizeof(Ignored))
    if ignorance.block == NULL or ignorance.count >= IGNORED_MOST:
        return
    number = m4_add32(&ignorance.count, 1)  # as it was
    if number < IGNORED_MOST:
        ignorance.block[number].base = place.base
        ignorance.block[number].born = place.story.born
