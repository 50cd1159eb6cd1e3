# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: autotestdict=False, auto_pickle=False, embedsignature=True, freethreading_compatible=True
"""The core: malloc and free over a real arena, secure by default.

The layers are the files of _core/; DESIGN.md lists them bottom-up. This file adds the process's own arena with its C
entry points (m4_*), which preload.c gives their public names, and the Python face.
"""

from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport uint32_t, uint64_t, uint8_t, uintptr_t

from m4alloc._core.arena cimport close_arena, has_joined, join_arena, leave_arena, open_arena
from m4alloc._core.c cimport (M4_MONITOR, M4_PRELOAD, M4_STRATEGY, _exit, calloc as c_calloc, free as c_free, getenv, m4_acquire,
                              m4_errno, m4_exchange32, m4_exited, m4_explain_faults, m4_forward_free, m4_is_nobody, m4_load32, m4_load64, m4_lock,
                              m4_lock_streams, m4_prepare_backtrace, m4_relinquish, m4_set_clock, m4_set_errno, m4_store32,
                              m4_swap32, m4_thread_heap, m4_unlock_streams, m4_untag, pthread_atfork,
                              pthread_getspecific, sched_yield, snprintf, strlen, write)
from m4alloc._core.copy cimport check_range
from m4alloc._core.dispatch cimport USABLE_SIZE, known, request
from m4alloc._core.explain cimport explain_fault
from m4alloc._core.fork cimport rebuild_in_child
from m4alloc._core.heap cimport drain_abandoned
from m4alloc._core.hold cimport let_go
from m4alloc._core.knobs cimport default_classes, default_knobs, read_settings, set_knob
from m4alloc._core.malloc cimport allocate, release, release_found
from m4alloc._core.region cimport shrink_reservation
from m4alloc._core.remote cimport drain_remote
from m4alloc._core.resize cimport (allocate_aligned, allocate_zeroed, reallocate, release_aligned_sized, release_sized,
                                   usable_bytes)
from m4alloc._core.size_class cimport quarantine_length, quarantine_limit
from m4alloc._core.side cimport monitor_bytes
from m4alloc._core.slot cimport record_of, region_of, slot_state
from m4alloc._core.span cimport purge_until
from m4alloc._core.stack cimport empty_stacks
from m4alloc._core.stats cimport ClassCounts, Statistics, Totals, broken_invariant, count, take_statistics
from m4alloc._core.types cimport (DOUBLE_FREE, INTERIOR_FREE, LIVE, MISUSE_FORWARD, MISUSE_RAISE, NO_MISUSE, OVERFLOW,
                                  REFUSAL_MAX, SIZE_MISMATCH, SMALL_MAX, UNDERFLOW, UNIT, WRITE_AFTER_FREE,
                                  Arena as CoreArena, Heap, Record)

cdef extern from "_cold.h":
    pass

cdef extern from "_atomics.h" nogil:
    void m4_prepare_monitored(CoreArena *arena) noexcept

cdef enum:
    CLOSED = 0                 # values of CoreArena.ready
    OPENING = 1
    OPEN = 2
    LEAST = 4 * 1024 * 1024    # bytes of address space without which an arena is not worth having

cdef CoreArena process_arena
cdef CoreArena *arenas = NULL  # all arenas, for the fork handlers and for threads that leave one
cdef m4_lock arenas_lock       # of the list; who has it may take the arenas' own, not the other way round
cdef uint32_t forks_watched    # are the handlers registered? (atomic)


# The process's own arena.

cdef void before_fork() noexcept nogil:
    cdef CoreArena *arena
    m4_lock_streams()
    m4_acquire(&arenas_lock)
    arena = arenas
    while arena != NULL:
        m4_acquire(&arena.lock)
        arena = arena.next_arena


cdef void after_fork_in_parent() noexcept nogil:
    cdef CoreArena *arena = arenas
    while arena != NULL:
        m4_relinquish(&arena.lock)
        arena = arena.next_arena
    m4_relinquish(&arenas_lock)
    m4_unlock_streams(False)


cdef void after_fork_in_child() noexcept nogil:
    cdef CoreArena *arena = arenas
    m4_unlock_streams(True)
    while arena != NULL:
        rebuild_in_child(arena, <Heap *>m4_thread_heap if arena.process else <Heap *>pthread_getspecific(arena.key))
        arena = arena.next_arena
    m4_relinquish(&arenas_lock)


