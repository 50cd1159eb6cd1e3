# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Threads: each has a clock of its own that is later than every event it has heard of (Lamport 1978).

So the events of one block are numbered in their order, whichever threads they are in, and no counter is shared; with
one thread the numbers are 1, 2, 3.
"""

from libc.stdint cimport uint32_t

from m4alloc._core.c cimport m4_acquire, m4_add32, m4_lock, m4_relinquish, m4_store32
from m4alloc._watch.c cimport m4m_kernel_thread, m4m_self, m4m_stack_bounds, m4m_watch_thread_exit
from m4alloc._watch.memory cimport Pool, take_memory
from m4alloc._watch.show cimport accesses_matter
from m4alloc._watch.types cimport Thread

cdef struct Threads "m4m_threads":
    m4_lock lock
    Thread *first              # the newest
    uint32_t count
    uint32_t told              # that there are several, which not every way to make one tells
    uint32_t begin             # what the clocks of new threads begin with: the last event before the fork, in a child
    Pool pool
    Thread spare               # of whoever comes when there is no memory left

cdef extern from "monitor_state.h" nogil:
    Threads threads


cdef inline Thread *make_thread "m4m_make_thread"() noexcept nogil:
    """What is known of this thread, from now on."""
    global m4m_self
    cdef Thread *thread = <Thread *>take_memory(&threads.pool, sizeof(Thread))
    if thread == NULL:
        thread = &threads.spare
    m4m_self = thread
    thread.busy = 1  # what follows may allocate
    thread.kernel_id = m4m_kernel_thread()
    m4_acquire(&threads.lock)
    threads.count += 1
    thread.number = threads.count
    thread.clock = threads.begin
    thread.next = threads.first
    threads.first = thread
    m4_relinquish(&threads.lock)
    m4m_watch_thread_exit()
    m4m_stack_bounds(&thread.stack_low, &thread.stack_high)
    if thread.number != 1 and not threads.told:  # a timer's, say, that glibc has made for itself
        threads.told = 1
        accesses_matter()
    thread.busy = 0
    return thread


cdef inline Thread *this_thread() noexcept nogil:
    """What is known of the thread that runs."""
    return m4m_self if m4m_self != NULL else make_thread()


cdef inline uint32_t next_event(Thread *thread, uint32_t heard) noexcept nogil:
    """The number of an event of the thread that follows the event `heard` of, too. Never 0."""
    cdef uint32_t now = thread.clock if thread.clock > heard else heard
    thread.clock = now + 1 if now < <uint32_t>0xFFFFFFFF else 1
    return thread.clock
