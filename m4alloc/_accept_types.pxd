"""What the compiled acceptor works on: records as the trace file has them, and a heap in flat memory."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t

cdef struct Record:  # 88 bytes, as m4alloc/trace/format.py
    uint64_t begin
    uint64_t end
    uint64_t address
    uint64_t size
    uint64_t extra      # the count of calloc and reallocarray, else the alignment
    uint64_t result
    int64_t usable
    int64_t intact
    uint64_t time_ns
    uint64_t site
    uint32_t thread
    uint16_t error
    uint8_t function
    uint8_t flags

cdef enum:  # functions, as in spec/event.py
    MALLOC = 1
    CALLOC = 2
    REALLOC = 3
    REALLOCARRAY = 4
    FREE = 5
    ALIGNED_ALLOC = 6
    MEMALIGN = 7
    POSIX_MEMALIGN = 8
    VALLOC = 9
    PVALLOC = 10
    USABLE_SIZE = 11
    FREE_SIZED = 12
    FREE_ALIGNED_SIZED = 13
    NEW = 14
    DELETE = 15
    LOAD = 32
    STORE = 33
    FILL = 34
    LABEL = 40

cdef enum:  # flags of an event, as in spec/event.py
    ERRNO_CHANGED = 1
    MISUSE_CAUGHT = 2
    NEVER_RETURNED = 4
    WHOLE_SCANNED = 8

cdef enum:  # flags of a place
    LIVE = 1      # a block starts here
    TILE = 2      # [base, last] is a tile
    BURIED = 4    # a block that started here was given up
    CERTAIN = 8   # and it is certain that it is dead
    YOUNG = 16    # and it may not be reused yet
    SHOWN = 32    # the live block has been handed to Python, which may ask whether it is still the same

cdef struct Block:  # spec.heap.Block but for its base
    uint64_t size
    int64_t usable
    uint64_t alignment
    uint64_t id
    uint64_t born
    uint32_t thread
    uint32_t by         # the thread that freed it, once one has

cdef struct Place:
    # All that is known of one base address, in two cache lines: its tile and live block, and its last grave.
    uint64_t base
    uint64_t last       # of the tile; inclusive, so that the end of the address space needs no 65th bit
    uint64_t size
    int64_t usable
    uint64_t alignment
    uint64_t id
    uint64_t born
    uint32_t thread
    uint32_t flags
    Block dead
    uint64_t freed      # the event
    uint64_t mark       # frees of its size class that had ended

cdef struct Buried:
    uint32_t place
    uint64_t id
    int64_t mark

cdef struct Class:
    # The frees of one size class that have begun and ended, and its blocks in quarantine, oldest first.
    int64_t usable
    int64_t begun
    int64_t ended
    Buried *queue       # a ring
    uint32_t head
    uint32_t waiting
    uint32_t room

cdef enum:
    CHUNK = 192

cdef struct Chunk:
    # A run of tiles in order of address.
    uint64_t bases[CHUNK]
    uint32_t places[CHUNK]
    uint32_t count

cdef struct Heap:
    Place *places       # by order of first use; 0 is where what finds no memory goes
    uint32_t count
    uint32_t room
    uint64_t *slots     # open addressing: 32 bits of the hash, then the index of the place; 0 is empty
    uint32_t shift      # 64 less the binary logarithm of their number
    Chunk **chunks      # the tiles in order of address
    uint64_t *firsts    # the first base in each chunk
    uint32_t chunk_count
    uint32_t chunk_room
    uint32_t hint       # the chunk that was last used
    Class *classes
    uint32_t class_count
    uint32_t class_room
    uint32_t *class_slots
    uint32_t class_shift
    uint64_t next_id
    uint64_t live       # blocks
    int64_t quarantine  # frees; 0 for none
    uint64_t limit      # bytes, the largest usable size it applies to
    bint counts         # whether frees are counted by size class
    bint failed         # no memory was left, and the heap is no longer what it should be
