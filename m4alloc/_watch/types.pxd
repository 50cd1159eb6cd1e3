"""What the monitor keeps: of a block its story, of a thread its clock, of an access or a free that was wrong a finding."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

from m4alloc._core.c cimport m4_lock
from m4alloc._core.types cimport Arena, Record

cdef extern from "_monitor.h" nogil:
    enum:
        M4M_READ
        M4M_WRITE
        M4M_LIBC
        M4M_COPY
        M4M_ATOMIC
        M4M_SUSPECT
        M4M_SHADOW_OPEN
        M4M_SHADOW_STEP
        M4M_SHADOW_OUTSIDE
        M4M_SHADOW_FREED

cdef enum:
    GIVEN_UP = 0x8000          # of a state: the block has been freed. One step sets both, in one of several threads
    STORY_BYTES = 20           # of a Story, without the references of further machines
    REFERENCES_MAX = 8         # of a block: to the states of machines besides the first
    LETTER_MALLOC = 0          # codes of letters (m4alloc/monitor/table.py)
    LETTER_FREE = 1
    LETTER_ACCESS = 2          # + OUTSIDE, + UNINITIALISED
    OUTSIDE = 1
    UNINITIALISED = 2
    LETTER_ALLOCATE_START = 6
    LETTER_ALLOCATE_END = 7    # without a new block
    LETTER_FREE_END = 8
    LETTER_LABEL = 9           # and further

# Of the block that is in a slot, or was there last; its side bytes in the core. Out of line, so that no stray write of
# the program reaches it.
cdef struct Story "m4m_story":
    uint16_t state             # of the first machine, and GIVEN_UP (atomic)
    uint16_t slack             # bytes of the slot behind the request; of a large block: see LargeStory
    uint32_t allocation        # who asked for it: a stack of the depot
    uint32_t release           # who freed it
    uint32_t born              # the event that handed it out; 0: nobody has yet
    uint32_t died              # the event that gave it up; 0: none yet
    # Further references follow, 4 bytes each: the states of further machines, then the cohort.

cdef struct LargeStory "m4m_large_story":    # of a large block, found by the number of its first unit
    char *base
    uint64_t size              # bytes requested
    uint64_t room              # bytes of address space
    Story story
    uint32_t references[REFERENCES_MAX]

cdef struct Stories "m4m_stories":            # where they are
    Arena *arena               # NULL: not open yet
    LargeStory *large          # by unit
    uint32_t *head             # by unit: 1 + the first unit of the large block that is or was there last; 0: none
    char *fenced               # up to here the shadow of the arena says what is there; behind it nothing ever was
    m4_lock lock               # of that

cdef extern from "monitor_state.h" nogil:
    Stories stories

cdef enum Life:
    NEVER = 0                  # no block has been there
    LIVE_BLOCK = 1
    DEAD = 2

cdef enum PlaceKind:
    NOWHERE = 0                # not in the arena, or in a part of it that has no blocks
    IN_SLOT = 1
    IN_LARGE = 2
    IN_SAMPLE = 3              # on a page of its own between guards: the core's

cdef struct Place "m4m_place":               # an address, and the block that is or was there
    char *base                 # where the block begins
    uint64_t room              # bytes from there that are no other block's
    uint64_t size              # bytes requested
    Story *story
    uint32_t *references
    Record *record
    int kind                   # PlaceKind
    int life                   # Life

cdef struct Thread "m4m_thread":             # what is known of a thread; another one's, long after it has ended
    Thread *next               # all of them
    Thread *later              # of those that have ended, the one that ended after it
    uint32_t number            # 1 is the first; no other one ever has it
    uint32_t clock             # of its last event; later than every event that it has heard of
    uint32_t busy              # it is inside of the runtime: what it allocates now has no stack
    uint32_t ended             # atomic
    char *stack_low            # where its stack ends and begins; NULL: not known
    char *stack_high
    void *ring                 # its last events (ring.pxd)
    void *recent               # stacks that it remembers (depot.pxd); NULL: none yet
    uint64_t kernel_id
    uint32_t captures          # of stacks, before it remembers any
    uint16_t thread_state      # of the machine of threads
    uint16_t spare
    uint32_t unborn            # of the label machine: where a block would be of which it has not heard yet

cdef enum FindingClass:        # what a report begins with, in order of precedence
    FOUND_NOTHING = 0
    USE_AFTER_FREE = 1
    DOUBLE_FREE = 2
    INVALID_FREE = 3
    OUT_OF_BOUNDS = 4
    UNINITIALISED_READ = 5
    LEAK = 6
    PROPERTY_VIOLATED = 7

cdef struct Finding "m4m_finding":
    int kind                   # FindingClass
    uint64_t violated          # the properties that this letter violated, a bit each, by number
    const char *verb           # "read", "write", "free", "realloc", "malloc", a label's name, "exit"
    char *address              # what was accessed or freed
    uint64_t size              # bytes accessed
    unsigned int how           # M4M_*
    const char *function       # of the C library, or NULL
    const void *site
    const void *frame
    uint32_t event             # its number
    uint32_t thread            # whose
    Place place                # the block it is about; kind NOWHERE: none
    uint64_t blocks            # LEAK, properties at exit, labels about no block: how many
    uint64_t bytes             # and of how many bytes
    uint64_t further_blocks    # LEAK: that only these lead to
    uint64_t further_bytes
    int reachable              # LEAK: something still points to it
