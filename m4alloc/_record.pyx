# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
# cython: autotestdict=False, embedsignature=True, freethreading_compatible=True
"""The recorder: one record for each call of the malloc family, written into a file that the process maps.

Compiled into libm4record.so only (record_preload.c includes the generated C); it is never imported. A call claims
its record before it enters the next allocator and writes the request there, so that a crash leaves the call visible;
it writes the reply when the allocator has returned. docs/record.md explains the design, docs/trace-format.md the
file. No function here allocates, and none touches a Python object. Read it from the bottom up: enter, leave,
claim, grow, start.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t, uintptr_t
from libc.string cimport memset, strlen

from m4alloc._record_bootstrap cimport Buffer, size_in, take
from m4alloc._record_evidence cimport *
from m4alloc._record_file cimport *
from m4alloc._record_label cimport *
from m4alloc._record_layout cimport *
from m4alloc._record_next cimport *
from m4alloc._record_system cimport *
from m4alloc._record_thread cimport *

cdef enum:
    EMPTY = 0     # nothing started in this process yet
    STARTING = 1
    ON = 2
    OFF = 3       # not asked to record, or the trace has ended
    CHUNKS = 131072  # records for 94 GB
    LOOK_LIMIT = 1 << 26  # evidence is not gathered on longer blocks

cdef struct Reply:
    uint64_t end
    int error  # errno after the call, which began with 0 there

cdef Process process
cdef Objects objects
cdef char *directory[CHUNKS]    # the first record of each chunk that is mapped
cdef uint32_t finished[CHUNKS]  # records of it that nobody will write any more
cdef uint32_t growing           # the only lock
cdef uint64_t capacity          # records the file can have; 0: no bound yet
cdef uint64_t claimed
cdef uint64_t sequence
cdef Labels labels
cdef Range handed_out
cdef Buffer buffer


# --- the bootstrap buffer: what dlsym itself allocates while it looks for the allocator ---

cdef void *bootstrap(size_t size, size_t alignment) noexcept nogil:
    """A zeroed block of the static buffer; NULL when the buffer is used up."""
    return take(&buffer, size, alignment)


cdef size_t bootstrapped(const void *block) noexcept nogil:
    """The size (at least 1) of a block of the buffer, 0 for any other pointer."""
    return size_in(&buffer, block)


# --- the next allocator ---

cdef void resolve(Target *target, void *site) noexcept nogil:
    """Find the next definition of the function; for one that only the caller's own libraries have, look there."""
    cdef int before = errno_location()[0]
    m4_thread.busy += 1
    if process.page == 0:
        process.page = <uint64_t>sysconf(_SC_PAGESIZE)
    look_up(&objects, target, site, process.page)
    m4_thread.busy -= 1
    errno_location()[0] = before


# --- the file ---

cdef void end_trace(EndReason why) noexcept nogil:
    """Record nothing more in this process, nor in children it forks from now on: their heap would be unknown."""
    process.ended = True
    if process.header.end_reason == RUNNING:
        process.header.end_reason = why
    store32(m4_status, OFF, RELEASE)


# --- chunks of records: the file grows by one under a lock, and a finished one is unmapped ---

cdef void add_chunk() noexcept nogil:
    """Append the next chunk to the file, cut short where the file may not grow further; or end the trace."""
    cdef uint64_t first = first_slot(process.chunks)
    cdef uint64_t count = length_of(process.chunks)
    cdef uint64_t offset = HEADER_SIZE + first * RECORD_SIZE
    cdef EndReason why
    cdef uint64_t allowed = room(&process, &why)
    cdef struct_stat status
    cdef char *start = NULL
    cdef long fd
    if offset + count * RECORD_SIZE > allowed:
        count = (allowed - offset) // RECORD_SIZE if allowed > offset else 0
        process.full = why
        store64(&capacity, first + count, RELEASE)
        if count == 0:
            end_trace(why)
            return
    fd = syscall(SYS_openat, AT_FDCWD, <char *>process.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0)
    if fd < 0:
        end_trace(VANISHED)
        return
    if fstat(<int>fd, &status) != 0 or status.st_dev != process.device or status.st_ino != process.inode:
        end_trace(VANISHED)
    elif not reserve(fd, offset, count * RECORD_SIZE):
        end_trace(FILE_LIMIT if errno_location()[0] == EFBIG else DISK_FULL)
    else:
        start = map_file(fd, offset, count * RECORD_SIZE, process.page)
        if start == NULL:
            end_trace(MAP_FAILED)
        else:
            storep(&directory[process.chunks], start, RELEASE)
            process.chunks += 1
    syscall(SYS_close, fd)


