# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Stacks: who called, unwound by frame pointers and kept once however often it is the same.

Frame pointers are cheap, and `m4alloc cc` asks for them; code without leaves garbage in the register. So every step
has to go up, inside the thread's stack, and a stack ends at the first that does not. On a stack that nobody knows (of a
coroutine, of a signal's handler) a step stays in the page that it comes from, which is there.

Programs allocate from few places many times. Each thread remembers numbers of stacks that it has seen, by where they
began and the next few calls. Such a number is a guess: the stack is unwound and compared with the kept one as it goes,
and nothing is stored or hashed when they agree.

Kept stacks lie one behind the other. A table of their numbers finds them by their hash, a few bits of which stand
beside each number; it grows with them. It is changed without a lock, and may lose what one thread
puts in while another copies it to a larger one: then a stack is kept twice, which is no harm.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport (MADV_DONTNEED, likely, m4_acquire, m4_add32, m4_load32, m4_load_pointer, m4_relinquish,
                              m4_store32, m4_store_pointer, m4_swap32, madvise, unlikely)
from m4alloc._watch.memory cimport Pool, map_reserve, take_memory
from m4alloc._watch.options cimport options, read_options
from m4alloc._watch.thread cimport this_thread, threads
from m4alloc._watch.types cimport Thread

cdef enum:
    FRAMES_MOST = 32           # of a stack
    PAGE_BITS = 12
    NUMBER_BITS = 20           # of an entry of the table; those above are of the hash
    STACKS_MOST = 1 << NUMBER_BITS       # different ones; after so many, 0 stands for every further one
    TABLE_BITS = 10            # log2 of the entries of the first table: a page
    OWN_STACKS = 64            # threads whose stacks are their own for ever; those of others only up to DEEP stacks
    RECENT_BITS = 10           # 1,024 guesses of a thread: a page
    RECENT_AFTER = 32          # captures of a thread; one that makes fewer does not need the memory
    DEEP = 1 << 16             # as many different stacks are kept as deep as was asked for, further ones
    SHALLOW = 3                # so deep: a recursion that is never the same twice would fill the memory
    TABLES_MOST = 96           # frames that the unwind tables are asked for, those of the monitor among them
    FIRST_WORD = 2             # before it is the stack of no frames

cdef struct Stack "m4m_stack":
    uint32_t thread            # its number; 0: of many threads
    uint32_t frames
    void *frame[FRAMES_MOST]   # return addresses, the innermost first; as many as there are

cdef struct StackTable "m4m_stack_table":
    uint64_t mask              # entries less one
    uint32_t entry[1]          # a number, above it bits of the hash; 0: none (atomic). As many as there are

cdef struct RecentTable "m4m_recent_table":  # guesses
    RecentTable *next          # of those that nobody uses
    uint32_t number[1 << RECENT_BITS]        # of stacks; 0: none

cdef struct Depot "m4m_depot":
    uint32_t depth             # frames that are kept
    uint32_t slow              # unwind by tables
    uint32_t count             # of stacks (atomic)
    uint32_t unkept            # calls whose stack there was no room for (atomic)
    uint64_t *words            # where stacks are,
    uint32_t words_used        # up to there (atomic),
    uint32_t words_most
    uint32_t *place            # by number: at which word
    StackTable *table          # atomic
    RecentTable *spare
    Pool pool                  # its lock is for all of this

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


cdef inline bint open_depot(uint32_t depth) noexcept nogil:
    """Make room for stacks of `depth` frames, 1 to FRAMES_MOST; 0: as the options say. False: no memory."""
    read_options()
    depth = depth if depth != 0 else options.frames
    depot.depth = depth
    depot.slow = options.slow_unwind
    depot.words_most = DEEP * (1 + depth) + (STACKS_MOST - DEEP) * (1 + (depth if depth < SHALLOW else SHALLOW))
    depot.words = <uint64_t *>map_reserve(depot.words_most * sizeof(uint64_t))
    depot.place = <uint32_t *>map_reserve(STACKS_MOST * sizeof(uint32_t))
    depot.table = new_table(<uint64_t>1 << TABLE_BITS)
    return depot.words != NULL and depot.place != NULL and depot.table != NULL