cdef void watch_forks() noexcept nogil:
    """Register the handlers, once."""
    if m4_exchange32(&forks_watched, 1) == 0:
        pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child)


cdef void refuse_settings(const char *message) noexcept nogil:
    """A malformed environment: say so and leave, before the program has begun."""
    write(2, message, strlen(message))
    write(2, "\n", 1)
    _exit(2)


cdef void read_environment(CoreArena *arena) noexcept nogil:
    """Take the strategy compiled in, then M4ALLOC_STRATEGY, M4ALLOC_OPTIONS and M4ALLOC_RESERVE."""
    cdef char message[REFUSAL_MAX]
    cdef const char *text = getenv("M4ALLOC_STRATEGY")
    if not read_settings(arena, "the strategy compiled in", M4_STRATEGY, True, message):
        refuse_settings(message)
    if text != NULL and not read_settings(arena, "M4ALLOC_STRATEGY", text, True, message):
        refuse_settings(message)
    text = getenv("M4ALLOC_RESERVE")
    if text != NULL and set_knob(&arena.knobs, "reserve", 7, text, strlen(text)) != 0:
        snprintf(message, REFUSAL_MAX, "m4alloc: M4ALLOC_RESERVE: \"%.64s\" is not a number of bytes from 2**22 to 2**44",
                 text)
        refuse_settings(message)
    text = NULL if M4_MONITOR else getenv("M4ALLOC_OPTIONS")  # a monitor reads its own
    if text != NULL and not read_settings(arena, "M4ALLOC_OPTIONS", text, False, message):
        refuse_settings(message)


cdef bint explain "m4_explain"(void *address) noexcept nogil:
    """Say which block of which arena a fault belongs to; False: it is none of ours."""
    cdef CoreArena *arena = arenas
    while arena != NULL:
        if explain_fault(arena, <char *>address):
            return True
        arena = arena.next_arena
    return False


cdef bint explains(const CoreArena *arena) noexcept nogil:
    """Does the strategy make pages inaccessible on which a program may fault?"""
    return (arena.knobs.sample_rate != 0 or arena.knobs.guards != 0 or arena.knobs.guard_slabs != 0
            or arena.knobs.large_quarantine != 0)


cdef void m4_prepare_tracing "m4_prepare_tracing"() noexcept nogil:
    """While the program starts: load the unwinder, when there will be samples, and install the handler of faults.

    The arena is not opened for that without need: its thread key should come after the program's own, so that their
    destructors find the thread's heap.
    """
    cdef CoreArena read  # its knobs and options only
    if getenv("M4ALLOC_STRATEGY") == NULL and strlen(M4_STRATEGY) == 0:
        return
    default_knobs(&read.knobs)
    read_environment(&read)  # which refuses what is malformed, even if the program never calls malloc
    if explains(&read):  # the handler of faults comes before the program's own
        open_process()
    if read.knobs.sample_rate != 0:
        m4_prepare_backtrace()


cdef void m4_check_copy "m4_check_copy"(void *address, size_t bytes) noexcept nogil:
    """Before a copy or a fill of so many bytes there: report one that leaves its block."""
    check_range(&process_arena, <char *>address, bytes)


cdef void *m4_side "m4_side"(void *block) noexcept nogil:
    """The side bytes of a live block, or NULL: the strategy has none, or the block no slot."""
    cdef char *address = m4_untag(block)
    cdef Record *record = record_of(&process_arena, address)
    cdef uint8_t *state
    if record == NULL:
        return NULL
    state = slot_state(record, address)
    if state == NULL or state[0] != LIVE:
        return NULL
    return monitor_bytes(&process_arena, record, state)


