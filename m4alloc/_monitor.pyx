# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: autotestdict=False, auto_pickle=False
"""The monitor: what a program does with its memory, stepped through its properties while it runs.

The layers are the files of _watch/; DESIGN.md lists them bottom-up. This file gives them to monitor_preload.c, which has
the public names. Nothing here is Python when it runs: the linker drops what talks to it.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from m4alloc._core.c cimport ENOMEM, m4_acquire, m4_errno, m4_relinquish, m4_set_errno, m4_store32, unlikely
from m4alloc._core.large cimport lose_large, move_pages, resize_large
from m4alloc._watch.access cimport access, tell_stray
from m4alloc._watch.block cimport be_born, be_resized, fence_ahead, free_slot, give_up, refuse_free, tell_violation
from m4alloc._watch.c cimport (m4m_core_aligned, m4m_core_arena, m4m_core_calloc, m4m_core_free, m4m_core_malloc,
                               m4m_core_realloc, m4m_core_settings, m4m_core_usable, m4m_is_single_threaded,
                               m4m_kernel_thread, m4m_plain_memcpy, m4m_self, m4m_shadow_on)
from m4alloc._watch.cohort cimport hold_cohorts, let_go_of_cohorts
from m4alloc._watch.depot cimport depot, end_captures
from m4alloc._watch.exit cimport at_exit, ignore, judge_leaks, mark_inherited
from m4alloc._watch.finding cimport begin_finding, in_bounds_properties
from m4alloc._watch.initial cimport begin_bits, copy_bits, decide, initial, open_initial
from m4alloc._watch.keep cimport keep_trace
from m4alloc._watch.label cimport say
from m4alloc._watch.options cimport HISTORY_ACCESSES, HISTORY_NO, options
from m4alloc._watch.place cimport find_place
from m4alloc._watch.report cimport begin_process, final_status, open_reports, report, reports
from m4alloc._watch.report_crash cimport explain_fault
from m4alloc._watch.ring cimport RING_ENDED, RING_FREE, RING_MOVED, EventRing, leave_ring, rings
from m4alloc._watch.shadow cimport fence_shadow
from m4alloc._watch.show cimport accesses_matter, show_blocks, show_slabs
from m4alloc._watch.start cimport choose_properties, open_stories
from m4alloc._watch.step cimport cohorts, machines, step_block, step_everyone, watch
from m4alloc._watch.thread cimport next_event, put_ended, this_thread, threads
from m4alloc._watch.types cimport (IN_LARGE, IN_SAMPLE, LETTER_ALLOCATE_END, LETTER_ALLOCATE_START, LETTER_FREE_END,
                                   LIVE_BLOCK, OUT_OF_BOUNDS, Finding, Place, Thread, stories)

cdef extern from "monitor_start.h" nogil:
    void m4m_refuse(const char *what, const char *why) noexcept   # says it and leaves with status 2
    const void *m4m_table(const char *path, uint64_t *size) noexcept  # the compiled properties of this run

cdef enum:
    SIZE_LIMIT = 0x7FFFFFFFFFFF
    REDZONE_MOST = 1024        # bytes behind a request that are nobody's, unless more are asked for


cdef inline const char *either(bint first, const char *one, const char *other) noexcept nogil:
    return one if first else other


cdef void m4m_prepare "m4m_prepare"() noexcept nogil:
    """The core is about to open its arena, and asks what for. Reads the options, whose mistakes end the program here."""
    cdef uint64_t size = 0
    cdef const void *table
    cdef const char *wrong
    open_reports()
    table = m4m_table(options.properties, &size)
    wrong = choose_properties(table, size, options.uninitialised or options.history == HISTORY_ACCESSES)
    if wrong != NULL:
        m4m_refuse(either(options.properties == NULL, "the compiled properties", options.properties), wrong)
    reports.write_trace = keep_trace
    rings.off = options.history == HISTORY_NO and options.history_given
    watch.each_access = options.history == HISTORY_ACCESSES
    watch.redzone = <uint32_t>options.redzone if options.redzone_given else (16 if m4m_shadow_on else 8)
    watch.redzone_shift = 3 if m4m_shadow_on else 4
    if m4m_core_settings.samples:  # a sample ends where its page ends: what is behind it is not to be accessible
        watch.redzone = 0
        watch.redzone_shift = 63
    m4m_core_settings.quarantine_bytes = options.quarantine_bytes if options.quarantine_given else 64 << 10
    m4m_core_settings.large_delay = 16 << 20
    if options.quarantine_bytes > m4m_core_settings.large_delay:
        m4m_core_settings.large_delay = options.quarantine_bytes


cdef void m4m_open "m4m_open"() noexcept nogil:
    """Before the first block is handed out: open the core's arena, and what the stories of its blocks need."""
    if stories.arena != NULL:
        return
    if not open_stories(m4m_core_arena(), options.frames) or not open_initial(options.uninitialised):
        m4m_refuse("the monitor", "there is no address space for it (ulimit -v?)")