cdef void grow(uint64_t chunk) noexcept nogil:
    """Map chunks up to this one unless the trace ends first. Signals wait: a handler may jump away for good."""
    cdef sigset_t everything, before
    sigfillset(&everything)
    pthread_sigmask(SIG_SETMASK, &everything, &before)
    while exchange32(&growing, 1, ACQUIRE):
        sched_yield()
    while process.chunks <= chunk and not process.ended and load64(&capacity, ACQUIRE) == 0:
        add_chunk()
    store32(&growing, 0, RELEASE)
    pthread_sigmask(SIG_SETMASK, &before, NULL)


cdef void finish(uint32_t chunk) noexcept nogil:
    """Nobody will write to one more batch of the chunk; whoever finishes the last one unmaps it."""
    cdef uint64_t count = length_of(chunk)
    cdef char *start
    if add32(&finished[chunk], BATCH, SEQ_CST) + BATCH == count and load64(&capacity, ACQUIRE) == 0:
        start = directory[chunk]
        storep(&directory[chunk], NULL, RELEASE)
        unmap_file(start, count * RECORD_SIZE, process.page)


cdef void finish_batch() noexcept nogil:
    """The thread is done with its batch.

    While a call is in flight further out, its record may lie in the batch: then the chunk stays mapped for good.
    """
    m4_thread.claiming += 1
    fence(SEQ_CST)
    if m4_thread.claimed and m4_thread.innermost == NULL and m4_thread.generation == process.generation:
        finish(m4_thread.chunk)
    m4_thread.claimed = 0
    m4_thread.next = m4_thread.last = NULL
    fence(SEQ_CST)
    m4_thread.claiming -= 1


cdef char *claim_batch(uint64_t *slot, char **last) noexcept nogil:
    """Claim the next batch of records: the first of them, its slot, and where they end. NULL: the trace has ended."""
    cdef uint64_t chunk, bound
    cdef char *start
    slot[0] = add64(&claimed, BATCH, RELAXED)
    chunk = chunk_of(slot[0])
    if chunk >= CHUNKS:
        end_trace(LIMIT)
        return NULL
    start = loadp(&directory[chunk], ACQUIRE)
    if start == NULL:
        grow(chunk)
        start = loadp(&directory[chunk], ACQUIRE)
    bound = load64(&capacity, ACQUIRE)
    if bound and slot[0] >= bound:
        end_trace(process.full)
        start = NULL
    if start == NULL:
        return NULL
    start += (slot[0] - first_slot(<uint32_t>chunk)) * RECORD_SIZE
    last[0] = start + (min(<uint64_t>BATCH, bound - slot[0]) if bound else BATCH) * RECORD_SIZE
    return start


cdef bint refill() noexcept nogil:
    """Claim the next batch of records for this thread. False: the trace has ended."""
    cdef uint64_t slot
    cdef char *last
    cdef char *start
    finish_batch()
    if m4_thread.generation != process.generation:
        m4_thread.generation = process.generation
        m4_thread.id = <uint32_t>syscall(SYS_gettid)
        m4_thread.busy += 1
        pthread_setspecific(m4_key, &m4_thread)
        m4_thread.busy -= 1
    start = claim_batch(&slot, &last)
    if start == NULL:
        return False
    m4_thread.chunk = <uint32_t>chunk_of(slot)
    m4_thread.claimed = BATCH
    m4_thread.next = start
    m4_thread.last = last
    return True


# --- the start of a recording: at the first call of the program, and again in a forked child ---

