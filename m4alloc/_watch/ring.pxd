# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The last events of each thread, so that what led to a violation can be replayed.

Only its thread writes into a ring, and publishes an entry by raising `next`; whoever reads takes no lock, reads `next`
before and after, and leaves out what may have been overwritten meanwhile. The ring of a thread that ends goes, with the
events that are in it, to the next thread that needs one.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport m4_acquire, m4_load64, m4_lock, m4_relinquish, m4_store64, m4_store_pointer, unlikely
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.types cimport Thread

cdef enum:                     # spec.event.Function's numbers
    RING_ADOPTED = 0           # no event: the ring has another owner from here on; the one before is `event`, by
                               # its number, and to the kernel `pointer`
    RING_MALLOC = 1
    RING_RESIZE = 3            # a realloc in place
    RING_FREE = 5
    RING_LOAD = 32
    RING_STORE = 33
    RING_LABEL = 40            # `size` is its code in the table of properties
    RING_REFUSED = 64          # a free of what is no live block (no Function, as those that follow)
    RING_REFUSED_REALLOC = 65
    RING_MOVED = 66            # what a realloc gives up, which hands out another block in the thread's next event
    RING_ENDED = 67            # what a realloc to no bytes gives up

cdef enum:
    RING_EVENTS = 4096         # kept of a thread unless told otherwise
    SIZE_BITS = 48

cdef struct Noted "m4m_noted":               # 24 bytes
    uint64_t pointer           # handed out, freed, accessed, or what a label is about
    uint64_t what              # the size, above it the function
    uint32_t event             # its number in the clock of its thread
    uint32_t stack             # of the depot

cdef struct EventRing "m4m_event_ring":
    uint64_t next              # how many entries there have been; the next goes to next & mask (atomic)
    uint64_t mask
    Noted *entry
    uint64_t kernel_id         # of the owner, who may be forgotten before its events are
    uint32_t owner             # its number; 0: none yet
    EventRing *older           # all rings there are
    EventRing *spare           # of those that have no owner, the next

cdef struct Rings "m4m_rings":
    m4_lock lock
    EventRing *first           # the newest (atomic)
    EventRing *spare           # rings without an owner
    uint64_t events            # kept of a thread, a power of two; 0: RING_EVENTS
    uint32_t off               # nothing is kept

cdef extern from *:
    """
    static struct m4m_rings rings;
    """
    Rings rings


cdef inline EventRing *make_ring() noexcept nogil:
    """A new ring, in the list of all; NULL: there is no memory."""
    cdef uint64_t events = rings.events if rings.events != 0 else RING_EVENTS
    cdef EventRing *ring = <EventRing *>map_reserve(sizeof(EventRing) + events * sizeof(Noted))
    if ring == NULL:
        return NULL
    ring.mask = events - 1
    ring.entry = <Noted *>(ring + 1)
    ring.older = rings.first
    m4_store_pointer(<void **>&rings.first, ring)
    return ring


cdef inline EventRing *open_ring "m4m_open_ring"(Thread *thread) noexcept nogil:
    """The ring of a thread that has none yet; NULL: nothing is kept, or the thread has given back its own."""
    cdef EventRing *ring
    cdef Noted *entry
    if rings.off or thread.ended != 0:
        return NULL
    m4_acquire(&rings.lock)
    ring = rings.spare
    if ring != NULL:
        rings.spare = ring.spare
    else:
        ring = make_ring()
    m4_relinquish(&rings.lock)
    if ring == NULL:
        return NULL
    if ring.owner != 0:
        entry = &ring.entry[ring.next & ring.mask]
        entry.pointer = ring.kernel_id
        entry.what = 0
        entry.event = ring.owner
        m4_store64(&ring.next, ring.next + 1)
    ring.owner = thread.number
    ring.kernel_id = thread.kernel_id
    thread.ring = ring
    return ring


cdef inline void leave_ring(Thread *thread) noexcept nogil:
    """The thread ends: another may have its ring."""
    cdef EventRing *ring = <EventRing *>thread.ring
    if ring == NULL:
        return
    thread.ring = NULL
    m4_acquire(&rings.lock)
    ring.spare = rings.spare
    rings.spare = ring
    m4_relinquish(&rings.lock)


cdef inline void note "m4m_note"(Thread *thread, uint32_t event, uint32_t function, const void *address, uint64_t size,
                                 uint32_t stack) noexcept nogil:
    """Keep one event of the thread that runs: `address` was handed out, or something happened there.

    size: below 2**48.
    """
    cdef EventRing *ring = <EventRing *>thread.ring
    cdef Noted *entry
    cdef uint64_t at
    if unlikely(ring == NULL):
        ring = open_ring(thread)
        if ring == NULL:
            return
    at = ring.next
    entry = &ring.entry[at & ring.mask]
    entry.pointer = <uint64_t>address
    entry.what = size | <uint64_t>function << SIZE_BITS
    entry.event = event
    entry.stack = stack
    m4_store64(&ring.next, at + 1)
