"""The trace file's layout: the header, one record, and the constants that docs/trace-format.md lists."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef enum:
    VERSION = 1
    HEADER_SIZE = 4096
    RECORD_SIZE = 88
    FIRST_CHUNK = 512  # records; each chunk doubles the one before
    LAST_CHUNK = 8192  # up to this
    BATCH = 16         # records that a thread claims at once

cdef enum EndReason:
    RUNNING = 0     # it still runs, or was killed, or left by _exit or exec
    EXIT = 1
    LIMIT = 2
    DISK_FULL = 3
    FILE_LIMIT = 4  # RLIMIT_FSIZE
    MAP_FAILED = 5
    VANISHED = 6    # the file was deleted, replaced, or cannot be opened any more

cdef enum Function:  # as in spec/event.py
    MALLOC "M4_MALLOC" = 1
    CALLOC "M4_CALLOC" = 2
    REALLOC "M4_REALLOC" = 3
    REALLOCARRAY "M4_REALLOCARRAY" = 4
    FREE "M4_FREE" = 5
    ALIGNED_ALLOC "M4_ALIGNED_ALLOC" = 6
    MEMALIGN "M4_MEMALIGN" = 7
    POSIX_MEMALIGN "M4_POSIX_MEMALIGN" = 8
    VALLOC "M4_VALLOC" = 9
    PVALLOC "M4_PVALLOC" = 10
    USABLE_SIZE "M4_USABLE_SIZE" = 11
    FREE_SIZED "M4_FREE_SIZED" = 12
    FREE_ALIGNED_SIZED "M4_FREE_ALIGNED_SIZED" = 13
    NEW "M4_NEW" = 14
    DELETE "M4_DELETE" = 15
    LABEL "M4_LABEL" = 40

cdef enum Flag:  # as in spec/event.py
    ERRNO_CHANGED = 1
    MISUSE_CAUGHT = 2

cdef struct Record:  # RECORD_SIZE bytes
    uint64_t begin
    uint64_t end
    uint64_t address
    uint64_t size
    uint64_t extra  # count of calloc and reallocarray, argument of a label, else the alignment asked for
    uint64_t result
    int64_t usable
    int64_t intact
    uint64_t time_ns
    uint64_t site
    uint32_t thread
    uint16_t error
    uint8_t function  # 0: a slot that was never used
    uint8_t flags

cdef struct Text:  # of a label, in the slot of a record that no call has: RECORD_SIZE bytes
    uint64_t begin   # 0
    uint64_t end     # 0
    uint32_t before  # the slot, from 1, of the text before it; 0: there is none
    uint32_t number  # of the label, from 1
    char text[62]
    uint8_t function  # 0
    uint8_t flags     # 0

cdef struct Header:  # HEADER_SIZE bytes
    char magic[8]
    uint32_t version
    uint32_t header_size
    uint32_t record_size
    uint32_t end_reason
    uint32_t pid
    uint32_t parent_pid
    uint32_t image
    uint32_t machine
    uint64_t fork_sequence
    uint64_t started_ns
    uint64_t monotonic_ns
    uint64_t limit
    uint32_t quarantine
    uint32_t info_version  # 0: the allocator does not export m4alloc_info
    uint64_t quarantine_limit
    uint64_t labels_offset
    uint64_t labels_size
    uint32_t command_size
    uint32_t label_slot
    char reserved[16]
    char parent_file[256]
    char allocator[512]
    char executable[512]
    char command[2688]


cdef enum:
    DOUBLINGS = 4  # LAST_CHUNK is FIRST_CHUNK << DOUBLINGS


cdef inline uint64_t first_slot(uint32_t chunk) noexcept nogil:
    """The first slot of a chunk: chunks double from FIRST_CHUNK to LAST_CHUNK, then stay."""
    cdef uint64_t ramp = FIRST_CHUNK * ((<uint64_t>1 << min(chunk, <uint32_t>DOUBLINGS)) - 1)
    return ramp if chunk <= DOUBLINGS else ramp + <uint64_t>(chunk - DOUBLINGS) * LAST_CHUNK


cdef inline uint64_t length_of(uint32_t chunk) noexcept nogil:
    """How many records a chunk holds."""
    return first_slot(chunk + 1) - first_slot(chunk)


cdef inline uint64_t chunk_of(uint64_t slot) noexcept nogil:
    """The chunk that a slot lies in."""
    cdef uint64_t ramp = first_slot(DOUBLINGS)
    cdef uint32_t chunk = 0
    if slot >= ramp:
        return DOUBLINGS + (slot - ramp) // LAST_CHUNK
    while slot >= first_slot(chunk + 1):
        chunk += 1
    return chunk
