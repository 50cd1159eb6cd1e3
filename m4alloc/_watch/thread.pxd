# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Threads: each has a clock of its own that is later than every event it has heard of (Lamport 1978).

So the events of one block are numbered in their order, whichever threads they are in, and no counter is shared; with
one thread the numbers are 1, 2, 3.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport m4_acquire, m4_add32, m4_lock, m4_relinquish, m4_store32
from m4alloc._watch.c cimport (m4m_is_running, m4m_kernel_thread, m4m_self, m4m_stack_bounds, m4m_thread_found,
                               m4m_watch_thread_exit)
from m4alloc._watch.memory cimport Pool, take_memory
from m4alloc._watch.step cimport machines
from m4alloc._watch.types cimport Thread

cdef enum:
    THREADS_KEPT = 1024        # are known for ever; of further ones only as many as there are at once

cdef struct Threads "m4m_threads":
    m4_lock lock
    Thread *first              # the newest
    uint32_t count
    uint32_t told              # that there are several, which not every way to make one tells
    uint32_t begin             # what the clocks of new threads begin with: the last event before the fork, in a child
    uint32_t latest            # no clock of those that are forgotten was later
    uint64_t owed              # what those wanted at their end, a bit each property
    Thread *ended              # may be forgotten when the kernel knows nothing of them; the first that ended
    Thread *ended_last
    Pool pool
    Thread spare               # of whoever comes when there is no memory left

cdef extern from "monitor_state.h" nogil:
    Threads threads


cdef inline void put_ended(Thread *thread) noexcept nogil:
    """The thread has ended, or will in a moment."""
    thread.later = NULL
    m4_acquire(&threads.lock)
    if threads.ended == NULL:
        threads.ended = thread
    else:
        threads.ended_last.later = thread
    threads.ended_last = thread
    m4_relinquish(&threads.lock)


cdef inline Thread *take_ended() noexcept nogil:
    """What was known of a thread that is gone, for another one; NULL: there is none, or it is better kept."""
    cdef Thread *thread
    if threads.count < THREADS_KEPT:
        return NULL
    m4_acquire(&threads.lock)
    thread = threads.ended
    if thread != NULL:
        threads.ended = thread.later
    m4_relinquish(&threads.lock)
    if thread == NULL:
        return NULL
    if m4m_is_running(thread.kernel_id):  # it has announced its end, and may still free what glibc gave it
        put_ended(thread)
        return NULL
    return thread


cdef inline void forget(Thread *thread) noexcept nogil:
    """Keep what the end of the run is going to ask of a thread that is gone."""
    if thread.clock > threads.latest:
        threads.latest = thread.clock
    if machines.has_threads:
        threads.owed |= machines.of_threads.unfulfilled[thread.thread_state]
    thread.ring = NULL
    thread.stack_low = thread.stack_high = NULL
    thread.thread_state = 0
    thread.ended = 0


cdef inline Thread *make_thread "m4m_make_thread"() noexcept nogil:
    """What is known of this thread, from now on."""
    global m4m_self
    cdef Thread *thread = take_ended()
    cdef bint is_new = thread == NULL
    if is_new:
        thread = <Thread *>take_memory(&threads.pool, sizeof(Thread))
    if thread == NULL:
        thread = &threads.spare
    m4m_self = thread
    thread.busy = 1  # what follows may allocate
    thread.kernel_id = m4m_kernel_thread()
    m4_acquire(&threads.lock)
    if not is_new:
        forget(thread)
    threads.count += 1
    thread.number = threads.count
    thread.clock = threads.begin
    if is_new:
        thread.next = threads.first
        threads.first = thread
    m4_relinquish(&threads.lock)
    m4m_watch_thread_exit()
    m4m_stack_bounds(&thread.stack_low, &thread.stack_high)
    if thread.number != 1 and not threads.told:  # a timer's, say, that glibc has made for itself
        threads.told = 1
        m4m_thread_found()
    thread.busy = 0
    return thread


cdef inline Thread *this_thread() noexcept nogil:
    """What is known of the thread that runs."""
    return m4m_self if m4m_self != NULL else make_thread()


cdef inline uint32_t next_event(Thread *thread, uint32_t heard) noexcept nogil:
    """The number of an event of the thread that follows the event `heard` of, too. Never 0."""
    cdef uint32_t now = (thread.clock if thread.clock > heard else heard) + 1
    now += now == 0
    thread.clock = now
    return now
