"""The C contract of the core: what preload.c and other modules' `cimport m4alloc._fast` may call."""

from libc.stdint cimport uint64_t

from m4alloc._core.stats cimport Statistics, Totals

cdef void *m4_malloc "m4_malloc"(size_t size) noexcept nogil
cdef void *m4_calloc "m4_calloc"(size_t count, size_t size) noexcept nogil
cdef void *m4_realloc "m4_realloc"(void *block, size_t size) noexcept nogil
cdef void *m4_aligned "m4_aligned"(size_t alignment, size_t size) noexcept nogil
cdef int m4_free "m4_free"(void *block) noexcept nogil
cdef int m4_free_sized "m4_free_sized"(void *block, size_t size) noexcept nogil
cdef int m4_free_aligned_sized "m4_free_aligned_sized"(void *block, size_t alignment, size_t size) noexcept nogil
cdef size_t m4_usable_size "m4_usable_size"(void *block) noexcept nogil
cdef bint m4_is_foreign "m4_is_foreign"(void *block) noexcept nogil
cdef uint64_t m4_quarantine_limit "m4_quarantine_limit"() noexcept nogil
cdef bint m4_forwarding "m4_forwarding"() noexcept nogil
cdef size_t m4_trim "m4_trim"(size_t keep) noexcept nogil
cdef void m4_count "m4_count"(Totals *totals) noexcept nogil
cdef void m4_take_statistics "m4_take_statistics"(Statistics *statistics) noexcept nogil
cdef const char *m4_statistics_path "m4_statistics_path"() noexcept nogil
cdef uint64_t m4_misuses "m4_misuses"() noexcept nogil
cdef uint64_t m4_quarantine "m4_quarantine"() noexcept nogil
cdef void m4_limit_lowered "m4_limit_lowered"(uint64_t limit) noexcept nogil