cdef inline StackTable *new_table(uint64_t entries) noexcept nogil:
    """An empty table, for entries a power of two; NULL: no memory."""
    cdef StackTable *table = <StackTable *>map_reserve(sizeof(StackTable) + entries * sizeof(uint32_t))
    if table != NULL:
        table.mask = entries - 1
    return table


cdef inline Stack *stack_at(uint32_t number) noexcept nogil:
    """The stack of that number; of 0 one that has no frames."""
    return <Stack *>(depot.words + depot.place[number])


cdef inline bint is_step(uint64_t at, uint64_t above) noexcept nogil:
    """Can the frame above the one at `at` be there, which is on no stack that is known?"""
    if above <= at or above & 7:
        return False
    return above >> PAGE_BITS == at >> PAGE_BITS and (above & ((1 << PAGE_BITS) - 1)) <= (1 << PAGE_BITS) - 16


cdef inline uint32_t unwind(const Thread *thread, const void *site, const void *frame, void **into,
                            uint32_t depth) noexcept nogil:
    """The return addresses from `site` outwards; how many, at least 1."""
    cdef uint32_t count = 1
    cdef uint64_t at = <uint64_t>frame
    cdef uint64_t above
    into[0] = <void *>site
    if thread.stack_high == NULL or at < 4096 or at & 7:
        return 1
    if is_on_stack(thread, at):
        return unwind_on_stack(<uint64_t>thread.stack_high - 16, at, into, depth)
    while count < depth:
        above = (<uint64_t *>at)[0]
        if not is_step(at, above):
            return count
        at = above
        into[count] = <void *>(<uint64_t *>at)[1]
        if <uint64_t>into[count] < 4096:
            return count
        count += 1
    return count


cdef inline uint64_t words_to(uint64_t last, uint64_t at) noexcept nogil:
    """How many words a frame is from the last that there can be; many more for what is behind it, or not aligned."""
    return (last - at) >> 3 | (last - at) << 61


cdef inline bint is_on_stack(const Thread *thread, uint64_t at) noexcept nogil:
    """Is it a frame on the thread's own stack, which is known?"""
    return words_to(<uint64_t>thread.stack_high - 16, at) <= <uint64_t>(thread.stack_high - 16 - thread.stack_low) >> 3


cdef inline uint32_t unwind_on_stack(uint64_t last, uint64_t at, void **into, uint32_t depth) noexcept nogil:
    """The rest of unwind, from a frame on the thread's own stack. A step comes nearer to the last frame."""
    cdef uint32_t count = 1
    cdef uint64_t left = words_to(last, at)
    cdef uint64_t next
    while count < depth:
        at = (<uint64_t *>at)[0]
        next = words_to(last, at)
        if next >= left:
            break
        left = next
        into[count] = (<void **>at)[1]
        if <uint64_t>into[count] < 4096:
            break
        count += 1
    return count


cdef inline bint leads_here "m4m_leads_here"(const Stack *stack, const void *site, uint64_t at,
                                             uint64_t last) noexcept nogil:
    """Whether unwind_on_stack would answer this stack."""
    cdef uint64_t left = words_to(last, at)
    cdef uint64_t next
    cdef void *const *frame = stack.frame
    cdef void *const *end = stack.frame + stack.frames
    if unlikely(frame[0] != site):
        return False
    while True:
        frame += 1
        at = (<uint64_t *>at)[0]
        next = words_to(last, at)
        if frame == end:
            break
        if unlikely(next >= left or (<void **>at)[1] != frame[0]):
            return False
        left = next
    return stack.frames >= depot.depth or next >= left or (<uint64_t *>at)[1] < 4096  # it ends here


cdef inline uint64_t hash_of(uint32_t thread, void *const *frames, uint32_t count) noexcept nogil:
    """A hash of a stack."""
    cdef uint64_t mixed = <uint64_t>thread << 8 | count
    cdef uint32_t i
    for i in range(count):
        mixed = mixed * <uint64_t>0x9E3779B97F4A7C15 + <uint64_t>frames[i]
    mixed ^= mixed >> 32
    mixed *= <uint64_t>0xE9846AF9B1A615D
    return mixed ^ mixed >> 29


cdef inline bint same_frames(const Stack *stack, void *const *frames, uint32_t count) noexcept nogil:
    """Whether these are the frames of a stack."""
    cdef uint32_t i
    if stack.frames != count:
        return False
    for i in range(count):
        if stack.frame[i] != frames[i]:
            return False
    return True


