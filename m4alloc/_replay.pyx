# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: autotestdict=False, embedsignature=True, freethreading_compatible=True
"""The replayer: makes a recorded program's calls again, on whatever malloc is in the process, and takes the time.

Compiled into libm4replay.so only (replay_preload.c includes the generated C). Its constructor runs before main: with
M4ALLOC_REPLAY naming a file of operations it replays them, writes a Result to standard output and leaves, so that
the host program's own main never allocates. m4alloc/trace/operations.py makes the file; no Python is in the process.
"""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport atoll, calloc, free, getenv, malloc, realloc
from libc.string cimport strlen, strstr

cdef extern from *:
    """
    #include <dlfcn.h>
    #include <fcntl.h>
    #include <malloc.h>
    #include <stdint.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/mman.h>
    #include <time.h>
    #include <unistd.h>
    """
    ctypedef struct Dl_info:
        const char *dli_fname
    int dladdr(const void *, Dl_info *) nogil
    int open(const char *, int, ...) nogil
    int close(int) nogil
    ssize_t read(int, void *, size_t) nogil
    ssize_t write(int, const void *, size_t) nogil
    void leave_process "_exit"(int) nogil
    int O_RDONLY, O_WRONLY
    void *mmap(void *, size_t, int, int, int, long) nogil
    int PROT_READ, PROT_WRITE, MAP_PRIVATE, MAP_ANONYMOUS, MAP_POPULATE
    void *MAP_FAILED_ "MAP_FAILED"
    ctypedef struct timespec "struct timespec":
        long tv_sec, tv_nsec
    int clock_gettime(int, timespec *) nogil
    int CLOCK_MONOTONIC
    void *memalign(size_t, size_t) nogil
    void *aligned_alloc(size_t, size_t) nogil
    void *valloc(size_t) nogil
    void *pvalloc(size_t) nogil
    int posix_memalign(void **, size_t, size_t) nogil
    size_t malloc_usable_size(void *) nogil

cdef enum Kind:  # as Function in spec/event.py
    MALLOC = 1
    CALLOC = 2
    REALLOC = 3
    FREE = 5
    ALIGNED_ALLOC = 6
    MEMALIGN = 7
    POSIX_MEMALIGN = 8
    VALLOC = 9
    PVALLOC = 10
    USABLE_SIZE = 11

cdef enum:
    WINDOW = 65536  # operations read at once, outside of the time taken
    STRIDE = 4096   # one byte in so many is written, and the last

cdef struct Operation:  # 24 bytes
    uint32_t kind
    uint32_t slot   # where the block's address is kept; 0 is always NULL
    uint64_t size
    uint64_t extra  # count of calloc, else the alignment

cdef struct Plan:  # the file's first 24 bytes
    uint64_t slots
    uint64_t prelude  # operations before the clock starts
    uint64_t operations

cdef struct Result:
    uint64_t nanoseconds
    uint64_t requests
    uint64_t failures  # requests that returned NULL, which the recorded ones did not
    uint64_t baseline  # resident bytes before the first operation
    uint64_t peak      # the most there ever were

cdef Operation window[WINDOW]
cdef char text[8192]


cdef uint64_t now() noexcept nogil:
    cdef timespec time
    clock_gettime(CLOCK_MONOTONIC, &time)
    return <uint64_t>time.tv_sec * 1000000000 + <uint64_t>time.tv_nsec


cdef size_t read_all(int fd, void *into, size_t length) noexcept nogil:
    """Read until length bytes are there or the file ends."""
    cdef size_t have = 0
    cdef ssize_t got
    while have < length:
        got = read(fd, <char *>into + have, length - have)
        if got <= 0:
            break
        have += <size_t>got
    return have


cdef uint64_t status(const char *field) noexcept nogil:
    """A field of /proc/self/status, in bytes."""
    cdef int fd = open("/proc/self/status", O_RDONLY)
    cdef const char *found
    text[read_all(fd, text, sizeof(text) - 1)] = 0
    close(fd)
    found = strstr(text, field)
    return <uint64_t>atoll(found + strlen(field)) * 1024 if found != NULL else 0


