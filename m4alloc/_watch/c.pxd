"""The C world under the monitor: the core behind its hidden names, thread-local storage, what _core/c.pxd has not."""

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

from m4alloc._core.types cimport Arena, Record
from m4alloc._watch.types cimport Thread

cdef extern from "monitor_core.h" nogil:
    ctypedef struct CoreSettings "struct m4m_core_settings":
        uint64_t side_bytes
        uint64_t quarantine_bytes
        uint64_t large_delay
        uint32_t keeps_slabs
        uint32_t samples
    CoreSettings m4m_core_settings
    Arena *m4m_core_arena() noexcept
    void *m4m_core_malloc(size_t) noexcept
    void *m4m_core_calloc(size_t, size_t) noexcept
    void *m4m_core_realloc(void *, size_t) noexcept
    void *m4m_core_aligned(size_t, size_t) noexcept
    int m4m_core_free(void *) noexcept
    int m4m_core_free_found(Record *, char *, uint8_t *) noexcept
    int m4m_core_explain(void *) noexcept
    size_t m4m_core_usable(void *) noexcept

cdef extern from "monitor_hot.h":
    pass

cdef extern from "_monitor.h" nogil:
    enum:
        M4M_SHADOW_OFFSET
        M4M_SHADOW_SHIFT
    int m4m_shadow_on
    char *m4m_arena_base
    uint64_t m4m_arena_bytes
    void *m4m_plain_memcpy(void *, const void *, size_t) noexcept
    void *m4m_plain_memset(void *, int, size_t) noexcept

cdef extern from "monitor_thread.h" nogil:
    Thread *m4m_self           # this thread's; NULL: it has not been here yet
    int m4m_is_single_threaded() noexcept
    bint m4m_swap16(uint16_t *, uint16_t *expected, uint16_t) noexcept
    uint16_t m4m_load16(const uint16_t *) noexcept
    uint16_t m4m_set16(uint16_t *, uint16_t bits) noexcept     # as it was
    uint64_t m4m_kernel_thread() noexcept
    bint m4m_is_running(uint64_t kernel_id) noexcept
    void m4m_stack_bounds(char **low, char **high) noexcept
    void m4m_watch_thread_exit() noexcept
    void m4m_thread_found() noexcept     # one that is not the first: a call upwards