cdef void open_process() noexcept nogil:
    """Open the process's arena, once; whoever comes meanwhile waits."""
    global arenas
    if m4_load32(&process_arena.ready) == OPEN:
        return
    if not m4_swap32(&process_arena.ready, CLOSED, OPENING):
        while m4_load32(&process_arena.ready) != OPEN:
            sched_yield()
        return
    default_knobs(&process_arena.knobs)
    if M4_PRELOAD:
        read_environment(&process_arena)
    if M4_MONITOR and process_arena.knobs.class_size[process_arena.knobs.classes - 1] > SMALL_MAX:
        # A story has 16 bits for what lies behind a request in its slot.
        default_classes(&process_arena.knobs)
        process_arena.knobs.slabs_given = 0
        process_arena.knobs.depths_given = 0
    process_arena.process = 1
    m4_prepare_monitored(&process_arena)
    process_arena.forward_free = m4_forward_free
    process_arena.extra_regions = not M4_MONITOR  # a monitor's tables are for one region
    open_arena(&process_arena, LEAST)  # without address space now, it is tried again when needed
    m4_acquire(&arenas_lock)
    process_arena.next_arena = arenas
    arenas = &process_arena
    m4_relinquish(&arenas_lock)
    if M4_PRELOAD and not M4_MONITOR and explains(&process_arena):
        m4_explain_faults()
    m4_store32(&process_arena.ready, OPEN)
    watch_forks()


cdef CoreArena *m4_process_arena "m4_process_arena"() noexcept nogil:
    """The process's own arena, open; what libm4monitor.so looks into."""
    open_process()
    return &process_arena


cdef void *enter "m4_enter"(void *arena) noexcept nogil:
    """A thread's first call in an arena: its heap there, once the process's own arena is open; or nobody's.

    One whose destructor has run gets none, for it might be the last to run, and then nobody would abandon the heap.
    """
    if arena == &process_arena:
        open_process()
        if m4_thread_heap == m4_exited():
            return m4_exited()
    return join_arena(<CoreArena *>arena)


cdef inline Heap *my_heap() noexcept nogil:
    """The calling thread's heap in the process's arena, or nobody's."""
    return <Heap *>m4_thread_heap


cdef void *m4_malloc "m4_malloc"(size_t size) noexcept nogil:
    return allocate(&process_arena, my_heap(), size)


cdef void *m4_calloc "m4_calloc"(size_t count, size_t size) noexcept nogil:
    return allocate_zeroed(&process_arena, my_heap(), count, size)


cdef void *m4_realloc "m4_realloc"(void *block, size_t size) noexcept nogil:
    return reallocate(&process_arena, my_heap(), block, size)


cdef void *m4_aligned "m4_aligned"(size_t alignment, size_t size) noexcept nogil:
    return allocate_aligned(&process_arena, my_heap(), alignment, size)


cdef int m4_free "m4_free"(void *block) noexcept nogil:
    return release(&process_arena, my_heap(), block)


cdef int m4_free_found "m4_free_found"(Record *record, char *block, uint8_t *state) noexcept nogil:
    return release_found(&process_arena, my_heap(), record, block, state)


cdef int m4_free_sized "m4_free_sized"(void *block, size_t size) noexcept nogil:
    return release_sized(&process_arena, my_heap(), block, size)


cdef int m4_free_aligned_sized "m4_free_aligned_sized"(void *block, size_t alignment, size_t size) noexcept nogil:
    return release_aligned_sized(&process_arena, my_heap(), block, alignment, size)


cdef size_t m4_usable_size "m4_usable_size"(void *block) noexcept nogil:
    return usable_bytes(&process_arena, block)


cdef bint m4_is_foreign "m4_is_foreign"(void *block) noexcept nogil:
    """Was this pointer never ours?"""
    return block != NULL and region_of(&process_arena, <char *>block) == NULL


cdef uint64_t m4_quarantine_limit "m4_quarantine_limit"() noexcept nogil:
    """The largest usable size to which m4_quarantine applies."""
    open_process()
    return quarantine_limit(&process_arena)


cdef bint m4_forwarding "m4_forwarding"() noexcept nogil:
    """Do foreign pointers go to the next allocator?"""
    return process_arena.misuse_mode == MISUSE_FORWARD


cdef size_t m4_trim "m4_trim"(size_t keep) noexcept nogil:
    """Return the pages of free spans but `keep` bytes to the system; returns the bytes returned."""
    cdef size_t purged
    open_process()
    m4_acquire(&process_arena.lock)
    drain_abandoned(&process_arena)
    if not m4_is_nobody(m4_thread_heap):
        drain_remote(&process_arena, <Heap *>m4_thread_heap)
        empty_stacks(&process_arena, <Heap *>m4_thread_heap)
    let_go(&process_arena, 0)
    purged = purge_until(&process_arena, keep, 0)
    m4_relinquish(&process_arena.lock)
    return purged


cdef void m4_count "m4_count"(Totals *totals) noexcept nogil:
    open_process()
    count(&process_arena, totals)