cdef void reset_peak() noexcept nogil:
    """Let the peak begin at what is resident now."""
    cdef int fd = open("/proc/self/clear_refs", O_WRONLY)
    if fd >= 0:
        write(fd, "5", 1)
        close(fd)


cdef void touch(char *block, uint64_t size) noexcept nogil:
    """Write to every page of the block, as a program that asked for it would."""
    cdef uint64_t i = 0
    while i < size:
        (<volatile char *>block)[i] = 1
        i += STRIDE
    if size:
        (<volatile char *>block)[size - 1] = 1


cdef uint64_t perform(const Operation *operations, size_t count, void **slots) noexcept nogil:
    """Make the calls and return how many failed. A failed realloc keeps its block, like the program's would."""
    cdef const Operation *op
    cdef void *block
    cdef uint64_t failures = 0
    cdef size_t i
    for i in range(count):
        op = &operations[i]
        if op.kind == FREE:
            free(slots[op.slot])
            slots[op.slot] = NULL
            continue
        if op.kind == MALLOC:
            block = malloc(op.size)
        elif op.kind == REALLOC:
            block = realloc(slots[op.slot], op.size)
            if block == NULL and op.size != 0:
                failures += 1
                continue
        elif op.kind == CALLOC:
            block = calloc(op.extra, op.size)
        elif op.kind == USABLE_SIZE:
            malloc_usable_size(slots[op.slot])
            continue
        elif op.kind == ALIGNED_ALLOC:
            block = aligned_alloc(op.extra, op.size)
        elif op.kind == MEMALIGN:
            block = memalign(op.extra, op.size)
        elif op.kind == POSIX_MEMALIGN:
            if posix_memalign(&block, op.extra, op.size) != 0:
                block = NULL
        elif op.kind == VALLOC:
            block = valloc(op.size)
        else:
            block = pvalloc(op.size)
        slots[op.slot] = block
        if block == NULL:
            failures += op.kind != REALLOC
        else:
            touch(<char *>block, op.size * op.extra if op.kind == CALLOC else op.size)
    return failures


cdef uint64_t run(int fd, uint64_t left, void **slots, uint64_t *nanoseconds) noexcept nogil:
    """Perform the file's next operations; returns how many failed, and adds the time that they took."""
    cdef uint64_t failures = 0
    cdef uint64_t count, started
    while left > 0:
        count = min(left, <uint64_t>WINDOW)
        if read_all(fd, window, count * sizeof(Operation)) != count * sizeof(Operation):
            leave_process(2)
        started = now()
        failures += perform(window, count, slots)
        nanoseconds[0] += now() - started
        left -= count
    return failures


cdef void replay "m4_replay"() noexcept nogil:
    """Run the file that M4ALLOC_REPLAY names, if it does, and leave; 2: it cannot be read."""
    cdef const char *path = getenv("M4ALLOC_REPLAY")
    cdef Plan plan
    cdef Result result
    cdef Dl_info info
    cdef void **slots
    cdef uint64_t unused = 0
    cdef int fd
    if path == NULL:
        return
    fd = open(path, O_RDONLY)
    if fd < 0 or read_all(fd, &plan, sizeof(plan)) != sizeof(plan):
        leave_process(2)
    slots = <void **>mmap(NULL, plan.slots * sizeof(void *), PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0)
    if <void *>slots == MAP_FAILED_:
        leave_process(2)
    result.nanoseconds = 0
    result.requests = plan.operations - plan.prelude
    touch(<char *>window, sizeof(window))
    reset_peak()
    result.baseline = status("VmRSS:")
    result.failures = run(fd, plan.prelude, slots, &unused) + run(fd, result.requests, slots, &result.nanoseconds)
    result.peak = status("VmHWM:")
    write(1, &result, sizeof(result))
    if dladdr(<void *>&malloc, &info) and info.dli_fname != NULL:
        write(1, info.dli_fname, strlen(info.dli_fname))
    leave_process(0)