cdef inline uint32_t no_stack() noexcept nogil:
    """There was no room for one, which is counted."""
    m4_add32(&depot.unkept, 1)
    return 0


cdef inline void put_in(StackTable *table, uint64_t hash, uint32_t number) noexcept nogil:
    """Let a stack be found by its hash. There is a free entry."""
    cdef uint64_t at = hash & table.mask
    cdef uint32_t entry = number | <uint32_t>(hash >> 32) << NUMBER_BITS
    while m4_load32(&table.entry[at]) != 0 or not m4_swap32(&table.entry[at], 0, entry):
        at = (at + 1) & table.mask


cdef inline void grow_table "m4m_grow_stack_table"() noexcept nogil:
    """Twice as large a table. Whoever still looks at the old one finds nothing there, and what is put there is lost."""
    cdef StackTable *old
    cdef StackTable *table
    cdef Stack *stack
    cdef uint64_t at
    cdef uint32_t number
    m4_acquire(&depot.pool.lock)
    old = depot.table
    table = new_table(2 * (old.mask + 1)) if is_crowded(old, depot.count) else NULL
    if table != NULL:
        for at in range(old.mask + 1):
            number = m4_load32(&old.entry[at]) & (STACKS_MOST - 1)
            if number != 0:
                stack = stack_at(number)
                put_in(table, hash_of(stack.thread, stack.frame, stack.frames), number)
        m4_store_pointer(<void **>&depot.table, table)
        # All but what says how large it is.
        madvise(<char *>old + 4096, (old.mask + 1) * sizeof(uint32_t), MADV_DONTNEED)
    m4_relinquish(&depot.pool.lock)


cdef inline bint is_crowded(const StackTable *table, uint32_t count) noexcept nogil:
    """Whether three quarters of the entries are taken."""
    return <uint64_t>count * 4 > (table.mask + 1) * 3


cdef inline uint32_t keep_new "m4m_keep_new_stack"(uint64_t hash, uint32_t owner, void *const *frames,
                                                   uint32_t count) noexcept nogil:
    """The number that a stack gets; 0: there is no room for it."""
    cdef Stack *stack
    cdef uint32_t number, at, i
    while True:
        number = m4_load32(&depot.count)
        if number >= STACKS_MOST - 2:
            return no_stack()
        if m4_swap32(&depot.count, number, number + 1):
            break
    number += 1
    at = m4_add32(&depot.words_used, 1 + count)  # as it was
    if FIRST_WORD + at + 1 + count > depot.words_most:
        return no_stack()
    stack = <Stack *>(depot.words + FIRST_WORD + at)
    stack.thread = owner
    stack.frames = count
    for i in range(count):
        stack.frame[i] = frames[i]
    m4_store32(&depot.place[number], FIRST_WORD + at)
    if is_crowded(<StackTable *>m4_load_pointer(<void **>&depot.table), number):
        grow_table()
        if is_crowded(<StackTable *>m4_load_pointer(<void **>&depot.table), number):
            return number  # there is no memory: it is kept, and not found again
    put_in(<StackTable *>m4_load_pointer(<void **>&depot.table), hash, number)
    return number


cdef inline uint32_t keep_stack(const Thread *thread, void *const *frames, uint32_t count) noexcept nogil:
    """The number of the stack, from 1; 0: there is no room for a new one.

    Threads that come and go do not fill the memory: once there are many stacks, those of later threads are one.
    """
    cdef bint many = depot.count >= DEEP
    cdef uint32_t owner = thread.number if thread.number <= OWN_STACKS or not many else 0
    cdef StackTable *table = <StackTable *>m4_load_pointer(<void **>&depot.table)
    cdef uint64_t hash, at
    cdef uint32_t entry, number
    if many and count > SHALLOW:
        count = SHALLOW
    hash = hash_of(owner, frames, count)
    at = hash & table.mask
    while True:
        entry = m4_load32(&table.entry[at])
        if entry == 0:
            return keep_new(hash, owner, frames, count)
        if entry >> NUMBER_BITS == <uint32_t>(hash >> 32) & ((1 << (32 - NUMBER_BITS)) - 1):
            number = entry & (STACKS_MOST - 1)
            if stack_at(number).thread == owner and same_frames(stack_at(number), frames, count):
                return number
        at = (at + 1) & table.mask


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
    cdef uint32_t count = unwind(this_thread(), site, frame, into, depth)
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
    """Memory for what a thread remembers: another thread's that has ended, or new; NULL: there is none."""
    cdef RecentTable *table
    m4_acquire(&depot.pool.lock)
    table = depot.spare
    if table != NULL:
        depot.spare = table.next
    m4_relinquish(&depot.pool.lock)
    return table if table != NULL else <RecentTable *>take_memory(&depot.pool, sizeof(RecentTable))


