"""The next allocator: where its functions are, what it offers, and which calls are its own business."""

from libc.stdint cimport uint32_t, uint64_t, uintptr_t

from m4alloc._record_file cimport GetInfo, Misuses, Process, UsableSize
from m4alloc._record_system cimport *

cdef enum:
    TARGETS = 64

cdef struct Target "m4_target":  # a function of the next allocator, where its code is and the object that holds it
    const char *name
    void *function
    uintptr_t code_stop
    uintptr_t object_start
    uintptr_t object_stop
    uint32_t looked_up

cdef struct Objects:
    Target own                # this library itself
    Target allocator          # the object that holds the next malloc
    Target *targets[TARGETS]  # every function that calls are passed on to
    uint32_t count


cdef inline void look_up(Objects *objects, Target *target, void *site, uint64_t page) noexcept nogil:
    """Find the next definition of the function; for one that only the caller's own libraries have, look there.

    A C++ runtime that came with dlopen is not in the global scope: the object that makes the call has it in its own.
    """
    cdef Dl_info info
    cdef void *handle
    cdef void *found = dlsym(RTLD_NEXT, target.name)
    cdef uint32_t place
    if found == NULL and site != NULL and dladdr(site, &info) and info.dli_fname != NULL:
        handle = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)
        found = dlsym(handle, target.name) if handle != NULL else NULL
    if found != NULL:
        locate(found, &target.object_start, &target.object_stop, &target.code_stop, page)
        if target.object_start <= <uintptr_t>&look_up < target.object_stop:
            found = NULL
    target.function = found
    if found != NULL:
        place = add32(&objects.count, 1, RELAXED)
        if place < TARGETS:
            storep(<char **>&objects.targets[place], <char *>target, RELEASE)
    store32(&target.looked_up, 1, RELEASE)


cdef inline void resolve_next(Objects *objects, Process *process) noexcept nogil:
    """Learn what the next allocator offers besides the calls that are forwarded.

    malloc_usable_size is believed only when it lives in the object that malloc lives in: an allocator without one
    would otherwise be read by the C library's, which would take its blocks for its own.
    """
    cdef Dl_info info, usable
    cdef Target *allocator = &objects.allocator
    cdef Target *own = &objects.own
    cdef void *symbol = dlsym(RTLD_NEXT, "malloc")
    cdef void *get
    process.page = <uint64_t>sysconf(_SC_PAGESIZE)
    if symbol != NULL and dladdr(symbol, &info):
        process.allocator = info.dli_fname
        get = dlsym(RTLD_NEXT, "malloc_usable_size")
        if get != NULL and dladdr(get, &usable) and usable.dli_fbase == info.dli_fbase:
            process.usable_size = <UsableSize>get
    process.misuses = <Misuses>dlsym(RTLD_NEXT, "m4alloc_refusals")  # of the calling thread
    get = dlsym(RTLD_NEXT, "m4alloc_info")
    if get != NULL:
        process.info = (<GetInfo>get)()
    locate(symbol, &allocator.object_start, &allocator.object_stop, &allocator.code_stop, process.page)
    locate(<void *>&resolve_next, &own.object_start, &own.object_stop, &own.code_stop, process.page)
    process.resolved = True


cdef inline bint is_within(uintptr_t site, uintptr_t start, uintptr_t stop) noexcept nogil:
    return site - start < stop - start


cdef inline bint is_internal(Objects *objects, const Target *inside, uintptr_t site) noexcept nogil:
    """Whether a call made inside a recorded one, to `inside`, is the allocator's own, as when operator new calls malloc.

    It is when it comes from anywhere in the allocator's object while that serves the call; from the code of a function
    that calls are passed on to, elsewhere (the C++ runtime also allocates exceptions, which are blocks of their own);
    or seemingly from here, after a jump from one such function to another. What anybody else does, such as a new
    handler, the program does.
    """
    cdef Target *target
    cdef uint32_t i
    if is_within(site, objects.own.object_start, objects.own.object_stop):
        return True
    if inside.object_start == objects.allocator.object_start:
        return is_within(site, objects.allocator.object_start, objects.allocator.object_stop)
    for i in range(min(load32(&objects.count, ACQUIRE), <uint32_t>TARGETS)):
        target = <Target *>loadp(<char **>&objects.targets[i], ACQUIRE)
        if target != NULL and is_within(site - 1, <uintptr_t>target.function, target.code_stop):
            return True
    return False
