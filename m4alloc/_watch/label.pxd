# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Labels: what the program says of itself, stepped through the properties of the block, the thread or all blocks."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport likely, unlikely
from m4alloc._watch.cohort cimport cohort_endangers, cohort_would_fail
from m4alloc._watch.finding cimport begin_finding, class_of
from m4alloc._watch.place cimport find_place
from m4alloc._watch.report cimport report
from m4alloc._watch.ring cimport RING_LABEL, note
from m4alloc._watch.step cimport cohorts, labelled_reference, machines, step_block, step_everyone, step_label
from m4alloc._watch.table cimport label_code
from m4alloc._watch.thread cimport next_event
from m4alloc._watch.types cimport Finding, Place, Thread
from m4alloc._watch.walk cimport Walk, next_block


cdef struct Failing "m4m_failing":           # blocks that a label about none makes violate a property
    Place first
    uint64_t blocks
    uint64_t bytes


cdef inline uint64_t failing_of(const Thread *thread, uint32_t code, const Place *place) noexcept nogil:
    """The properties that a label of the thread is about to make a block violate, a bit each."""
    cdef uint64_t failing = 0
    cdef uint32_t i
    for i in range(machines.labelled_count):
        failing |= cohort_would_fail(&cohorts.of_machine[i], labelled_reference(place, i)[0], thread.number, code)
    return failing


cdef inline void find_failing "m4m_find_failing"(const Thread *thread, uint32_t code, Failing *found) noexcept nogil:
    """The first block that a label of the thread is about to make violate a property, and how many violate one with it;
    `found` is left alone where there is none.

    Blocks that violate it for long are in the same state afterwards. Cost: a look at every block, once a violation.
    """
    cdef Walk walk
    cdef uint64_t endangered = 0
    cdef uint64_t properties = 0
    cdef uint64_t failing
    cdef uint32_t i
    for i in range(machines.labelled_count):
        endangered |= cohort_endangers(&cohorts.of_machine[i], thread.number, code)
    if likely(endangered == 0):
        return
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        failing = failing_of(thread, code, &walk.place)
        if failing != 0 and found.blocks == 0:
            found.first = walk.place
            properties = failing
        if failing & properties:
            found.blocks += 1
            found.bytes += walk.place.size


cdef inline void say(Thread *thread, const char *name, const char *about, const void *site,
                     const void *frame) noexcept nogil:
    """The label `name`, about the block that an address is in, or about none (NULL)."""
    cdef Place place
    cdef Failing failing
    cdef Finding found
    cdef uint64_t violated = 0
    cdef uint32_t code = label_code(&machines, name)
    cdef uint32_t event
    find_place(about, &place)
    failing.first = place
    failing.blocks = 0
    failing.bytes = 0
    if place.story != NULL:
        event = next_event(thread, place.story.died if place.story.died != 0 else place.story.born)
        if code != 0:
            violated = step_block(thread, &place, code)
    else:
        event = next_event(thread, 0)
        if code != 0:
            if about == NULL:
                find_failing(thread, code, &failing)
                violated = step_label(thread, code)
            else:
                violated = step_everyone(thread, code)
    note(thread, event, RING_LABEL, about, code, 0)
    if unlikely(violated != 0):
        begin_finding(&found, thread, class_of(violated, &failing.first), violated, name, &failing.first, site, frame)
        found.address = <char *>about
        found.blocks = failing.blocks
        found.bytes = failing.bytes
        report(&found)