cdef inline uint64_t with_redzone(uint64_t size) noexcept nogil:
    """What the core is asked for when the program asks for `size` bytes.

    Behind a larger block there is more that is nobody's, for a larger overflow of it to be seen.
    """
    cdef uint64_t more = size >> watch.redzone_shift
    if more > REDZONE_MOST:
        more = REDZONE_MOST
    return size + (more if more > watch.redzone else watch.redzone)


cdef void tell_call "m4m_tell_call"(Thread *thread, uint32_t letter, void *freed, const void *site,
                                    const void *frame) noexcept nogil:
    """A call begins, ends without a new block, or has `freed` one: some machine wants to know."""
    cdef Place place
    cdef uint64_t violated
    find_place(<char *>freed, &place)
    next_event(thread, 0 if place.story == NULL else place.story.died)
    violated = step_everyone(thread, letter) if place.story == NULL else step_block(thread, &place, letter)
    if unlikely(violated != 0):
        tell_violation(thread, violated, "call", <char *>freed, &place, site, frame)


cdef inline void *fresh_block(size_t alignment, size_t size, bint zeroed) noexcept nogil:
    """A block of the core's, with what is to be behind it, or NULL with ENOMEM."""
    if unlikely(size > SIZE_LIMIT):
        m4_set_errno(ENOMEM)
        return NULL
    if zeroed:
        return m4m_core_calloc(1, with_redzone(size))
    if alignment == 1:
        return m4m_core_malloc(with_redzone(size))
    return m4m_core_aligned(alignment, with_redzone(size))


cdef void *m4m_request "m4m_request"(size_t alignment, size_t size, bint zeroed, const void *site,
                                     const void *frame) noexcept nogil:
    """malloc, calloc and aligned_alloc: alignment 1 is any."""
    cdef Thread *thread = this_thread()
    cdef void *block = NULL
    if unlikely(stories.arena == NULL):
        m4m_open()
    if unlikely(watch.calls):
        tell_call(thread, LETTER_ALLOCATE_START, NULL, site, frame)
    block = fresh_block(alignment, size, zeroed)
    if block != NULL:
        if unlikely(initial.mode):
            begin_bits(<char *>block, size, zeroed)
        be_born(thread, <char *>block, size, site, frame)
    elif watch.calls:
        tell_call(thread, LETTER_ALLOCATE_END, NULL, site, frame)
    return block


cdef void m4m_release "m4m_release"(void *block, const void *site, const void *frame) noexcept nogil:
    cdef Thread *thread
    if block == NULL:
        return
    thread = this_thread()
    if unlikely(not free_slot(thread, <char *>block, RING_FREE, site, frame)):
        release_slowly(thread, block, site, frame)


cdef void release_slowly "m4m_release_slowly"(Thread *thread, void *block, const void *site,
                                              const void *frame) noexcept nogil:
    if give_up(thread, "free", <char *>block, RING_FREE, site, frame):
        free_given_up(thread, "free", block, site, frame)
    if unlikely(watch.calls):
        tell_call(thread, LETTER_FREE_END, block, site, frame)


cdef inline void free_given_up(Thread *thread, const char *verb, void *block, const void *site,
                               const void *frame) noexcept nogil:
    """The core takes back a block whose story has ended, or a sample, which has none: then it is the core that knows."""
    cdef Place place
    if unlikely(m4m_core_free(block) != 0):
        find_place(<char *>block, &place)
        refuse_free(thread, verb, <char *>block, &place, site, frame)


