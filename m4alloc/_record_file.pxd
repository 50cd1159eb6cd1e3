"""The trace file of one process image: what it is called, how it is created, what its header says."""

from libc.stdint cimport uint32_t, uint64_t
from libc.stdlib cimport getenv
from libc.string cimport memcpy, strlen

from m4alloc._record_layout cimport *
from m4alloc._record_system cimport *

cdef enum:
    NAME_SIZE = 4096

cdef struct Info:  # what m4alloc_info() of the next allocator returns
    uint32_t version
    uint32_t quarantine
    uint64_t quarantine_limit

ctypedef size_t (*UsableSize)(void *) noexcept nogil
ctypedef uint64_t (*Misuses)() noexcept nogil
ctypedef const Info *(*GetInfo)() noexcept nogil

cdef struct Process:  # one image of one process; a forked child overwrites its copy
    Header *header
    uint32_t generation
    uint32_t pid
    uint32_t image
    bint resolved
    bint ended
    uint64_t monotonic_ns
    uint64_t device
    uint64_t inode
    uint64_t limit
    uint64_t page
    uint32_t chunks       # mapped so far
    EndReason full        # why capacity is what it is
    UsableSize usable_size
    Misuses misuses
    const Info *info
    const char *allocator
    size_t prefix_length
    char path[NAME_SIZE]


cdef inline uint64_t room(const Process *process, EndReason *why) noexcept nogil:
    """Bytes that the file may have: the least of --limit and RLIMIT_FSIZE, and which of the two it is."""
    cdef rlimit bound
    cdef uint64_t result = ~<uint64_t>0
    why[0] = LIMIT
    if process.limit:
        result = process.limit
    if getrlimit(RLIMIT_FSIZE, &bound) == 0 and bound.rlim_cur < result:
        result = bound.rlim_cur
        why[0] = FILE_LIMIT
    return result


cdef inline void name_file(Process *process, uint32_t image) noexcept nogil:
    """Complete process.path, which holds the prefix, with .PID.IMAGE."""
    cdef size_t length = process.prefix_length
    process.path[length] = c'.'
    length += 1 + number(&process.path[length + 1], process.pid)
    process.path[length] = c'.'
    number(&process.path[length + 1], image)


cdef inline bint create_file(Process *process) noexcept nogil:
    """Create FILE.PID.N with the first N that is free, and map its header. False: it cannot be."""
    cdef struct_stat status
    cdef EndReason why
    cdef long fd = -1
    process.image = 0
    while process.image < 100000:
        name_file(process, process.image)
        fd = syscall(SYS_openat, AT_FDCWD, <char *>process.path,
                     O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, <long>0o600)
        if fd >= 0 or errno_location()[0] != EEXIST:
            break
        process.image += 1
    if fd < 0:
        return False
    process.header = NULL
    if room(process, &why) >= HEADER_SIZE and fstat(<int>fd, &status) == 0 and reserve(fd, 0, HEADER_SIZE):
        process.device = status.st_dev
        process.inode = status.st_ino
        process.header = <Header *>map_file(fd, 0, HEADER_SIZE, process.page)
    syscall(SYS_close, fd)
    if process.header == NULL:
        syscall(SYS_unlinkat, AT_FDCWD, <char *>process.path, 0)
        return False
    return True


cdef inline void fill_header(Process *process, uint32_t parent_pid, const char *parent_file,
                             uint64_t sequence) noexcept nogil:
    """Write the header; the magic comes last, so that a file whose header is incomplete is no trace.

    parent_file: of the process that forked this one, else "". sequence: the last number it had drawn.
    """
    cdef Header *header = process.header
    header.version = VERSION
    header.header_size = HEADER_SIZE
    header.record_size = RECORD_SIZE
    header.pid = process.pid
    header.image = process.image
    header.machine = <uint32_t>M4_MACHINE
    header.started_ns = clock(CLOCK_REALTIME)
    header.monotonic_ns = process.monotonic_ns = clock(CLOCK_MONOTONIC)
    header.limit = process.limit
    if process.info != NULL:
        header.info_version = process.info.version
        header.quarantine = process.info.quarantine
        header.quarantine_limit = process.info.quarantine_limit
    header.parent_pid = parent_pid
    header.fork_sequence = sequence
    copy_text(header.parent_file, parent_file, sizeof(header.parent_file))
    copy_text(header.allocator, process.allocator, sizeof(header.allocator))
    syscall(SYS_readlinkat, AT_FDCWD, "/proc/self/exe", <char *>header.executable, sizeof(header.executable) - 1)
    header.command_size = <uint32_t>read_file("/proc/self/cmdline", header.command, sizeof(header.command))
    memcpy(header.magic, "\x89M4T\r\n\x1a\n", sizeof(header.magic))


cdef inline bint read_settings(Process *process) noexcept nogil:
    """Take the prefix and the limit from the environment. False: nobody asked for a recording."""
    cdef const char *prefix = getenv("M4ALLOC_RECORD")
    cdef const char *limit = getenv("M4ALLOC_RECORD_LIMIT")
    if prefix == NULL or strlen(prefix) == 0 or strlen(prefix) > NAME_SIZE - 32:
        return False
    process.prefix_length = strlen(prefix)
    memcpy(process.path, prefix, process.prefix_length)
    while limit != NULL and c'0' <= limit[0] <= c'9':
        process.limit = process.limit * 10 + <uint64_t>(limit[0] - c'0')
        limit += 1
    return True
