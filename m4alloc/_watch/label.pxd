# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Labels: what the program says of itself, stepped through the properties of the block, the thread or all blocks."""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport likely, unlikely
from m4alloc._watch.block cimport tell_violation
from m4alloc._watch.cohort cimport cohort_endangers, cohort_would_fail
from m4alloc._watch.place cimport find_place
from m4alloc._watch.ring cimport RING_LABEL, note
from m4alloc._watch.step cimport cohorts, labelled_reference, machines, step_block, step_everyone, step_label
from m4alloc._watch.table cimport label_code
from m4alloc._watch.thread cimport next_event
from m4alloc._watch.types cimport Place, Thread
from m4alloc._watch.walk cimport Walk, next_block


cdef inline void find_failing "m4m_find_failing"(const Thread *thread, uint32_t code, Place *place) noexcept nogil:
    """A block that a label of the thread is about to make violate a property; `place` is left alone where there is none.

    Blocks that violate it for long are in the same state afterwards. Cost: a look at every block, once a violation.
    """
    cdef Walk walk
    cdef uint64_t endangered = 0
    cdef uint32_t i
    for i in range(machines.labelled_count):
        endangered |= cohort_endangers(&cohorts.of_machine[i], thread.number, code)
    if likely(endangered == 0):
        return
    memset(&walk, 0, sizeof(walk))
    while next_block(&walk):
        for i in range(machines.labelled_count):
            if cohort_would_fail(&cohorts.of_machine[i], labelled_reference(&walk.place, i)[0], thread.number, code):
                place[0] = walk.place
                return


cdef inline void say(Thread *thread, const char *name, const char *about, const void *site,
                     const void *frame) noexcept nogil:
    """The label `name`, about the block that an address is in, or about none (NULL)."""
    cdef Place place, failing
    cdef uint64_t violated = 0
    cdef uint32_t code = label_code(&machines, name)
    cdef uint32_t event
    find_place(about, &place)
    failing = place
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
    note(thread, event, RING_LABEL, about, code, NULL, 0)
    if unlikely(violated != 0):
        tell_violation(thread, violated, name, <char *>about, &failing, site, frame)
