# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""The rings of all threads as one trace file (docs/trace-format.md), which `m4alloc verify --trace` judges again.

Written where a violation is found, in a signal handler perhaps: memory is mapped, files are system calls, and no lock
is taken, so that other threads may go on. What they do meanwhile comes after the violation, and is left out.

A block that is older than the rings, and is touched in them or in the finding, gets its malloc at the beginning. The
rings of busy threads reach back less far than others: a malloc or free that only they had is put back in.
Records are numbered anew: the events of one thread have numbers of its own clock, two threads may have the same.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport MAP_ANONYMOUS, MAP_FAILED, MAP_NORESERVE, MAP_PRIVATE, PROT_READ, PROT_WRITE, getpid
from m4alloc._core.c cimport m4_load64, m4_load_pointer, mmap, munmap, strlen
from m4alloc._record_layout cimport EXIT, HEADER_SIZE, MISUSE_CAUGHT, REALLOC, RECORD_SIZE, RUNNING, VERSION, Header
from m4alloc._record_layout cimport Record as TraceRecord
from m4alloc._watch.c cimport m4m_plain_memcpy, m4m_plain_memset
from m4alloc._watch.depot cimport Stack, stack_of
from m4alloc._watch.place cimport find_place
from m4alloc._watch.ring cimport (RING_ADOPTED, RING_ENDED, RING_FREE, RING_LABEL, RING_LOAD, RING_MALLOC, RING_MOVED,
                                  RING_REFUSED, RING_REFUSED_REALLOC, RING_STORE, SIZE_BITS, EventRing, Noted, rings)
from m4alloc._watch.table cimport FIRST_LABEL, Machines, label_name
from m4alloc._watch.thread cimport threads
from m4alloc._watch.types cimport (DEAD, DOUBLE_FREE, IN_SAMPLE, IN_SLOT, INVALID_FREE, M4M_WRITE, NEVER, Finding,
                                   Place, Thread)

cdef extern from *:
    """
    #include <elf.h>
    #include <errno.h>
    #include <fcntl.h>
    #include <sys/syscall.h>
    #include <time.h>
    #include <unistd.h>
    #if defined(__aarch64__)
    #define M4M_MACHINE EM_AARCH64
    #else
    #define M4M_MACHINE EM_X86_64
    #endif
    """
    int M4M_MACHINE, AT_FDCWD, O_RDONLY, O_WRONLY, O_CREAT, O_EXCL, O_CLOEXEC, EINTR, errno
    int CLOCK_MONOTONIC, CLOCK_REALTIME
    long SYS_openat, SYS_close, SYS_read, SYS_write, SYS_readlinkat
    long syscall(long, ...) noexcept nogil
    int m4m_plain_memcmp(const void *, const void *, size_t) noexcept nogil
    int getppid() noexcept nogil
    ctypedef struct timespec "struct timespec":
        long tv_sec, tv_nsec
    int clock_gettime(int, timespec *) noexcept nogil

cdef extern from "monitor_state.h" nogil:
    Machines machines

cdef enum:
    OVERTAKEN = 64             # entries before the oldest sure one that are left out as well
    OUTPUT = 1 << 16           # bytes written at once
    RINGS_MOST = 1024          # further ones are left out

cdef struct Moment "m4m_trace_moment":             # an event out of a ring
    uint64_t pointer
    uint64_t size
    uint32_t event
    uint32_t stack
    uint32_t thread            # its number; 0: nobody knows any more
    uint64_t kernel_id
    const void *site           # NULL: the innermost of the stack
    uint32_t function
    uint32_t flags
    uint64_t moved             # given up by a realloc; 0: by a free
    bint ended                 # which wanted no bytes

cdef struct Touched "m4m_touched":               # a block by its base, in a hash table
    uint64_t base
    uint64_t size
    uint32_t first             # the event that touched it first
    uint32_t older             # and that was no malloc: the block is older than the rings
    uint32_t is_sized
    uint32_t lives

cdef struct Writing "m4m_trace_writing":           # what is being made
    Moment *moment
    uint64_t moments
    uint64_t room              # for moments
    Touched *touched
    uint64_t touched_mask
    char *output
    uint64_t filled
    long file
    bint failed


cdef inline const Thread *thread_numbered(uint32_t number) noexcept nogil:
    """The thread of that number, which may have ended; NULL: nobody knows it any more."""
    cdef const Thread *thread = threads.first
    while thread != NULL and thread.number != number:
        thread = thread.next
    return thread


# Collecting.