cdef void *resize_sample "m4m_resize_sample"(Thread *thread, void *old, size_t size, const void *site,
                                             const void *frame) noexcept nogil:
    """realloc of a block that lies on a page of its own."""
    cdef Place place
    cdef void *block = m4m_core_realloc(old, with_redzone(size))
    if block != NULL:
        be_born(thread, <char *>block, size, site, frame)
    elif m4m_core_usable(old) == 0:  # it is not out of memory: there is no such block
        find_place(<char *>old, &place)
        refuse_free(thread, "realloc", <char *>old, &place, site, frame)
    return block


cdef void *m4m_resize "m4m_resize"(void *old, size_t size, const void *site, const void *frame) noexcept nogil:
    """The contents in another block, always, unless it is large: who keeps the old pointer is then seen.

    Letters in the order of a history: the call begins, the old block is given up, that is done, the new one is there.
    """
    cdef Thread *thread
    cdef Place place
    cdef void *block = NULL
    cdef uint64_t kept
    cdef uint32_t noted
    if old == NULL:
        return m4m_request(1, size, False, site, frame)
    thread = this_thread()
    if unlikely(watch.calls):
        tell_call(thread, LETTER_ALLOCATE_START, NULL, site, frame)
    find_place(<char *>old, &place)
    if unlikely(place.kind == IN_SAMPLE):
        return resize_sample(thread, old, size, site, frame)
    if unlikely(place.story == NULL or place.life != LIVE_BLOCK or place.base != <char *>old):
        refuse_free(thread, "realloc", <char *>old, &place, site, frame)
        if unlikely(watch.calls):
            tell_call(thread, LETTER_FREE_END, old, site, frame)
            tell_call(thread, LETTER_ALLOCATE_END, NULL, site, frame)
        return NULL
    if place.kind == IN_LARGE and stories.arena.largest < with_redzone(size) < SIZE_LIMIT:
        if resize_large(stories.arena, place.record, with_redzone(size)):
            if unlikely(initial.mode and size > place.size):
                begin_bits(<char *>old + place.size, size - place.size, False)
            be_resized(thread, &place, size, site, frame)
            block = old
    if size != 0 and block == NULL:
        block = fresh_block(1, size, False)
        if block != NULL:
            kept = place.size if place.size < size else size
            if unlikely(initial.mode):
                begin_bits(<char *>block, size, False)
                copy_bits(<char *>block, <char *>old, kept)
            if place.kind == IN_LARGE and with_redzone(size) > stories.arena.largest:
                if unlikely(not move_pages(stories.arena, <char *>block, <char *>old, kept)):
                    lose_large(stories.arena, <char *>block)
                    block = NULL
                    m4_set_errno(ENOMEM)
            else:
                m4m_plain_memcpy(block, old, kept)
    if block != old and (block != NULL or size == 0):
        noted = RING_MOVED if block != NULL else RING_ENDED
        if not free_slot(thread, <char *>old, noted, site, frame) and give_up(thread, "realloc", <char *>old, noted,
                                                                              site, frame):
            free_given_up(thread, "realloc", old, site, frame)
        if unlikely(watch.calls):
            tell_call(thread, LETTER_FREE_END, old, site, frame)
        if block != NULL:
            be_born(thread, <char *>block, size, site, frame)
            return block
    if unlikely(watch.calls):
        tell_call(thread, LETTER_ALLOCATE_END, NULL, site, frame)
    return block


cdef size_t m4m_size "m4m_size"(void *block) noexcept nogil:
    """malloc_usable_size: the size requested, for what is behind it is nobody's."""
    cdef Place place
    find_place(<char *>block, &place)
    if place.kind == IN_SAMPLE:
        return m4m_core_usable(block)
    return place.size if place.story != NULL and place.life == LIVE_BLOCK else 0


cdef void m4m_access_arena "m4m_access_arena"(char *address, size_t size, unsigned int how, const void *site,
                                              const void *frame, const char *function) noexcept nogil:
    access(this_thread(), address, size, how, site, frame, function)


cdef void m4m_say "m4m_say"(const char *name, const void *argument, const void *site, const void *frame) noexcept nogil:
    """A label, about the block that `argument` points into, or about none (NULL). errno is kept."""
    cdef int before = m4_errno()
    if unlikely(stories.arena == NULL):
        m4m_open()
    say(this_thread(), name, <const char *>argument, site, frame)
    m4_set_errno(before)


cdef char *m4m_stack_high "m4m_stack_high"() noexcept nogil:
    """Where the stack of this thread begins, NULL: that is not known. Asked for once, before anybody holds a lock of it."""
    return this_thread().stack_high


