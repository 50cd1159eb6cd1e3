# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Stacks: who called, unwound by frame pointers and kept once however often it is the same.

Frame pointers are cheap, and `m4alloc cc` asks for them; code without leaves garbage in the register. So every step
has to go up, inside the thread's stack, by a limited distance, and a stack ends at the first that does not. On a stack
that nobody knows (of a coroutine, of a signal's handler) a step stays in the page that it comes from, which is there.

Programs allocate from few places many times. Each thread remembers the stacks that it has seen last, by the frame they
began in, with all that was read to unwind them. What is still where it was read is the same stack: the words are read
again, but none waits for the one before, and nothing is hashed.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport likely, m4_acquire, m4_add32, m4_load32, m4_relinquish, m4_swap32, unlikely
from m4alloc._watch.memory cimport Pool, map_reserve, take_memory
from m4alloc._watch.options cimport options, read_options
from m4alloc._watch.thread cimport this_thread
from m4alloc._watch.types cimport Thread

cdef enum:
    FRAMES_MOST = 32           # of a stack
    STEP_MOST = 1 << 20        # bytes from one frame to the next
    PAGE_BITS = 12
    BUCKETS = 1 << 18
    STACKS_MOST = 1 << 20      # different ones; after so many, 0 stands for every further one
    OWN_STACKS = 64            # threads whose stacks are their own for ever; those of others only up to DEEP stacks
    RECENT_BITS = 7            # 128 of a thread
    RECENT_AFTER = 32          # captures of a thread; one that makes fewer does not need the memory
    DEEP = 1 << 16             # as many different stacks are kept as deep as was asked for, further ones
    SHALLOW = 3                # so deep: a recursion that is never the same twice would fill the memory
    TABLES_MOST = 96           # frames that the unwind tables are asked for, those of the monitor among them

cdef struct Stack "m4m_stack":
    uint32_t next              # in its bucket
    uint32_t hash
    uint32_t thread            # its number; 0: of many threads
    uint32_t frames
    void *frame[FRAMES_MOST]   # return addresses, the innermost first; as many as there are

cdef struct Link "m4m_link":
    uint64_t above             # what was read at a frame: the next frame,
    uint64_t back              # and where its function returns to

cdef struct Recent "m4m_recent":
    const void *site
    const void *frame
    uint32_t number            # of the stack
    uint32_t links
    Link link[FRAMES_MOST]     # as many as a stack has frames at most

cdef struct RecentTable "m4m_recent_table":
    RecentTable *next          # of those that nobody uses
    char *first                # of the entries

cdef struct Depot "m4m_depot":
    uint32_t depth             # frames that are kept
    uint32_t slow              # unwind by tables
    uint32_t count             # of stacks (atomic)
    uint32_t unkept            # calls whose stack there was no room for (atomic)
    uint32_t stride_bits       # log2 of the bytes of a Recent
    uint32_t *bucket
    Stack **stack              # by number
    RecentTable *spare
    Pool pool

cdef extern from "monitor_state.h" nogil:
    Depot depot

cdef extern from "_monitor.h" nogil:
    ctypedef struct Caller "struct m4m_place_of_call":
        const void *site
        const void *frame
    Caller m4m_for_caller

cdef extern from "monitor_signal.h" nogil:
    uint32_t m4m_unwind_tables(void **frames, uint32_t most) noexcept
    uint32_t m4m_unwind_quickly(void **frames, uint32_t most) noexcept
    bint m4m_is_unchanged(const uint64_t *words, uint32_t pairs, const uint64_t *at) noexcept
    RecentTable *m4m_recent
    uint32_t m4m_captures
    const void *m4m_capturing  # volatile: the frame whose stack is being captured; NULL: none


cdef inline bint open_depot(uint32_t depth) noexcept nogil:
    """Make room for stacks of `depth` frames, 1 to FRAMES_MOST; 0: as the options say. False: no memory."""
    read_options()
    depth = depth if depth != 0 else options.frames
    depot.depth = depth
    depot.slow = options.slow_unwind
    depot.stride_bits = 6
    while <uint64_t>1 << depot.stride_bits < 24 + depth * sizeof(Link):
        depot.stride_bits += 1
    depot.bucket = <uint32_t *>map_reserve(BUCKETS * sizeof(uint32_t))
    depot.stack = <Stack **>map_reserve(STACKS_MOST * sizeof(Stack *))
    return depot.bucket != NULL and depot.stack != NULL


cdef inline bint is_step(const Thread *thread, uint64_t at, uint64_t above) noexcept nogil:
    """Can the frame above the one at `at` be there?"""
    if above <= at or above - at > STEP_MOST or above & 7:
        return False
    if <uint64_t>thread.stack_low <= at and at < <uint64_t>thread.stack_high:
        return above <= <uint64_t>thread.stack_high - 16
    return above >> PAGE_BITS == at >> PAGE_BITS and (above & ((1 << PAGE_BITS) - 1)) <= (1 << PAGE_BITS) - 16


cdef inline uint32_t unwind_links(const Thread *thread, const void *site, const void *frame, void **into,
                                  Link *links, uint32_t *linked, uint32_t depth) noexcept nogil:
    """The return addresses from `site` outwards, and what was read to find them; how many, at least 1."""
    cdef uint32_t count = 1
    cdef uint64_t at = <uint64_t>frame
    cdef uint64_t above
    into[0] = <void *>site
    linked[0] = 0
    if thread.stack_high == NULL or at < 4096 or at & 7:
        return 1
    while count < depth:
        above = (<uint64_t *>at)[0]
        links[linked[0]].above = above
        links[linked[0]].back = (<uint64_t *>at)[1]
        linked[0] += 1
        if not is_step(thread, at, above):
            return count
        at = above
        into[count] = <void *>(<uint64_t *>at)[1]
        if <uint64_t>into[count] < 4096:
            break
        count += 1
    if linked[0] != 0:
        links[linked[0]].above = (<uint64_t *>at)[0]
        links[linked[0]].back = (<uint64_t *>at)[1]
        linked[0] += 1
    return count


cdef inline bint same_stack(const Stack *stack, uint32_t hash, uint32_t thread, void **frames,
                            uint32_t count) noexcept nogil:
    """Whether these are the frames of a stack."""
    cdef uint32_t i
    if stack.hash != hash or stack.frames != count or stack.thread != thread:
        return False
    for i in range(count):
        if stack.frame[i] != frames[i]:
            return False
    return True


cdef inline uint32_t no_stack() noexcept nogil:
    """There was no room for one, which is counted."""
    m4_add32(&depot.unkept, 1)
    return 0


cdef inline uint32_t keep_stack(const Thread *thread, void **frames, uint32_t count) noexcept nogil:
    """The number of the stack, from 1; 0: there is no room for a new one.

    Threads that come and go do not fill the memory: once there are many stacks, those of later threads are one.
    """
    cdef uint32_t owner = thread.number if thread.number <= OWN_STACKS or depot.count < DEEP else 0
    cdef uint64_t mixed = owner
    cdef uint32_t i, hash, number, first
    cdef uint32_t *bucket
    cdef Stack *stack
    for i in range(count):
        mixed = (mixed ^ <uint64_t>frames[i]) * <uint64_t>0x9E3779B97F4A7C15
        mixed ^= mixed >> 29
    hash = <uint32_t>(mixed >> 32)
    bucket = &depot.bucket[hash & (BUCKETS - 1)]
    first = m4_load32(bucket)
    number = first
    while number != 0:
        stack = depot.stack[number]
        if same_stack(stack, hash, owner, frames, count):
            return number
        number = stack.next
    if depot.count >= STACKS_MOST - 2:
        return no_stack()
    stack = <Stack *>take_memory(&depot.pool, 16 + count * sizeof(void *))
    if stack == NULL:
        return no_stack()
    stack.hash = hash
    stack.thread = owner
    stack.frames = count
    for i in range(count):
        stack.frame[i] = frames[i]
    while True:
        number = m4_load32(&depot.count)
        if number >= STACKS_MOST - 2:
            return no_stack()
        if m4_swap32(&depot.count, number, number + 1):
            break
    number += 1
    depot.stack[number] = stack
    while True:  # two threads may keep the same stack twice, which is no harm
        first = m4_load32(bucket)
        stack.next = first
        if m4_swap32(bucket, first, number):
            return number


cdef inline uint32_t from_site(void **frames, uint32_t count, const void *site, void **into,
                               uint32_t depth) noexcept nogil:
    """What of the frames is the program's, from `site` on; how many, 0: the site is not among them.

    The tables give the address of a fault as it is, which is one less than what stands for its return.
    """
    cdef uint32_t own = 0
    cdef uint32_t kept = 0
    while own < count and frames[own] != site and <const char *>frames[own] != <const char *>site - 1:
        own += 1
    if own < count:
        frames[own] = <void *>site
    while own < count and kept < depth:
        into[kept] = frames[own]
        kept += 1
        own += 1
    return kept


cdef inline uint32_t unwind_now(const void *site, const void *frame, void **into, uint32_t depth) noexcept nogil:
    """The stack of a report: by the unwind tables, or by frame pointers where those lead further."""
    cdef void *by_tables[TABLES_MOST]
    cdef Link links[FRAMES_MOST + 1]
    cdef uint32_t linked
    cdef uint32_t count = unwind_links(this_thread(), site, frame, into, links, &linked, depth)
    cdef uint32_t found = m4m_unwind_tables(by_tables, TABLES_MOST)
    cdef void *again[FRAMES_MOST]
    cdef uint32_t i
    found = from_site(by_tables, found, site, again, depth)
    if found <= 1 or found < count and found < depth:
        return count
    for i in range(found):
        into[i] = again[i]
    return found


cdef inline uint32_t capture_slowly "m4m_capture_slowly"(const Thread *thread, const void *site) noexcept nogil:
    """By the unwind tables, which need no frame pointers. Cost: a microsecond or two."""
    cdef void *all_frames[TABLES_MOST]
    cdef void *frames[FRAMES_MOST]
    cdef uint32_t count = m4m_unwind_quickly(all_frames, depot.depth + 24)
    count = from_site(all_frames, count, site, frames, depot.depth)
    return keep_stack(thread, frames, count) if count != 0 else 0


cdef inline RecentTable *open_recent() noexcept nogil:
    """Memory for what a thread remembers: another thread's that has ended, or new."""
    cdef RecentTable *table
    cdef uint64_t bytes
    m4_acquire(&depot.pool.lock)
    table = depot.spare
    if table != NULL:
        depot.spare = table.next
    m4_relinquish(&depot.pool.lock)
    if table == NULL:
        bytes = sizeof(RecentTable) + 64 + (<uint64_t>1 << (depot.stride_bits + RECENT_BITS))
        table = <RecentTable *>take_memory(&depot.pool, bytes)
        if table != NULL:
            table.first = <char *>((<uint64_t>(table + 1) + 63) & ~<uint64_t>63)
    return table


cdef inline void end_captures "m4m_end_captures"() noexcept nogil:
    """The thread ends: another may have its memory. What was remembered of its stack is nobody's."""
    global m4m_recent, m4m_captures
    cdef RecentTable *table = m4m_recent
    cdef uint32_t i
    m4m_recent = NULL
    m4m_captures = 0
    if table == NULL:
        return
    for i in range(1 << RECENT_BITS):
        (<Recent *>(table.first + (i << depot.stride_bits))).frame = NULL
    m4_acquire(&depot.pool.lock)
    table.next = depot.spare
    depot.spare = table
    m4_relinquish(&depot.pool.lock)


cdef inline uint32_t capture_anew "m4m_capture_anew"(const Thread *thread, const void *site, const void *frame,
                                                     Recent *recent) noexcept nogil:
    """Unwind, and remember it where it may be."""
    global m4m_recent, m4m_captures
    cdef void *frames[FRAMES_MOST]
    cdef Link links[FRAMES_MOST + 1]
    cdef uint32_t linked = 0
    cdef uint32_t count, number, i
    cdef uint32_t depth = depot.depth if depot.count < DEEP or depot.depth < SHALLOW else SHALLOW
    if depot.slow:
        number = capture_slowly(thread, site)
        if number != 0:
            return number
    count = unwind_links(thread, site, frame, frames, links, &linked, depth)
    number = keep_stack(thread, frames, count)
    if recent == NULL:
        m4m_captures += 1
        if m4m_captures >= RECENT_AFTER and not depot.slow and not thread.ended:
            m4m_recent = open_recent()
        return number
    if number == 0 or linked > depth or <char *>frame < thread.stack_low or <char *>frame >= thread.stack_high:
        return number
    recent.frame = NULL
    recent.number = number
    recent.links = linked
    for i in range(linked):
        recent.link[i] = links[i]
    recent.site = site
    recent.frame = frame
    return number


cdef inline uint32_t capture_for_caller "m4m_capture_for_caller"(const Thread *thread, const void *site) noexcept nogil:
    """The stack of a call that the C library makes for the program: what it calls from, then the program's own frames."""
    cdef void *frames[FRAMES_MOST]
    cdef Link links[FRAMES_MOST + 1]
    cdef uint32_t linked = 0
    frames[0] = <void *>site
    return keep_stack(thread, frames, 1 + unwind_links(thread, m4m_for_caller.site, m4m_for_caller.frame, frames + 1,
                                                       links, &linked, depot.depth - 1))


cdef inline bint is_calling(const void *frame) noexcept nogil:
    """Whether the call of the C library still goes on: a handler of signals may have jumped out of it."""
    return frame < m4m_for_caller.frame and (<void **>m4m_for_caller.frame)[1] == m4m_for_caller.site


cdef inline uint32_t capture_aside "m4m_capture_aside"(const Thread *thread, const void *site,
                                                       const void *frame) noexcept nogil:
    """In a signal's handler that has interrupted a capture, whose entry must stay as it is.

    So it seems, too, after a handler has jumped out of one, until the stack is as short as it was there.
    """
    cdef void *frames[FRAMES_MOST]
    cdef Link links[FRAMES_MOST + 1]
    cdef uint32_t linked = 0
    cdef uint32_t count = unwind_links(thread, site, frame, frames, links, &linked, depot.depth)
    return keep_stack(thread, frames, count)


cdef inline uint32_t capture(const Thread *thread, const void *site, const void *frame) noexcept nogil:
    """The number of the stack that led here. `frame` is that of the function that returns to `site`."""
    global m4m_capturing
    cdef Recent *recent
    cdef uint64_t place
    cdef uint32_t number
    if unlikely(m4m_for_caller.site != NULL) and depot.depth > 1 and is_calling(frame):
        return capture_for_caller(thread, site)
    if unlikely(m4m_recent == NULL or depot.slow):
        return capture_anew(thread, site, frame, NULL)
    place = <uint64_t>frame >> 4 ^ <uint64_t>frame >> 10 ^ <uint64_t>site ^ <uint64_t>site >> 7
    recent = <Recent *>(m4m_recent.first + ((place & ((1 << RECENT_BITS) - 1)) << depot.stride_bits))
    if unlikely(m4m_capturing != NULL and m4m_capturing > frame):
        return capture_aside(thread, site, frame)
    m4m_capturing = frame
    if likely(recent.site == site and recent.frame == frame and m4m_is_unchanged(
            &recent.link[0].above, recent.links, <const uint64_t *>frame)):
        number = recent.number
    else:
        number = capture_anew(thread, site, frame, recent)
    m4m_capturing = NULL
    return number


cdef inline const Stack *stack_of(uint32_t number) noexcept nogil:
    """A kept stack, or NULL."""
    return depot.stack[number] if 0 < number <= depot.count else NULL