cdef inline void take_ring(Writing *writing, EventRing *ring) noexcept nogil:
    """Copy what is sure to be whole, the newest first; owners change where somebody has adopted the ring."""
    cdef uint64_t stop = m4_load64(&ring.next)
    cdef uint64_t at = stop, oldest
    cdef uint32_t owner = ring.owner
    cdef uint64_t kernel_id = ring.kernel_id
    cdef Noted *entry
    cdef Moment *moment
    while at != 0 and stop - at <= ring.mask and writing.moments < writing.room // 3:
        at -= 1
        entry = &ring.entry[at & ring.mask]
        if entry.what >> SIZE_BITS == RING_ADOPTED:
            owner = entry.event
            kernel_id = entry.pointer
            continue
        moment = &writing.moment[writing.moments]
        moment.pointer = entry.pointer
        moment.size = entry.what & ((<uint64_t>1 << SIZE_BITS) - 1)
        moment.function = <uint32_t>(entry.what >> SIZE_BITS)
        moment.event = entry.event
        moment.stack = entry.stack
        moment.thread = owner
        moment.kernel_id = kernel_id
        moment.site = NULL
        moment.flags = 0
        moment.moved = 0
        moment.ended = False
        if moment.function == RING_MOVED or moment.function == RING_ENDED:
            moment.moved = moment.pointer
            moment.ended = moment.function == RING_ENDED
            moment.function = RING_FREE
        writing.moments += 1
        # What its thread has written since may have gone over this entry.
        if m4_load64(&ring.next) != stop:
            oldest = m4_load64(&ring.next) + OVERTAKEN
            if oldest > ring.mask and at < oldest - ring.mask:
                writing.moments -= 1
                break


cdef inline uint64_t key_of(const Moment *moment) noexcept nogil:
    """What moments are sorted by: the event, then the thread."""
    return <uint64_t>moment.event << 32 | moment.thread


cdef inline void sift_down(Moment *moment, uint64_t root, uint64_t count) noexcept nogil:
    cdef uint64_t child = 2 * root + 1
    cdef Moment moved = moment[root]
    cdef uint64_t key = key_of(&moved)
    while child < count:
        if child + 1 < count and key_of(&moment[child + 1]) > key_of(&moment[child]):
            child += 1
        if key_of(&moment[child]) <= key:
            break
        moment[root] = moment[child]
        root = child
        child = 2 * root + 1
    moment[root] = moved


cdef inline void sort_moments(Moment *moment, uint64_t count) noexcept nogil:
    """By key, in place, without recursion."""
    cdef uint64_t i = count // 2
    cdef Moment last
    while i != 0:
        i -= 1
        sift_down(moment, i, count)
    i = count
    while i > 1:
        i -= 1
        last = moment[i]
        moment[i] = moment[0]
        moment[0] = last
        sift_down(moment, 0, i)


# Blocks that are older than what was kept.

cdef inline Touched *touched_of(Writing *writing, uint64_t base) noexcept nogil:
    """The entry of a block, empty (base 0) if it is new."""
    cdef uint64_t at = (base >> 4) * <uint64_t>0x9E3779B97F4A7C15 >> 20
    cdef Touched *touched = &writing.touched[at & writing.touched_mask]
    while touched.base != 0 and touched.base != base:
        at += 1
        touched = &writing.touched[at & writing.touched_mask]
    return touched


cdef inline uint64_t base_of(uint64_t address) noexcept nogil:
    """Where the block begins in which the address lies, 0: in none."""
    cdef Place place
    if not find_place(<const char *>address, &place) or place.kind == IN_SAMPLE or place.story == NULL:
        return 0
    return <uint64_t>place.base


cdef inline void add_moment(Writing *writing, uint32_t function, uint64_t pointer, uint64_t size, uint32_t event,
                            uint32_t stack, const Thread *thread) noexcept nogil:
    cdef Moment *moment
    if writing.moments == writing.room:
        return
    moment = &writing.moment[writing.moments]
    moment.function = function
    moment.pointer = pointer
    moment.size = size
    moment.event = event
    moment.stack = stack
    moment.thread = thread.number if thread != NULL else 0
    moment.kernel_id = thread.kernel_id if thread != NULL else 0
    moment.site = NULL
    moment.flags = 0
    moment.moved = 0
    moment.ended = False
    writing.moments += 1