cdef void m4m_thread_ends "m4m_thread_ends"(Thread *thread) noexcept nogil:
    m4_store32(&thread.ended, 1)
    leave_ring(thread)
    end_captures(thread)
    put_ended(thread)


# Fork: the locks are held across it, and the child has one thread.

cdef void m4m_before_fork "m4m_before_fork"() noexcept nogil:
    cdef uint32_t i
    for i in range(machines.labelled_count):
        hold_cohorts(&cohorts.of_machine[i])
    m4_acquire(&rings.lock)
    m4_acquire(&threads.lock)
    m4_acquire(&threads.pool.lock)
    m4_acquire(&depot.pool.lock)


cdef void m4m_after_fork "m4m_after_fork"(bint child) noexcept nogil:
    cdef Thread *thread
    cdef uint32_t i
    m4_relinquish(&depot.pool.lock)
    m4_relinquish(&threads.pool.lock)
    m4_relinquish(&threads.lock)
    m4_relinquish(&rings.lock)
    for i in range(machines.labelled_count):
        let_go_of_cohorts(&cohorts.of_machine[i])
    if child:
        threads.told = 0
        thread = threads.first
        while thread != NULL:
            if thread != m4m_self and not thread.ended:
                m4_store32(&thread.ended, 1)
                put_ended(thread)
            thread = thread.next
        # Taken under the core's locks, which are taken after these: it is not held across the fork. Whoever holds it
        # there has not shown a block yet, and is not here.
        memset(&stories.lock, 0, sizeof(stories.lock))
        begin_process()
        thread = this_thread()
        thread.kernel_id = m4m_kernel_thread()
        if thread.ring != NULL:
            (<EventRing *>thread.ring).kernel_id = thread.kernel_id
        mark_inherited(thread)


cdef void m4m_end_run "m4m_end_run"(char *here) noexcept nogil:
    """The program has called exit or returned from main, and its own destructors have run."""
    at_exit(this_thread(), here)


cdef int m4m_end_status "m4m_end_status"(int status) noexcept nogil:
    """What the process ends with that wants to end with `status`."""
    return final_status(status)


cdef size_t m4m_check_leaks "m4m_check_leaks"(char *here) noexcept nogil:
    """m4alloc_check_leaks: how many blocks nothing points to now. Reports them."""
    cdef Thread *thread = this_thread()
    next_event(thread, 0)
    return judge_leaks(thread, here, False)


cdef void m4m_ignore "m4m_ignore"(const char *address) noexcept nogil:
    ignore(address)


cdef void m4m_shadow_comes "m4m_shadow_comes"() noexcept nogil:
    """There is a shadow from now on, and it is zero; blocks that were there before are to be seen in it."""
    if stories.arena != NULL:
        fence_ahead(stories.arena.base + stories.arena.regions[0].used)
        show_slabs()
        show_blocks(True)


cdef void m4m_second_thread "m4m_second_thread"() noexcept nogil:
    """A thread is about to be made where there may have been one only."""
    if m4m_is_single_threaded():
        accesses_matter()


cdef void m4m_further_thread "m4m_further_thread"() noexcept nogil:
    """There is a thread besides the first, whoever made it."""
    accesses_matter()


cdef void m4m_fence "m4m_fence"(char *start, uint64_t bytes) noexcept nogil:
    """Fresh slots will be handed out from there."""
    fence_ahead(start + bytes)
    fence_shadow(start, start + bytes)


cdef void m4m_tell_stack "m4m_tell_stack"(char *address, size_t size, unsigned int how, const char *verb, const void *site,
                                          const void *frame, const char *function) noexcept nogil:
    """An access beside an array on the stack, or its traces; `verb` is NULL where the access itself was seen."""
    cdef Thread *thread = this_thread()
    cdef Place place
    cdef Finding found
    find_place(NULL, &place)
    if verb == NULL:
        tell_stray(thread, address, size, how, &place, site, frame, function)
        return
    next_event(thread, 0)
    begin_finding(&found, thread, OUT_OF_BOUNDS, in_bounds_properties(), verb, &place, site, frame)
    found.address = address
    found.how = how
    report(&found)


cdef void m4m_decide "m4m_decide"(const char *address, size_t size, const void *site, const void *frame) noexcept nogil:
    decide(this_thread(), address, size, site, frame)
