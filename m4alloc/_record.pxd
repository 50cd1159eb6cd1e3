"""The recorder's contract with record_preload.c: the call in flight, and the entry points."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from m4alloc._record_layout cimport Record
from m4alloc._record_next cimport Target

cdef struct Call "m4_call":  # one intercepted call, on the stack of the caller's thread
    Record *record
    Call *outer
    Target *outer_target
    uint32_t generation
    int errno_before
    uint64_t misuses

cdef enum Entry "m4_entry":
    RECORDED "M4_RECORDED"    # forward, then leave
    FORWARD "M4_FORWARD"      # forward only
    BOOTSTRAP "M4_BOOTSTRAP"  # the recorder itself is calling: serve from its own buffer

cdef Entry enter "m4_enter"(Call *call, Target *target, uint8_t function, uint64_t address, uint64_t size,
                            uint64_t extra, void *site) noexcept nogil
cdef void leave "m4_leave"(Call *call) noexcept nogil
cdef void leave_number "m4_leave_number"(Call *call, uint64_t number) noexcept nogil
cdef void *leave_block "m4_leave_block"(Call *call, void *block) noexcept nogil
cdef void *leave_zeroed "m4_leave_zeroed"(Call *call, void *block, size_t total) noexcept nogil
cdef void *leave_resized "m4_leave_resized"(Call *call, void *block, const void *copy, size_t kept) noexcept nogil
cdef int leave_error "m4_leave_error"(Call *call, int error, void *block) noexcept nogil
cdef void leave_unwound "m4_leave_unwound"() noexcept nogil
cdef size_t observable "m4_observable"(void *block, size_t size) noexcept nogil
cdef size_t copy_old "m4_copy_old"(void *copy, const void *block, size_t length) noexcept nogil
cdef void *bootstrap "m4_bootstrap"(size_t size, size_t alignment) noexcept nogil
cdef size_t bootstrapped "m4_bootstrapped"(const void *block) noexcept nogil
cdef void resolve "m4_resolve"(Target *target, void *site) noexcept nogil
cdef void exiting "m4_exiting"() noexcept nogil
cdef void forked "m4_forked"() noexcept nogil
cdef void label "m4_label"(const char *name, uint64_t argument, void *site) noexcept nogil