cdef inline void mend(Writing *writing, const Moment *moment, const Touched *touched) noexcept nogil:
    """What must have happened to the block just before, though the ring of whoever did it has lost it.

    The events of a block are at least two apart where there was another in between.
    """
    if moment.function == RING_MALLOC and touched.lives:
        add_moment(writing, RING_FREE, moment.pointer, 0, moment.event - 1, 0, NULL)
    elif moment.function == RING_FREE and not touched.lives:
        add_moment(writing, RING_MALLOC, moment.pointer, moment.size, moment.event - 1, 0, NULL)


cdef inline void meet(Writing *writing, const Moment *moment) noexcept nogil:
    """Remember the first thing that happens to a block, its size if that is said, and whether it lives."""
    cdef uint64_t base = moment.pointer
    cdef Touched *touched
    if moment.function != RING_MALLOC and moment.function != RING_FREE:
        base = base_of(base) if base != 0 else 0
    if base == 0:
        return
    touched = touched_of(writing, base)
    if touched.base == 0:
        touched.base = base
        touched.first = moment.event
        touched.older = moment.function != RING_MALLOC
        touched.lives = 1
    else:
        mend(writing, moment, touched)
    if moment.function == RING_FREE and not touched.is_sized and moment.size != 0:
        touched.size = moment.size
        touched.is_sized = 1
    elif moment.function == RING_MALLOC:
        touched.is_sized = 1  # a later free is of another block
    if moment.function == RING_MALLOC or moment.function == RING_FREE:
        touched.lives = moment.function == RING_MALLOC


cdef inline void add_older(Writing *writing, Touched *touched) noexcept nogil:
    """The malloc of a block that is older than the rings; what nobody remembers of it is 0."""
    cdef Place place
    cdef bint same
    if not find_place(<const char *>touched.base, &place) or place.story == NULL or place.kind == IN_SAMPLE:
        return
    if <uint64_t>place.base != touched.base or place.life == NEVER:
        return
    same = place.story.born < touched.first
    if not touched.is_sized or same and touched.size == 0:
        touched.size = place.size if same else 0
    add_moment(writing, RING_MALLOC, touched.base, touched.size, place.story.born if same else 0,
               place.story.allocation if same else 0, NULL)
    if same and place.story.died != 0 and place.story.died < touched.first:
        add_moment(writing, RING_FREE, touched.base, touched.size, place.story.died, place.story.release, NULL)


cdef inline bint is_same(const Moment *last, const Finding *found, uint32_t function) noexcept nogil:
    """Whether it is the access that the finding is about, noted in the event before."""
    return last.function == function and last.event + 1 == found.event and \
        last.pointer == <uint64_t>found.address and last.size == found.size


cdef inline void add_finding(Writing *writing, const Finding *found, const Thread *thread,
                             const Moment *last) noexcept nogil:
    """What was wrong, as the last event, unless `last` is that already; and the block that it is about."""
    cdef Touched *touched
    cdef uint32_t function = 0
    if found.place.story != NULL and found.place.kind != IN_SAMPLE and found.place.life != NEVER:
        touched = touched_of(writing, <uint64_t>found.place.base)
        if touched.base == 0:
            touched.base = <uint64_t>found.place.base
            touched.first = found.event
            touched.older = 1
            if found.place.life == DEAD and found.place.story.died != 0:
                add_moment(writing, RING_FREE, touched.base, found.place.size, found.place.story.died,
                           found.place.story.release, NULL)
                touched.first = found.place.story.died
    if found.size != 0:
        function = RING_STORE if found.how & M4M_WRITE else RING_LOAD
    elif found.kind == DOUBLE_FREE or found.kind == INVALID_FREE:
        function = RING_FREE
    if last != NULL and last.thread == found.thread and (last.event == found.event or is_same(last, found, function)):
        return
    if function == 0:
        return
    add_moment(writing, function, <uint64_t>found.address, found.size, found.event, 0, thread)
    writing.moment[writing.moments - 1].site = found.site
    if function == RING_FREE:
        writing.moment[writing.moments - 1].flags = MISUSE_CAUGHT


# The file.

cdef inline void flush(Writing *writing) noexcept nogil:
    cdef uint64_t done = 0
    cdef long wrote
    while done < writing.filled and not writing.failed:
        wrote = syscall(SYS_write, writing.file, writing.output + done, writing.filled - done)
        if wrote > 0:
            done += <uint64_t>wrote
        elif wrote == 0 or errno != EINTR:
            writing.failed = True
    writing.filled = 0


cdef inline void put(Writing *writing, const void *bytes, uint64_t count) noexcept nogil:
    """Write up to OUTPUT bytes."""
    if writing.filled + count > OUTPUT:
        flush(writing)
    m4m_plain_memcpy(writing.output + writing.filled, bytes, count)
    writing.filled += count