cdef void m4_take_statistics "m4_take_statistics"(Statistics *statistics) noexcept nogil:
    open_process()
    take_statistics(&process_arena, statistics)


cdef const char *m4_statistics_path "m4_statistics_path"() noexcept nogil:
    """Where the process's statistics go when it ends; empty: nowhere. Opens the arena only if there are options."""
    if M4_MONITOR or getenv("M4ALLOC_OPTIONS") == NULL:
        return ""
    open_process()
    return process_arena.statistics_path


cdef uint64_t m4_misuses "m4_misuses"() noexcept nogil:
    return m4_load64(&process_arena.misuses)


cdef uint64_t m4_quarantine "m4_quarantine"() noexcept nogil:
    """Frees of its size class that a slot waits for, at least, before it is handed out again."""
    open_process()
    return quarantine_length(&process_arena)


cdef void m4_limit_lowered "m4_limit_lowered"(uint64_t limit) noexcept nogil:
    """The program is about to lower RLIMIT_AS: keep no more than an eighth of it in reserve, so that it can live.

    Without this a large reservation made earlier would already exceed the new limit, and every mmap would fail.
    """
    cdef uint64_t reserved, keep
    cdef uint32_t i
    open_process()
    m4_acquire(&process_arena.lock)
    if process_arena.region_count != 0:
        reserved = 0
        for i in range(process_arena.region_count):
            reserved += process_arena.regions[i].reserved
        keep = limit // 8
        if reserved > keep:
            shrink_reservation(&process_arena, reserved - keep)
    m4_relinquish(&process_arena.lock)


# The Python face. The calls are shorter than releasing the interpreter's lock would take, so it is kept.

cdef object raise_misuse(int kind, const char *message):
    """Raise spec.error.Misuse for what the core found; `spec` is imported only now."""
    from m4alloc import Misuse

    cdef str name = "invalid-free"
    cdef str text = message.decode("ascii", "replace").removeprefix("m4alloc: ")
    if kind == DOUBLE_FREE:
        name = "use-after-free" if text.startswith("realloc") else "double-free"
    elif kind == INTERIOR_FREE:
        name = "interior-free"
    elif kind == SIZE_MISMATCH:
        name = "size-mismatch"
    elif kind == WRITE_AFTER_FREE:
        name = "use-after-free"
    elif kind == OVERFLOW or kind == UNDERFLOW:
        name = "out-of-bounds"
    raise Misuse(name, text)


cdef size_t checked_size(object size) except? 0:
    """A request size from Python: ValueError below zero, MemoryError above what any allocator can serve."""
    if size < 0:
        raise ValueError(f"size is {size}; it must not be negative")
    if size > 0x7FFFFFFFFFFFFFFF:
        raise MemoryError(f"no block of {size} bytes can exist")
    return size


cdef void thread_leaves(void *heap) noexcept nogil:
    """The destructor of the thread-specific keys of Python's arenas: a thread exits that had joined one.

    Thread.join may have returned already, and the arena be closed, or be closing: then its heap is none of any arena's.
    """
    cdef CoreArena *arena
    m4_acquire(&arenas_lock)
    arena = arenas
    while arena != NULL and not has_joined(arena, heap):
        arena = arena.next_arena
    if arena != NULL:
        leave_arena(arena, <Heap *>heap)
    m4_relinquish(&arenas_lock)


cdef class Block:
    """One live block of an Arena, as a writable buffer of the size asked for.

    Dropping a Block frees nothing; `with` and Arena.close() do. A dead Block raises Misuse when it is used.
    """

    cdef readonly Arena arena
    cdef char *start
    cdef size_t length
    cdef Py_ssize_t exports
    cdef object __weakref__

    def __init__(self):
        raise TypeError("a Block comes from Arena.malloc, calloc, realloc or aligned_alloc")

    cdef int require_alive(self) except -1:
        if self.start == NULL or self.arena.core == NULL:
            from m4alloc import Misuse

            raise Misuse("use-after-free", f"block of {self.length} bytes is dead")
        return 0

    @property
    def address(self):
        """Address of the first byte. Raises Misuse when the block is dead."""
        self.require_alive()
        return <uintptr_t>self.start

    @property
    def size(self):
        """Bytes asked for."""
        return self.length

    @property
    def usable_size(self):
        """Bytes that the core set aside, at least `size`; the buffer is `size` long. Raises Misuse when it is dead."""
        self.require_alive()
        return usable_bytes(self.arena.core, self.start)

    @property
    def alive(self):
        """False once freed, resized into another Block, or when the arena was closed."""
        return self.start != NULL and self.arena.core != NULL

    def __len__(self):
        return self.length

    def __repr__(self):
        if not self.alive:
            return f"<Block of {self.length} bytes, dead>"
        return f"<Block of {self.length} bytes at {<uintptr_t>self.start:#x}>"

    def __getbuffer__(self, Py_buffer *buffer, int flags):
        self.require_alive()
        PyBuffer_FillInfo(buffer, self, self.start, self.length, False, flags)
        self.exports += 1
        self.arena.exports += 1

    def __releasebuffer__(self, Py_buffer *buffer):
        self.exports -= 1
        self.arena.exports -= 1

    def __enter__(self):
        self.require_alive()
        return self

    def __exit__(self, *exception):
        if self.alive:
            self.arena.free(self)


