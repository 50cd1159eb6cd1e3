# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Arenas: opened once, joined by each thread that allocates or frees, left when the thread exits."""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport (m4_acquire, m4_exited, m4_nobody, m4_relinquish, m4_self, m4_set_thread_heap,
                              pthread_getspecific, pthread_key_create, pthread_key_delete, pthread_setspecific)
from m4alloc._core.chance cimport seed_arena
from m4alloc._core.heap cimport abandon, new_heap
from m4alloc._core.metadata cimport release_metadata
from m4alloc._core.region cimport release_regions, reserve_region
from m4alloc._core.size_class cimport build_classes
from m4alloc._core.types cimport Arena, Heap


cdef inline bint has_joined(Arena *arena, const void *heap) noexcept nogil:
    """Is it the calling thread's heap in this arena? `heap` may be anything, and is not followed."""
    cdef Heap *one
    m4_acquire(&arena.lock)
    one = arena.heaps
    while one != NULL and (one != heap or one.owner != m4_self()):
        one = one.next_heap
    m4_relinquish(&arena.lock)
    return one != NULL


cdef inline void leave_arena(Arena *arena, Heap *heap) noexcept nogil:
    """Abandon a heap in one step, for whoever holds the arena's lock."""
    m4_acquire(&arena.lock)
    heap.owner = NULL
    abandon(heap)
    m4_relinquish(&arena.lock)


cdef inline void thread_exits(void *heap) noexcept nogil:
    """What a thread's exit does to its heap: the destructor of the arena's thread-specific key."""
    if (<Heap *>heap).arena.process:
        m4_set_thread_heap(m4_exited())
    abandon(<Heap *>heap)


cdef inline bint open_key(Arena *arena) noexcept nogil:
    """Ask to be told of exiting threads, if there is a key left for it. Once there is, it stays the arena's."""
    if not arena.has_key:
        arena.has_key = pthread_key_create(&arena.key, arena.exits if arena.exits != NULL else thread_exits) == 0
    return arena.has_key


cdef inline bint open_arena(Arena *arena, uint64_t least) noexcept nogil:
    """Reserve address space and build the tables from arena.knobs; False: out of address space or of thread keys.

    least: bytes without which there is no point in an arena. The process's own arena does what it can without either.
    """
    build_classes(arena)
    seed_arena(arena)
    if not open_key(arena) and not arena.process:
        return False
    if not reserve_region(arena, arena.knobs.reserve, least):
        if not arena.process:
            pthread_key_delete(arena.key)
        return False
    return True


cdef inline void close_arena(Arena *arena) noexcept nogil:
    """Give everything back; no thread may use the arena or its blocks any more."""
    pthread_key_delete(arena.key)
    release_regions(arena)
    release_metadata(arena)


cdef inline Heap *join_arena(Arena *arena) noexcept nogil:
    """The calling thread's heap in an open arena, made or adopted when it has none; nobody's: out of memory or of keys."""
    cdef Heap *heap
    if not arena.process:  # the process's own is found without a call
        heap = <Heap *>pthread_getspecific(arena.key)
        if heap != NULL:
            return heap
    m4_acquire(&arena.lock)
    heap = new_heap(arena) if open_key(arena) else NULL
    m4_relinquish(&arena.lock)
    if heap == NULL:
        return <Heap *>m4_nobody()
    heap.owner = m4_self()
    if arena.process:
        m4_set_thread_heap(heap)  # first: pthread_setspecific may call malloc
    if pthread_setspecific(arena.key, heap) == 0:
        return heap
    if arena.process:  # memory is out, and nobody would abandon the heap when the thread exits
        m4_set_thread_heap(m4_nobody())
    leave_arena(arena, heap)
    return <Heap *>m4_nobody()