cdef inline uint32_t read_file(const char *path, char *into, uint32_t room) noexcept nogil:
    """The first bytes of a file; how many."""
    cdef long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0)
    cdef long count
    cdef uint32_t done = 0
    if file < 0:
        return 0
    while done < room:
        count = syscall(SYS_read, file, into + done, room - done)
        if count <= 0:
            break
        done += <uint32_t>count
    syscall(SYS_close, file)
    return done


cdef inline uint64_t nanoseconds(int clock) noexcept nogil:
    cdef timespec now
    clock_gettime(clock, &now)
    return <uint64_t>now.tv_sec * 1000000000 + <uint64_t>now.tv_nsec


cdef inline void put_header(Writing *writing, bint exited, uint64_t labels_size) noexcept nogil:
    cdef Header *header = <Header *>writing.output
    cdef char *magic = &header.magic[0]
    m4m_plain_memset(header, 0, HEADER_SIZE)
    m4m_plain_memcpy(magic, <const char *>b"\x89M4T\r\n\x1a\n", 8)
    header.version = VERSION
    header.header_size = HEADER_SIZE
    header.record_size = RECORD_SIZE
    header.end_reason = EXIT if exited else RUNNING
    header.pid = <uint32_t>getpid()
    header.parent_pid = <uint32_t>getppid()
    header.machine = M4M_MACHINE
    header.started_ns = nanoseconds(CLOCK_REALTIME)
    header.monotonic_ns = nanoseconds(CLOCK_MONOTONIC)
    m4m_plain_memcpy(&header.allocator[0], <const char *>b"libm4monitor.so", 15)
    syscall(SYS_readlinkat, AT_FDCWD, <const char *>b"/proc/self/exe", &header.executable[0], 511)
    header.command_size = read_file(b"/proc/self/cmdline", &header.command[0], 2688)
    if labels_size != 0:
        header.labels_offset = HEADER_SIZE + writing.moments * RECORD_SIZE
        header.labels_size = labels_size
    writing.filled = HEADER_SIZE


cdef inline uint64_t room_of(const Moment *moment) noexcept nogil:
    """Usable bytes of a block that was handed out: its slot, so that what is beside the request is still its own."""
    cdef Place place
    if find_place(<const char *>moment.pointer, &place) and <uint64_t>place.base == moment.pointer:
        if place.kind == IN_SLOT and place.room >= moment.size:
            return place.room
        if place.kind != IN_SLOT and place.story != NULL and place.story.born == moment.event:
            return place.room
    return moment.size


cdef inline void put_record(Writing *writing, const Moment *moment, uint64_t number, uint32_t labels) noexcept nogil:
    cdef TraceRecord record
    cdef const Stack *stack = stack_of(moment.stack)
    cdef const Thread *thread
    cdef uint64_t kernel_id = moment.kernel_id
    if moment.thread == 0 and stack != NULL:
        thread = thread_numbered(stack.thread)
        kernel_id = thread.kernel_id if thread != NULL else 0
    m4m_plain_memset(&record, 0, sizeof(record))
    record.begin = 2 * number + 1
    record.end = 2 * number + 2
    record.usable = -1
    record.intact = -1
    record.site = <uint64_t>(moment.site if moment.site != NULL or stack == NULL else stack.frame[0])
    record.thread = <uint32_t>kernel_id
    record.function = <uint8_t>moment.function
    record.flags = <uint8_t>moment.flags
    record.size = moment.size
    if moment.function == RING_MALLOC:
        record.result = moment.pointer
        record.usable = <long long>room_of(moment)
    elif moment.function == REALLOC:
        record.address = moment.moved if moment.moved != 0 else moment.pointer
        if moment.ended:
            record.size = 0
        else:
            record.result = moment.pointer
            record.usable = <long long>room_of(moment)
    elif moment.function == RING_LABEL:
        record.size = 0
        record.extra = moment.pointer
        if FIRST_LABEL <= moment.size < FIRST_LABEL + labels:
            record.address = moment.size - FIRST_LABEL + 1
    else:
        record.address = moment.pointer
        if moment.function == RING_REFUSED or moment.function == RING_REFUSED_REALLOC:
            record.function = <uint8_t>(RING_FREE if moment.function == RING_REFUSED else REALLOC)
            record.flags = MISUSE_CAUGHT
        if record.function == RING_FREE:
            record.size = 0
    put(writing, &record, RECORD_SIZE)