cdef inline void end_captures "m4m_end_captures"(Thread *thread) noexcept nogil:
    """The thread ends: another may have its memory, and begins with no guesses."""
    cdef RecentTable *table = <RecentTable *>thread.recent
    thread.recent = NULL
    thread.captures = 0
    if table == NULL:
        return
    memset(table.number, 0, sizeof(table.number))
    m4_acquire(&depot.pool.lock)
    table.next = depot.spare
    depot.spare = table
    m4_relinquish(&depot.pool.lock)


cdef inline uint32_t capture_anew "m4m_capture_anew"(Thread *thread, const void *site, const void *frame,
                                                     uint32_t *guess) noexcept nogil:
    """Unwind, and remember what was found as a guess; NULL: nowhere."""
    cdef void *frames[FRAMES_MOST]
    cdef uint32_t depth = depot.depth if depot.count < DEEP or depot.depth < SHALLOW else SHALLOW
    cdef uint32_t number
    number = keep_stack(thread, frames, unwind(thread, site, frame, frames, depth))
    if guess != NULL:
        guess[0] = number
    return number


cdef inline uint32_t capture_for_caller "m4m_capture_for_caller"(const Thread *thread, const void *site) noexcept nogil:
    """The stack of a call that the C library makes for the program: what it calls from, then the program's own frames."""
    cdef void *frames[FRAMES_MOST]
    frames[0] = <void *>site
    return keep_stack(thread, frames, 1 + unwind(thread, m4m_for_caller.site, m4m_for_caller.frame, frames + 1,
                                                 depot.depth - 1))


cdef inline bint is_calling(const void *frame) noexcept nogil:
    """Whether the call of the C library still goes on: a handler of signals may have jumped out of it."""
    return frame < m4m_for_caller.frame and (<void **>m4m_for_caller.frame)[1] == m4m_for_caller.site


cdef inline uint32_t capture_unremembered "m4m_capture_unremembered"(Thread *thread, const void *site,
                                                                     const void *frame) noexcept nogil:
    """capture where there is no guess to be made."""
    cdef uint32_t number
    if m4m_for_caller.site != NULL and depot.depth > 1 and is_calling(frame):
        return capture_for_caller(thread, site)
    if depot.slow:
        number = capture_slowly(thread, site)
        if number != 0:
            return number
    elif thread.recent == NULL:
        thread.captures += 1
        if (thread.captures >= RECENT_AFTER and thread.stack_high != NULL and not thread.ended
                and thread != &threads.spare):
            thread.recent = open_recent()
    return capture_anew(thread, site, frame, NULL)


cdef inline uint32_t capture "m4m_capture"(Thread *thread, const void *site, const void *frame) noexcept nogil:
    """The number of the stack that led here. `frame` is that of the function that returns to `site`."""
    cdef uint64_t at = <uint64_t>frame
    cdef uint64_t last = <uint64_t>thread.stack_high - 16
    cdef uint64_t above, place
    cdef uint32_t *guess
    cdef uint32_t number
    if unlikely(thread.recent == NULL or m4m_for_caller.site != NULL or not is_on_stack(thread, at)):
        return capture_unremembered(thread, site, frame)
    above = (<uint64_t *>at)[0]
    place = <uint64_t>site ^ at >> 4
    if likely(words_to(last, above) < words_to(last, at)):
        place += (<uint64_t *>above)[1] * 3
    place *= <uint64_t>0x9E3779B97F4A7C15
    guess = (<RecentTable *>thread.recent).number + (place >> (64 - RECENT_BITS))
    number = guess[0]
    if likely(leads_here(stack_at(number), site, at, last)):  # number 0: of no frames
        return number
    return capture_anew(thread, site, frame, guess)


cdef inline const Stack *stack_of(uint32_t number) noexcept nogil:
    """A kept stack, or NULL."""
    return stack_at(number) if 0 < number <= depot.count else NULL