cdef class Arena:
    """A heap of its own over one reservation of real memory, with the core's strategy and all its checks.

    capacity: bytes of slabs and large blocks at most, rounded up to 64 KiB units; 64 KiB to 16 TiB.
    strategy: an m4alloc.Strategy; None is the default.
    Raises: ValueError for a capacity out of range; MemoryError when address space or thread keys are out.
    """

    cdef CoreArena *core
    cdef Py_ssize_t exports
    cdef object __weakref__

    def __cinit__(self, capacity=1 << 30, strategy=None):
        cdef char message[REFUSAL_MAX]
        cdef bytes settings = b"" if strategy is None else strategy.to_environment().encode()  # may raise: comes first
        global arenas
        if not UNIT <= capacity <= 1 << 44:
            raise ValueError(f"capacity is {capacity} bytes; it must be from 65,536 (64 KiB) to 2**44 (16 TiB)")
        self.core = <CoreArena *>c_calloc(1, sizeof(CoreArena))
        if self.core == NULL:
            raise MemoryError("no memory for an Arena")
        default_knobs(&self.core.knobs)
        if strategy is not None and not read_settings(self.core, "strategy", settings, True, message):
            c_free(self.core)
            self.core = NULL
            raise ValueError(message.decode())
        self.core.knobs.capacity = (capacity + UNIT - 1) // UNIT * UNIT
        self.core.knobs.reserve = 2 * self.core.knobs.capacity
        self.core.misuse_mode = MISUSE_RAISE
        self.core.exits = thread_leaves
        if self.core.knobs.sample_rate != 0:
            m4_prepare_backtrace()
        if not open_arena(self.core, self.core.knobs.capacity):
            c_free(self.core)
            self.core = NULL
            raise MemoryError(f"no address space for an arena of {capacity} bytes, or over 1,000 arenas are open")
        watch_forks()
        m4_acquire(&arenas_lock)
        self.core.next_arena = arenas
        arenas = self.core
        m4_relinquish(&arenas_lock)

    def __dealloc__(self):
        self.discard()

    cdef void discard(self) noexcept:
        cdef CoreArena **link
        global arenas
        if self.core == NULL:
            return
        m4_acquire(&arenas_lock)
        link = &arenas
        while link[0] != self.core:
            link = &link[0].next_arena
        link[0] = self.core.next_arena
        m4_relinquish(&arenas_lock)
        close_arena(self.core)
        c_free(self.core)
        self.core = NULL

    cdef int require_open(self) except -1:
        if self.core == NULL:
            raise ValueError("the arena is closed")
        return 0

    cdef Block wrap(self, void *start, size_t length):
        cdef Block block
        if start == NULL:
            raise MemoryError(f"no room for {length} bytes in an arena of {self.core.knobs.capacity}")
        block = Block.__new__(Block)
        block.arena = self
        block.start = <char *>start
        block.length = length
        return block

    cdef char *take_back(self, Block block) except NULL:
        """The address of a live Block of ours that nobody looks into."""
        if block is None:
            raise TypeError("a Block is needed, not None")
        if block.start == NULL or block.arena.core == NULL:
            from m4alloc import Misuse

            raise Misuse("double-free", f"block of {block.length} bytes is dead")
        if block.arena is not self:
            from m4alloc import Misuse

            raise Misuse("invalid-free", f"{block!r} belongs to another arena")
        if block.exports:
            raise BufferError(f"{block!r} has exported buffers; release them first")
        return block.start

    def malloc(self, size):
        """A Block of `size` bytes with any contents. Raises MemoryError when the arena is full."""
        cdef size_t length = checked_size(size)
        self.require_open()
        return self.wrap(allocate(self.core, join_arena(self.core), length), length)

    def calloc(self, count, size):
        """A zeroed Block of count * size bytes. Raises MemoryError when the product overflows or the arena is full."""
        cdef size_t n = checked_size(count)
        cdef size_t length = checked_size(size)
        self.require_open()
        return self.wrap(allocate_zeroed(self.core, join_arena(self.core), n, length), checked_size(count * size))

    def aligned_alloc(self, alignment, size):
        """A Block of `size` bytes at a multiple of `alignment`, a power of two (ValueError otherwise)."""
        cdef size_t length = checked_size(size)
        cdef size_t multiple = checked_size(alignment)
        self.require_open()
        if multiple == 0 or multiple & (multiple - 1):
            raise ValueError(f"alignment is {alignment}; it must be a power of two")
        return self.wrap(allocate_aligned(self.core, join_arena(self.core), multiple, length), length)

    def realloc(self, Block block, size):
        """A Block of `size` bytes that begins with the old one's contents; the old one is dead.

        Raises: MemoryError leaves the old one alive; BufferError while buffers of it are exported; Misuse if it is dead.
        """
        cdef size_t length = checked_size(size)
        cdef char *old
        cdef void *start
        self.require_open()
        old = self.take_back(block)
        start = reallocate(self.core, join_arena(self.core), old, length if length else 1)
        if start == NULL:
            raise MemoryError(f"no room for {length} bytes in an arena of {self.core.knobs.capacity}")
        block.start = NULL
        return self.wrap(start, length)

    def free(self, Block block):
        """Free a Block; it is dead from now on. Raises Misuse if it was, BufferError while buffers are exported."""
        cdef char *start
        cdef int kind
        self.require_open()
        start = self.take_back(block)
        kind = release(self.core, join_arena(self.core), start)
        block.start = NULL
        if kind != NO_MISUSE:
            raise_misuse(kind, self.core.message)

    def call(self, int function, uintptr_t address=0, size_t size=0, size_t count=1, size_t alignment=0):
        """One request on addresses, for the oracle: (result, errno, misuse) with a spec.event.Function's number.

        misuse: 0, or why the pointer was refused: 1 double, 2 interior, 3 invalid, 4 size mismatch, 5 write after free.
        """
        cdef Heap *heap
        cdef CoreArena *core = self.core
        cdef uint64_t before
        cdef void *result = NULL
        cdef void *block = <void *>address
        cdef int misuse = NO_MISUSE
        cdef int code = 0
        self.require_open()
        heap = join_arena(core)
        before = core.misuses
        m4_set_errno(0)
        if not known(function):
            raise ValueError(f"function {function} is no request of the malloc family")
        misuse = request(core, heap, function, block, size, count, alignment, &result)
        code = m4_errno()
        if misuse == NO_MISUSE and core.misuses != before:
            misuse = DOUBLE_FREE  # a refused realloc, or one found when a slot left its quarantine
        return <uintptr_t>result, code if result == NULL and function != USABLE_SIZE else 0, misuse

    def totals(self):
        """Statistics as a dict of what is (bytes, or blocks, slabs, heaps, threads, regions) and of what has happened.

        docs/statistics.md has every key. Cost: O(slots).
        """
        cdef Statistics statistics
        self.require_open()
        take_statistics(self.core, &statistics)
        return {**statistics.totals, **statistics.counters}

    def classes(self):
        """The same of each size class that has had a slab, by slot size: a list of dicts, in slots unless it says slabs.

        slot_size and spans are bytes. Class 0 is that of requests of zero bytes, whose slots take no memory.
        """
        cdef Statistics statistics
        cdef uint32_t c
        self.require_open()
        take_statistics(self.core, &statistics)
        made = [statistics.of_class[c] for c in range(statistics.classes) if statistics.of_class[c].slabs_made]
        return sorted(made, key=lambda counts: counts["slot_size"])

    def trim(self, size_t keep=0):
        """Return the pages of free spans but `keep` bytes to the system; the bytes returned."""
        cdef size_t purged
        self.require_open()
        m4_acquire(&self.core.lock)
        let_go(self.core, 0)
        purged = purge_until(self.core, keep, 0)
        m4_relinquish(&self.core.lock)
        return purged

    @staticmethod
    def set_clock(ms):
        """Let the core's clock stand at `ms` milliseconds, in every arena of the process; None: the system's again.

        What waits by time (retain_ms) then waits by this, so that a recording can be replayed on its own clock. Set it
        before an arena's first request, and never back: what was freed in the future has waited for too long.
        Raises: ValueError, OverflowError for what is no number from 0 to 2**63 - 1.

        >>> from m4alloc import Arena
        >>> Arena.set_clock(0)
        >>> Arena.set_clock(None)
        """
        if ms is None:
            m4_set_clock(<uint64_t>-1)
        elif not 0 <= ms < 1 << 63:
            raise ValueError(f"the clock cannot stand at {ms}; it must be from 0 to 2**63 - 1 milliseconds")
        else:
            m4_set_clock(ms)

    def check(self):
        """Raise AssertionError with the name of an invariant that does not hold. Wants other threads outside.

        A thread that has been joined is outside, though it may still be giving its heap back.
        """
        cdef const char *broken
        self.require_open()
        m4_acquire(&self.core.lock)
        broken = broken_invariant(self.core)
        m4_relinquish(&self.core.lock)
        if broken != NULL:
            raise AssertionError(broken.decode())

    def close(self):
        """Give all memory back; every Block of the arena is dead. Raises BufferError while buffers are exported."""
        if self.exports:
            raise BufferError(f"{self.exports} buffers of the arena's blocks are exported; release them first")
        self.discard()

    @property
    def closed(self):
        """Whether close() has been called."""
        return self.core == NULL

    @property
    def quarantine(self):
        """Frees of its size class that a block waits for before its memory is handed out again."""
        self.require_open()
        return quarantine_length(self.core)

    @property
    def quarantine_limit(self):
        """The largest usable size that the quarantine applies to."""
        return quarantine_limit(self.core)

    def __enter__(self):
        self.require_open()
        return self

    def __exit__(self, *exception):
        self.close()


