# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is looked through for pointers to blocks: the ranges of monitor_roots.h, one after the other.

Live are: the writable segments of all modules but the monitor's own; of each other thread its registers, its stack from
where it stands, and its thread-local storage; of this thread the same from the call of exit upwards, and nothing of the
stack when main has returned.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._watch.thread cimport threads
from m4alloc._watch.types cimport Thread, stories

cdef extern from "monitor_roots.h" nogil:
    enum:
        M4M_TASK_GONE
    ctypedef struct Range "struct m4m_range":
        char *low
        char *high
    ctypedef struct Module "struct m4m_module":
        char *low
        char *high
        uint32_t is_system
        uint32_t is_loader
    ctypedef struct Task "struct m4m_task":
        uint64_t id
        char *low
        char *control
        uint32_t state
    ctypedef struct Roots "struct m4m_roots":
        Range *ranges
        Range *mappings
        Module *modules
        Task *tasks
        uint32_t range_count
        uint32_t mapping_count
        uint32_t module_count
        uint32_t task_count
        uint64_t storage_below
        uint64_t storage_above
    Roots *m4m_find_roots() noexcept
    void m4m_let_go(Roots *) noexcept
    void m4m_forget_roots(Roots *) noexcept
    const Range *m4m_mapping_of(const Roots *, const char *) noexcept
    const Module *m4m_module_of(const Roots *, const void *) noexcept
    char *m4m_live_from(char *here, bint at_exit) noexcept
    char *m4m_control_block() noexcept
    uint64_t *m4m_storage_table(char *control) noexcept

cdef enum RootStage:
    ROOTS_OF_MODULES = 0
    ROOTS_OF_STACKS = 1
    ROOTS_OF_STORAGE = 2
    ROOTS_OF_TABLES = 3
    ROOTS_DONE = 4

cdef struct RootWalk "m4m_root_walk":        # begins with zeros, but for roots, here and control
    Roots *roots
    char *here                 # this thread's stack is live from there; NULL: nothing of it
    char *control              # its control block
    uint32_t stage             # RootStage
    uint32_t index
    char *low                  # where it is: a range that can be read
    char *high
    char *rest                 # of the range, up to `end`: the next mapping of it
    char *end


cdef inline char *stack_end(const Roots *roots, char *low, uint64_t kernel_id) noexcept nogil:
    """Where the stack ends that `low` is in: its thread's, or else a coroutine's, at the end of the mapping."""
    cdef Thread *thread = threads.first
    cdef const Range *mapping
    while thread != NULL:
        if (kernel_id == 0 or thread.kernel_id == kernel_id) and thread.stack_low <= low < thread.stack_high:
            return thread.stack_high
        thread = thread.next
    mapping = m4m_mapping_of(roots, low)
    return mapping.high if mapping != NULL and mapping.low <= low else low


cdef inline void begin_range(RootWalk *walk, char *low, char *high) noexcept nogil:
    """The next range."""
    walk.rest = low
    walk.end = high if low != NULL and low < high else low


cdef inline void take_storage(RootWalk *walk, char *control) noexcept nogil:
    """Thread-local storage around a control block, and that block: the values of keys are in it."""
    if control != NULL:
        begin_range(walk, control - walk.roots.storage_below, control + walk.roots.storage_above)


cdef inline void take_table(RootWalk *walk, char *control) noexcept nogil:
    """The table of a thread's storage that was loaded later, as glibc has it: its length stands before it."""
    cdef uint64_t *table
    cdef const Range *mapping
    if control == NULL:
        return
    table = m4m_storage_table(control)
    mapping = m4m_mapping_of(walk.roots, <char *>table)
    if <uint64_t>table & 7 == 0 and mapping != NULL and mapping.low <= <char *>(table - 2) and (table - 2)[0] < 65536:
        begin_range(walk, <char *>table, <char *>(table + 2 * ((table - 2)[0] + 1)))


cdef inline void take_range(RootWalk *walk) noexcept nogil:
    """Go to the next range or stage; the last threads' index is this thread's."""
    cdef Roots *roots = walk.roots
    cdef Task *task = NULL
    cdef char *low = walk.here
    cdef char *control = walk.control
    if walk.index >= (roots.range_count if walk.stage == ROOTS_OF_MODULES else roots.task_count + 1):
        walk.index = 0
        walk.stage += 1
        return
    if walk.stage == ROOTS_OF_MODULES:
        begin_range(walk, roots.ranges[walk.index].low, roots.ranges[walk.index].high)
        walk.index += 1
        return
    if walk.index < roots.task_count:
        task = roots.tasks + walk.index
        low = task.low
        control = task.control
        if low == NULL and task.state != M4M_TASK_GONE:
            low = lowest_of(task.id)
    walk.index += 1
    if walk.stage == ROOTS_OF_STACKS:
        if low != NULL:
            begin_range(walk, low, stack_end(roots, low, task.id if task != NULL else 0))
    elif walk.stage == ROOTS_OF_STORAGE:
        take_storage(walk, control)
    elif walk.stage == ROOTS_OF_TABLES:
        take_table(walk, control)


cdef inline char *lowest_of(uint64_t kernel_id) noexcept nogil:
    """The low end of the stack of a thread of which nothing else is known, or NULL."""
    cdef Thread *thread = threads.first
    while thread != NULL:
        if thread.kernel_id == kernel_id:
            return thread.stack_low
        thread = thread.next
    return NULL


cdef inline bint next_range(RootWalk *walk) noexcept nogil:
    """Go on to the next range of words that can be read and are not the heap's; False: there are no more."""
    cdef const Range *mapping
    while True:
        while walk.rest >= walk.end:
            if walk.stage == ROOTS_DONE:
                return False
            take_range(walk)
        walk.low = walk.rest
        walk.high = walk.end
        if walk.roots.mapping_count != 0:
            mapping = m4m_mapping_of(walk.roots, walk.rest)
            if mapping == NULL or mapping.low >= walk.end:
                walk.rest = walk.end
                continue
            if walk.low < mapping.low:
                walk.low = mapping.low
            if walk.high > mapping.high:
                walk.high = mapping.high
        walk.rest = walk.high
        walk.low = <char *>((<uint64_t>walk.low + 7) & ~<uint64_t>7)
        if walk.low < walk.high:
            return True
