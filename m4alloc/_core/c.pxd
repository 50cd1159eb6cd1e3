"""The C world under the core: what _atomics.h and libc offer, by name."""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

cdef extern from *:
    bint likely(bint) noexcept nogil
    bint unlikely(bint) noexcept nogil

cdef extern from "_atomics.h" nogil:
    enum:
        M4_FAULT
        M4_ORDER_FAULT
        M4_MONITOR
        M4_PRELOAD
        PROT_NONE
        PROT_READ
        PROT_WRITE
        MAP_PRIVATE
        MAP_ANONYMOUS
        MAP_NORESERVE
        MAP_FIXED
        MAP_FIXED_NOREPLACE
        MREMAP_MAYMOVE
        MREMAP_FIXED
        MREMAP_DONTUNMAP
        MADV_DONTNEED
        MADV_NORMAL
        MADV_HUGEPAGE
        MADV_NOHUGEPAGE
        MADV_POPULATE_WRITE
        MADV_GUARD_INSTALL
        MADV_GUARD_REMOVE
        ENOMEM
        EINVAL

    const char *M4_STRATEGY
    void *MAP_FAILED
    void *m4_thread_heap

    ctypedef struct m4_lock:
        uint32_t state
    ctypedef unsigned int pthread_key_t

    void m4_acquire(m4_lock *) noexcept
    void m4_relinquish(m4_lock *) noexcept
    int pthread_key_create(pthread_key_t *, void (*)(void *) noexcept nogil) noexcept
    int pthread_key_delete(pthread_key_t) noexcept
    int pthread_setspecific(pthread_key_t, const void *) noexcept
    void *pthread_getspecific(pthread_key_t) noexcept
    int pthread_atfork(void (*)() noexcept nogil, void (*)() noexcept nogil, void (*)() noexcept nogil) noexcept

    void *mmap(void *, size_t, int, int, int, long) noexcept
    int munmap(void *, size_t) noexcept
    int mprotect(void *, size_t, int) noexcept
    int madvise(void *, size_t, int) noexcept
    void *mremap(void *, size_t, size_t, int, ...) noexcept
    void *memset(void *, int, size_t) noexcept
    void *memcpy(void *, const void *, size_t) noexcept
    void *memmove(void *, const void *, size_t) noexcept
    int memcmp(const void *, const void *, size_t) noexcept
    size_t strlen(const char *) noexcept
    long write(int, const void *, size_t) noexcept
    int getpid() noexcept

    void m4_slab_made(void *start, uint64_t bytes) noexcept
    void m4_set_errno(int) noexcept
    void m4_forward_free(void *) noexcept
    int m4_errno() noexcept
    void m4_set_thread_heap(void *) noexcept
    void m4_count_refusal() noexcept
    bint m4_is_nobody(const void *heap) noexcept
    void *m4_self() noexcept
    void *m4_nobody() noexcept
    void *m4_exited() noexcept
    void sched_yield() noexcept
    uint64_t m4_multiply(uint64_t, uint64_t, uint64_t *low) noexcept
    uint8_t m4_read8(const uint8_t *) noexcept
    uint64_t m4_read64(const uint64_t *) noexcept
    uint64_t m4_read_states(const uint8_t *) noexcept
    void *m4_read_pointer(void **) noexcept
    uint8_t *m4_read_link(uint8_t *) noexcept
    void m4_write_link(uint8_t *, uint8_t *) noexcept
    void m4_write8(uint8_t *, uint8_t) noexcept
    void m4_fill8(uint8_t *, uint8_t, size_t) noexcept
    bint m4_swap8(uint8_t *, uint8_t expected, uint8_t) noexcept
    uint8_t m4_load8(const uint8_t *) noexcept
    uint8_t m4_exchange8(uint8_t *, uint8_t) noexcept
    uint32_t m4_exchange32(uint32_t *, uint32_t) noexcept
    uint32_t m4_add32(uint32_t *, uint32_t) noexcept
    uint64_t m4_add64(uint64_t *, uint64_t) noexcept
    uint32_t m4_load32(uint32_t *) noexcept
    uint64_t m4_load64(uint64_t *) noexcept
    void m4_store32(uint32_t *, uint32_t) noexcept
    void m4_store64(uint64_t *, uint64_t) noexcept
    void *m4_exchange_pointer(void **, void *) noexcept
    void *m4_load_pointer(void **) noexcept
    void m4_store_pointer(void **, void *) noexcept
    bint m4_swap32(uint32_t *, uint32_t expected, uint32_t) noexcept
    bint m4_swap_pointer(void **, void **expected, void *) noexcept
    char *m4_untag(void *) noexcept
    void m4_lock_streams() noexcept
    void m4_unlock_streams(bint child) noexcept
    void m4_say(const char *, size_t) noexcept
    int m4_floor_log2(uint64_t) noexcept
    int m4_lowest_bit(uint64_t) noexcept
    uint64_t m4_coarse_ms() noexcept
    void m4_set_clock(uint64_t ms) noexcept
    uint64_t m4_address_space_limit() noexcept
    bint m4_memory_is_limited() noexcept

cdef extern from "_hardening.h" nogil:
    void m4_entropy(void *, size_t) noexcept
    uint32_t m4_thread_id() noexcept
    uint32_t m4_backtrace(void **, uint32_t) noexcept
    void m4_write_frames(void **, uint32_t) noexcept
    void m4_prepare_backtrace() noexcept
    void m4_explain_faults() noexcept
    uint64_t m4_load_word(const char *) noexcept
    uint64_t m4_load_beside(const char *) noexcept
    void m4_store_word(char *, uint64_t) noexcept
    void m4_fill(char *, uint64_t length, uint64_t byte) noexcept
    uint64_t m4_first_unlike(const char *, uint64_t length, uint64_t byte) noexcept
    void m4_zero(char *, uint64_t) noexcept
    void m4_prefetch_slot(const char *, uint64_t slot_size) noexcept
    uint64_t m4_any_of_32(const char *) noexcept
    bint m4_is_zero(const char *, uint64_t) noexcept

cdef extern from "_cold.h" nogil:
    # The one call upwards: _fast.pyx opens the process's arena at a thread's first call.
    void *m4_enter(void *arena) noexcept

cdef extern from "<stdio.h>" nogil:
    int snprintf(char *, size_t, const char *, ...) noexcept

cdef extern from "<stdlib.h>" nogil:
    void abort() noexcept
    void *calloc(size_t, size_t) noexcept
    void free(void *) noexcept
    char *getenv(const char *) noexcept
    void _exit(int) noexcept