cdef inline void put_all(Writing *writing, bint exited) noexcept nogil:
    cdef uint32_t labels = machines.label_count
    cdef uint64_t size = 0, length
    cdef uint64_t i
    for i in range(labels):
        size += strlen(label_name(&machines, <uint32_t>(FIRST_LABEL + i))) + (1 if i != 0 else 0)
    put_header(writing, exited, size)
    for i in range(writing.moments):
        put_record(writing, &writing.moment[i], i, labels)
    for i in range(labels):
        if i != 0:
            put(writing, b"\0", 1)
        length = strlen(label_name(&machines, <uint32_t>(FIRST_LABEL + i)))
        put(writing, label_name(&machines, <uint32_t>(FIRST_LABEL + i)), length if length < OUTPUT else OUTPUT)
    flush(writing)


cdef inline void make_moments(Writing *writing, const Finding *found, bint exited) noexcept nogil:
    """What is to be written, in order."""
    cdef EventRing *ring = <EventRing *>m4_load_pointer(<void **>&rings.first)
    cdef uint64_t i, count
    cdef uint64_t last
    while ring != NULL:
        take_ring(writing, ring)
        ring = ring.older
    sort_moments(writing.moment, writing.moments)
    if not exited:
        last = <uint64_t>found.event << 32 | found.thread
        while writing.moments != 0 and key_of(&writing.moment[writing.moments - 1]) > last:
            writing.moments -= 1
    count = writing.moments
    for i in range(count):
        meet(writing, &writing.moment[i])
    add_finding(writing, found, thread_numbered(found.thread), &writing.moment[count - 1] if count != 0 else NULL)
    for i in range(writing.touched_mask + 1):
        if writing.touched[i].base != 0 and writing.touched[i].older:
            add_older(writing, &writing.touched[i])
    if writing.moments != count:
        sort_moments(writing.moment, writing.moments)


cdef inline void join_moves(Writing *writing) noexcept nogil:
    """What a realloc gave up and, next in its thread, handed out, are one event."""
    cdef uint64_t i, j, kept = 0
    cdef Moment *moment = writing.moment
    for i in range(writing.moments):
        if moment[i].moved == 0 or moment[i].function != RING_FREE:
            continue
        if moment[i].ended:
            moment[i].function = REALLOC
            continue
        j = i + 1
        while j < writing.moments and moment[j].thread != moment[i].thread:
            j += 1
        if j < writing.moments and moment[j].function == RING_MALLOC:
            moment[j].moved = moment[i].pointer
            moment[j].function = REALLOC
            moment[i] = moment[j]
            moment[j].function = RING_ADOPTED
    for i in range(writing.moments):
        if moment[i].function != RING_ADOPTED:
            moment[kept] = moment[i]
            kept += 1
    writing.moments = kept


cdef inline bint is_at_exit(const Finding *found) noexcept nogil:
    """Whether it is the end of the program that decided."""
    return found.size == 0 and found.verb != NULL and m4m_plain_memcmp(found.verb, b"exit", 5) == 0


cdef inline long new_file(const char *path) noexcept nogil:
    """A new file for a trace, or less than 0: there is one of this name, or it cannot be."""
    return syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)


cdef inline bint write_trace "m4m_write_trace"(const Finding *found, long file) noexcept nogil:
    """Write what is known of the time before the finding into an open file, and close it; False: not all of it.

    Cost: some milliseconds for each ring of 4,096 events.
    """
    cdef bint exited = is_at_exit(found)
    cdef Writing writing
    cdef EventRing *ring = <EventRing *>m4_load_pointer(<void **>&rings.first)
    cdef uint64_t events = 0, count = 0, slots = 1024, bytes
    cdef char *memory
    m4m_plain_memset(&writing, 0, sizeof(writing))
    while ring != NULL and count < RINGS_MOST:
        events += ring.mask + 1
        count += 1
        ring = ring.older
    while slots < 2 * (events + 2):
        slots *= 2
    writing.room = 3 * events + 8
    writing.touched_mask = slots - 1
    bytes = OUTPUT + writing.room * sizeof(Moment) + slots * sizeof(Touched)
    memory = <char *>mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
    if <void *>memory == MAP_FAILED:
        syscall(SYS_close, file)
        return False
    writing.output = memory
    writing.moment = <Moment *>(memory + OUTPUT)
    writing.touched = <Touched *>(writing.moment + writing.room)
    make_moments(&writing, found, exited)
    join_moves(&writing)
    writing.file = file
    put_all(&writing, exited)
    syscall(SYS_close, file)
    munmap(memory, bytes)
    return not writing.failed