def malloc(size):
    """The address of a block of `size` bytes in the process's arena. Raises MemoryError."""
    cdef void *block = m4_malloc(checked_size(size))
    if block == NULL:
        raise MemoryError(f"no room for {size} bytes")
    return <uintptr_t>block


def calloc(count, size):
    """The address of count * size zeroed bytes. Raises MemoryError."""
    cdef void *block = m4_calloc(checked_size(count), checked_size(size))
    if block == NULL:
        raise MemoryError(f"no room for {count * size} bytes")
    return <uintptr_t>block


def aligned_alloc(alignment, size):
    """The address, a multiple of `alignment` (a power of two, else ValueError), of `size` bytes. Raises MemoryError."""
    cdef size_t multiple = checked_size(alignment)
    cdef void *block
    if multiple == 0 or multiple & (multiple - 1):
        raise ValueError(f"alignment is {alignment}; it must be a power of two")
    block = m4_aligned(multiple, checked_size(size))
    if block == NULL:
        raise MemoryError(f"no room for {size} bytes aligned to {alignment}")
    return <uintptr_t>block


def realloc(uintptr_t address, size):
    """The new address of a block resized to `size` bytes; 0 when size is 0. Raises MemoryError, Misuse."""
    cdef size_t length = checked_size(size)
    cdef uint64_t before = prepare_process()
    cdef void *block = m4_realloc(<void *>address, length)
    if process_arena.misuses != before:
        raise_misuse(DOUBLE_FREE, process_arena.message)
    if block == NULL and length != 0:
        raise MemoryError(f"no room for {size} bytes")
    return <uintptr_t>block


def free(uintptr_t address):
    """Free the block at `address`; 0 does nothing. Raises Misuse when it is not a live block's."""
    cdef int kind
    prepare_process()
    kind = m4_free(<void *>address)
    if kind != NO_MISUSE:
        raise_misuse(kind, process_arena.message)


def usable_size(uintptr_t address):
    """Bytes of the live block at `address` that may be used; 0 when there is none."""
    return m4_usable_size(<void *>address)


cdef uint64_t prepare_process():
    """In the extension the process's arena raises; how many misuses it has seen."""
    open_process()
    process_arena.misuse_mode = MISUSE_RAISE
    return process_arena.misuses