cdef bint watch_forks() noexcept nogil:
    """Move the state word into a page of its own that a fork wipes, however the fork is made.

    Where the kernel cannot (before 4.14, or under an emulator), forked() clears the word after fork().
    """
    cdef void *page = mmap(NULL, process.page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if page == MAP_FAILED_:
        return False
    madvise(page, process.page, MADV_WIPEONFORK)
    (<uint32_t *>page)[0] = STARTING
    storep(<char **>&m4_status, <char *>page, RELEASE)
    return True


cdef void forget_parent() noexcept nogil:
    """Drop what this child inherited of its parent's file; it is mapped shared, and nothing may be written to it."""
    global claimed, capacity, growing
    cdef uint32_t chunk
    for chunk in range(process.chunks):
        if directory[chunk] != NULL and (capacity == 0 or first_slot(chunk + 1) <= capacity):
            unmap_file(directory[chunk], length_of(chunk) * RECORD_SIZE, process.page)
        directory[chunk] = NULL
        finished[chunk] = 0
    forget_labels(&labels)
    process.chunks = 0
    claimed = capacity = 0
    growing = 0


cdef bint start() noexcept nogil:
    """Begin a trace of this process. False: it is not to be recorded, or cannot be."""
    cdef Header *parent = process.header
    cdef uint32_t parent_pid = process.pid if parent != NULL else <uint32_t>getppid()
    cdef char parent_file[256]
    cdef size_t name
    memset(parent_file, 0, sizeof(parent_file))
    process.pid = <uint32_t>getpid()
    if not process.resolved:
        resolve_next(&objects, &process)
        if not read_settings(&process) or not watch_forks() or pthread_key_create(&m4_key, thread_exits) != 0:
            return False
    elif process.ended or parent == NULL:
        return False
    else:
        name = strlen(process.path)
        while process.path[name - 1] != c'/':
            name -= 1
        copy_text(parent_file, &process.path[name], sizeof(parent_file))
        forget_parent()
    process.generation += 1
    if not create_file(&process):
        process.ended = True
        return False
    fill_header(&process, parent_pid, parent_file, load64(&sequence, ACQUIRE))
    if parent != NULL:
        unmap_file(<char *>parent, HEADER_SIZE, process.page)
    return True


cdef uint32_t begin_recording() noexcept nogil:
    """Start, or wait for the thread that does; returns ON or OFF."""
    cdef sigset_t everything, before
    cdef uint32_t status = EMPTY
    if swap32(m4_status, &status, STARTING, False, SEQ_CST, SEQ_CST):
        sigfillset(&everything)
        pthread_sigmask(SIG_SETMASK, &everything, &before)
        m4_thread.busy += 1
        status = ON if start() else OFF
        store32(m4_status, status, RELEASE)
        m4_thread.busy -= 1
        pthread_sigmask(SIG_SETMASK, &before, NULL)
    while status == STARTING:
        sched_yield()
        status = load32(m4_status, ACQUIRE)
    return status


cdef void forked() noexcept nogil:
    """The child's side of fork(): the page is wiped already, except where the kernel cannot do that."""
    if process.header != NULL and process.pid != <uint32_t>getpid():
        store32(m4_status, EMPTY, RELEASE)


cdef void exiting() noexcept nogil:
    """exit() was called. Calls that come later are recorded all the same."""
    if load32(m4_status, ACQUIRE) == ON and process.header.end_reason == RUNNING:
        process.header.end_reason = EXIT


cdef void thread_exits(void *thread) noexcept nogil:
    """The thread's last destructors run, and after them the C library frees what it kept for the thread.

    Nobody tells when that is over, so from now on each call gets a batch of its own, which it finishes.
    """
    m4_thread.exiting = 1
    finish_batch()


# --- evidence: what only somebody inside the call can see ---

cdef size_t measured(void *block) noexcept nogil:
    """What malloc_usable_size says; what that allocates in turn (gperftools does) is neither recorded nor measured."""
    cdef void *outer = m4_thread.asking
    cdef size_t size
    m4_thread.asking = &size
    size = process.usable_size(block)
    m4_thread.asking = outer
    return size


cdef bint is_asked(const Call *call) noexcept nogil:
    """Whether a question makes the call, further down the stack: a handler may have jumped out of it, to further up."""
    return unlikely(m4_thread.asking != NULL) and <uintptr_t>call < <uintptr_t>m4_thread.asking


cdef size_t observable(void *block, size_t size) noexcept nogil:
    """How many bytes of the block a realloc to `size` has to keep, as far as they can be looked at; 0: none.

    The pointer is the program's and may be anything. It is not followed when it lies outside of all that was handed
    out, or is not aligned; past that, malloc_usable_size reads no more than the realloc to come reads itself.
    """
    cdef uint64_t address = <uint64_t>block
    cdef size_t length
    if process.usable_size == NULL or size == 0 or address & 7 or address < lowest(&handed_out) \
            or address >= highest(&handed_out):
        return 0
    length = min(size, measured(block))
    return 0 if length > LOOK_LIMIT or length > highest(&handed_out) - address else length


cdef size_t copy_old(void *copy, const void *block, size_t length) noexcept nogil:
    """Keep the first bytes of the block that realloc is about to move; returns how many."""
    return copy_prefix(copy, block, length)


# --- one call: enter, the allocator, leave ---

cdef Record *claim() noexcept nogil:
    """The record of the call that begins now, or NULL when the trace has ended."""
    cdef char *record = NULL
    m4_thread.claiming += 1
    fence(SEQ_CST)
    if likely((m4_thread.next != m4_thread.last and m4_thread.generation == process.generation) or refill()):
        record = m4_thread.next
        m4_thread.next = record + RECORD_SIZE
    fence(SEQ_CST)
    m4_thread.claiming -= 1
    return <Record *>record


cdef void *caller(void *site) noexcept nogil:
    """The code that makes the call: where it returns to, or when that is here, the function that jumped."""
    if m4_thread.innermost != NULL and is_within(<uintptr_t>site, objects.own.object_start, objects.own.object_stop):
        return (<Target *>m4_thread.inside).function
    return site


cdef Entry enter(Call *call, Target *target, uint8_t function, uint64_t address, uint64_t size,
                 uint64_t extra, void *site) noexcept nogil:
    """Begin a call: claim its record and write the request."""
    cdef Record *record
    cdef int before = errno_location()[0]
    cdef uint32_t status
    if unlikely(m4_thread.busy != 0 or environ == NULL):
        return BOOTSTRAP
    status = load32(m4_status, ACQUIRE)
    if unlikely(status != ON and status != OFF):
        status = begin_recording()
    if unlikely(not load32(&target.looked_up, ACQUIRE)):
        resolve(target, caller(site))
    if unlikely(status != ON or is_asked(call) or
                (m4_thread.innermost != NULL and
                 is_internal(&objects, <Target *>m4_thread.inside, <uintptr_t>site))):
        errno_location()[0] = before
        return FORWARD
    record = claim()
    if unlikely(record == NULL):
        errno_location()[0] = before
        return FORWARD
    call.record = record
    call.generation = process.generation
    call.outer = <Call *>m4_thread.innermost
    call.outer_target = <Target *>m4_thread.inside
    call.errno_before = before
    call.misuses = process.misuses() if process.misuses != NULL else 0
    m4_thread.innermost = call
    m4_thread.inside = target
    record.address = address
    record.size = size
    record.extra = extra
    record.usable = -1
    record.intact = -1
    record.site = <uint64_t>site
    record.thread = m4_thread.id
    record.time_ns = clock(CLOCK_MONOTONIC) - process.monotonic_ns
    record.begin = add64(&sequence, 1, SEQ_CST) + 1
    store8(&record.function, function, RELEASE)
    errno_location()[0] = 0
    return RECORDED


cdef Record *returned(Call *call, Reply *reply) noexcept nogil:
    """The allocator has returned: draw the end number at once, and keep errno.

    NULL when this is a child forked during the call (by a new handler): the record is the parent's.
    """
    reply.error = errno_location()[0]
    reply.end = add64(&sequence, 1, SEQ_CST) + 1
    m4_thread.innermost = call.outer
    m4_thread.inside = call.outer_target
    if unlikely(call.generation != process.generation or load32(m4_status, ACQUIRE) == EMPTY):
        return NULL
    return call.record


cdef void complete(Call *call, Record *record, Reply *reply, bint failed, int error=0) noexcept nogil:
    """Write what is left of the reply, the end number last, and give errno back as the allocator left it.

    error: of a call that returns its error; any other has left it in errno.
    """
    if record != NULL:
        if failed:
            record.error = <uint16_t>(error or reply.error)
        elif reply.error != 0 and reply.error != call.errno_before:
            record.flags |= ERRNO_CHANGED
        if process.misuses != NULL and record.address != 0 and process.misuses() != call.misuses:
            record.flags |= MISUSE_CAUGHT
        store64(&record.end, reply.end, RELEASE)
    if unlikely(m4_thread.exiting):
        finish_batch()
    errno_location()[0] = reply.error if reply.error != 0 else call.errno_before


cdef void note_block(Record *record, void *block, size_t size) noexcept nogil:
    """Write the block handed out and its usable size."""
    record.result = <uint64_t>block
    if block != NULL:
        if process.usable_size != NULL:
            record.usable = <int64_t>measured(block)
            size = max(size, <size_t>record.usable)
        note_range(&handed_out, <uint64_t>block, <uint64_t>block + size)


cdef void leave(Call *call) noexcept nogil:
    """End a call that returns nothing."""
    cdef Reply reply
    cdef Record *record = returned(call, &reply)
    complete(call, record, &reply, False)


cdef void leave_number(Call *call, uint64_t number) noexcept nogil:
    """End a call of malloc_usable_size."""
    cdef Reply reply
    cdef Record *record = returned(call, &reply)
    if record != NULL:
        record.result = number
    complete(call, record, &reply, False)


cdef void *leave_block(Call *call, void *block) noexcept nogil:
    """End a call that returns a block, or NULL when it failed."""
    cdef Reply reply
    cdef Record *record = returned(call, &reply)
    if record != NULL:
        note_block(record, block, record.size)
    complete(call, record, &reply, block == NULL)
    return block


cdef void *leave_zeroed(Call *call, void *block, size_t total) noexcept nogil:
    """End a calloc, and count the bytes that are zero; a block known to be too small is not looked at."""
    cdef Reply reply
    cdef Record *record = returned(call, &reply)
    if record != NULL:
        note_block(record, block, total)
        if block != NULL and total <= LOOK_LIMIT and (record.usable < 0 or total <= <uint64_t>record.usable):
            record.intact = <int64_t>leading_zeros(<const char *>block, total)
    complete(call, record, &reply, block == NULL)
    return block


cdef void *leave_resized(Call *call, void *block, const void *copy, size_t kept) noexcept nogil:
    """End a realloc, and count the bytes unchanged: of the new block, or of the old one, all of it, when it failed."""
    cdef Reply reply
    cdef size_t equal
    cdef Record *record = returned(call, &reply)
    cdef const char *survivor = <const char *>block
    if record != NULL:
        note_block(record, block, 0)
        if block == NULL:
            survivor = <const char *>record.address
        elif record.usable >= 0:
            kept = min(kept, <size_t>record.usable)
        if kept:
            equal = leading_equal(survivor, <const char *>copy, kept)
            if block != NULL or equal < kept or kept >= measured(<void *>survivor):
                record.intact = <int64_t>equal
    complete(call, record, &reply, block == NULL)
    return block


cdef int leave_error(Call *call, int error, void *block) noexcept nogil:
    """End a posix_memalign, which returns its error; block: what *memptr holds now."""
    cdef Reply reply
    cdef Record *record = returned(call, &reply)
    if record != NULL:
        if error == 0:
            note_block(record, block, record.size)
        record.result = <uint64_t>block
    complete(call, record, &reply, error != 0, error)
    return error


cdef void leave_unwound() noexcept nogil:
    """End the innermost call, which an exception leaves: operator new has failed."""
    leave_block(<Call *>m4_thread.innermost, NULL)


# --- labels: records of their own, which no call of the allocator stands behind ---

cdef uint32_t new_label(const char *name, Name *known) noexcept nogil:
    """Give the name a number and write its text into the trace. 0: there are too many, or the trace has ended."""
    cdef sigset_t everything, before
    cdef uint64_t slot
    cdef uint32_t number
    if load32(&labels.count, ACQUIRE) == LABELS:
        return 0
    sigfillset(&everything)
    pthread_sigmask(SIG_SETMASK, &everything, &before)
    while exchange32(&labels.lock, 1, ACQUIRE):
        sched_yield()
    number = find_label(&labels, name, known)
    if number == 0 and labels.count < LABELS:
        if labels.next == labels.last:  # a batch of its own, which is never finished
            labels.next = claim_batch(&slot, &labels.last)
            if labels.next == NULL:
                labels.last = NULL
            labels.slot = slot + 1
        if labels.next != NULL:
            number = add_label(&labels, name, known, process.header)
    store32(&labels.lock, 0, RELEASE)
    pthread_sigmask(SIG_SETMASK, &before, NULL)
    return number


cdef void label(const char *name, uint64_t argument, void *site) noexcept nogil:
    """Record that the program says `name`, about the block at `argument` unless that is 0.

    A signal handler may say it in the middle of a call; when that was claiming a record, the label takes a batch alone.
    """
    cdef Name known
    cdef Record *record
    cdef uint64_t slot
    cdef uint32_t number, status = load32(m4_status, ACQUIRE)
    cdef int before = errno_location()[0]
    cdef char *last
    if unlikely(name == NULL or name[0] == 0 or environ == NULL):
        return
    if unlikely(status != ON and status != OFF) and m4_thread.busy == 0:
        status = begin_recording()
    if status == ON:
        measure(name, &known)
        number = find_label(&labels, name, &known)
        if unlikely(number == 0):
            number = new_label(name, &known)
        if unlikely(m4_thread.claiming != 0 or m4_thread.busy != 0):
            record = <Record *>claim_batch(&slot, &last)
            if record != NULL:
                fill_label(record, number, argument, site, <uint32_t>syscall(SYS_gettid), &process, &sequence)
                finish(<uint32_t>chunk_of(slot))
        else:
            record = claim()
            if likely(record != NULL):
                fill_label(record, number, argument, site, m4_thread.id, &process, &sequence)
            if unlikely(m4_thread.exiting):
                finish_batch()
    errno_location()[0] = before
