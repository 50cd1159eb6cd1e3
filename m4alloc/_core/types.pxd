"""The core's records, bottom-up: slot, slab or span record, bin, heap, region, arena. Data only."""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport m4_lock, pthread_key_t

cdef enum:
    GRANULE = 16               # every slot size is a multiple, every block is aligned to it
    PAGE = 4096                # what usable sizes of large blocks are rounded to
    UNIT_SHIFT = 16            # spans are runs of 64 KiB units
    UNIT = 1 << 16             # also what mappings are rounded to: no system has larger pages
    SMALL_MAX = 32768          # the hot paths know the class of a request up to this; the slow path knows larger ones
    CLASS_MAX = 1 << 20        # the largest slot
    SLAB_MAX = 64 << 20        # bytes of a slab
    HUGE = 2 << 20             # a huge page
    CLASSES_MAX = 64           # of a strategy; the core adds one for requests of zero bytes,
    BINS_MAX = 66              # and a bin that is always empty, so that a hooked malloc takes the slow path
    NO_BIN = 65                # that bin; the class of what is larger than the last class
    CLASS_TABLE = 2049         # one entry per granule up to SMALL_MAX
    SPAN_LISTS = 65            # free spans of 1 to 63 units each have a list; 64 is for the rest
    REGIONS_MAX = 64
    MESSAGE_MAX = 256
    STATISTICS_PATH_MAX "M4_STATISTICS_PATH_MAX" = 512     # with its final 0
    FRAMES_MAX = 24            # of a backtrace
    RANDOM_ALL_OVER = 2        # of randomise: a batch comes from all over its slab
    PLACE_LOWEST = 1           # of placement: an empty stack is filled from the slab at the lowest address
    PLACE_FULLEST = 2          # or from the one with the fewest free slots
    HUGE_WANTED = 1            # of huge_pages
    HUGE_REFUSED = 2
    REFUSAL_MAX = 768          # bytes of what is said of malformed settings; it lists the knobs

cdef enum SlotState:           # one byte a slot, out of line; FREE is 0 so that fresh memory is free
    FREE = 0                   # in its slab, for a refill to take
    LIVE = 1                   # handed out
    CACHED = 2                 # freed by its owner: in a delay line, a quarantine or a stack
    DELAYED = 3                # freed by another thread: in that thread's line
    REMOTE = 4                 # and out of it: for the owner to collect
    ABSENT = 5                 # past the last slot of the slab
    HELD = 6                   # while a forked child rebuilds: CACHED and in a delay line
    HELD_DELAYED = 7           # likewise: DELAYED and in a line

cdef enum SpanKind:
    NO_SPAN = 0                # inside a large block or a free span, or never used
    SLAB = 1                   # every unit of a slab says so
    LARGE = 2                  # first unit of a large block
    FREE_SPAN = 3              # first and last unit of a free span
    HELD_SPAN = 4              # first unit of a freed large block that waits before its span is used again
    SAMPLE_SPAN = 5            # every unit of the pool of guarded pages
    LOST_SPAN = 6              # first unit of memory that the system would not make accessible again: nobody gets it

cdef enum MisuseMode:
    MISUSE_ABORT = 0
    MISUSE_COUNT = 1
    MISUSE_FORWARD = 2         # foreign pointers go to the next allocator; all else aborts
    MISUSE_RAISE = 3           # the Python face raises

cdef enum MisuseKind:
    NO_MISUSE = 0
    DOUBLE_FREE = 1
    INTERIOR_FREE = 2
    INVALID_FREE = 3
    SIZE_MISMATCH = 4
    WRITE_AFTER_FREE = 5
    FOREIGN "M4_FOREIGN" = 6                # not ours, and the mode is to forward it
    OVERFLOW "M4_OVERFLOW" = 7
    UNDERFLOW "M4_UNDERFLOW" = 8

cdef struct Slot "m4_slot":              # a free slot on a stack, in a delay line or a quarantine
    char *address
    uint8_t *state

cdef struct Bin "m4_bin"
cdef struct Heap "m4_heap"
cdef struct Arena "m4_arena"

cdef struct Record "m4_record":            # 128 bytes, one a unit; the first 64 are all that malloc and free read
    uint64_t reciprocal        # ceil(2**64 / slot size); 0 unless SLAB, so that one test rejects everything else
    char *start                # first slot of the slab, or the large block
    uint8_t *states
    Heap *owner
    uint32_t slot_size
    uint32_t slots
    uint8_t size_class
    uint8_t kind               # SpanKind
    uint8_t listed             # SLAB: it is in its bin's list of slabs with FREE slots
    uint8_t fence              # how its guards were made: FENCE_*
    uint32_t units             # head of a slab, large block or free span: its length
    Record *head               # SLAB, and last unit of a free span: the head's record
    Bin *bin                   # SLAB: the owner's bin of its class
    # The second line: slow paths only, and the atomic count of remote frees.
    Record *next
    Record *previous
    Record *remote_next        # SLAB: next in the owner's list of slabs with remote frees; free span: the next older
    Record *age_previous       # free span: the next younger
    uint64_t usable            # LARGE: bytes the client may use (kept after the free, to tell a double free)
    uint64_t freed_ms          # free span: when
    uint32_t free_slots        # SLAB: how many slots are FREE; LARGE: usable bytes after the request, under canaries
    uint32_t remote            # SLAB: remote frees published and not yet drained; LOST of them reported (atomic)
    uint32_t dirty_units       # free span: units that may hold old contents and resident pages
    uint32_t first_free        # SLAB: no slot before this group of eight is FREE

cdef struct Bin "m4_bin":               # 64 bytes: one thread's front for one size class
    Slot *top                  # the next push goes here
    Slot *bottom
    Slot *limit
    Slot *delay                # the delay line: a ring of the slots freed last
    uint64_t freed             # what this thread has freed of its own in this class, times sizeof(Slot)
    uint64_t delay_mask        # & freed: where in the ring the next goes in and the oldest out, in bytes
    uint32_t hooks             # what a free does besides: HOOK_*
    uint32_t slot_size
    Record *slabs              # slabs of ours with FREE slots

cdef enum:
    HOOK_NO_DELAY = 1
    HOOK_ZERO = 2
    HOOK_QUARANTINE = 4
    HOOK_CHECK = 8             # its slots are zero until they are handed out, which is then checked
    HOOK_CANARY = 16
    HOOK_RANDOM = 32           # the quarantine gives out a random slot
    HOOK_HISTORY = 128
    HOOK_EMPTY = 64            # the class of zero-size requests: its slots are never touched
    HOOK_KEEP = 256            # what a freed slot holds is left alone

cdef struct Ring "m4_ring":              # the rest of a bin, for slow paths: its quarantine above all
    Slot *slots
    uint32_t next
    uint32_t line_at           # where the next goes into the line
    Slot *line                 # of what we free of other threads': a ring; NULL until there is any
    uint64_t freed_remote      # what this thread has freed of others' in this class
    uint64_t refills           # of an empty stack
    uint64_t flushes           # of a full stack's older half
    Slot *seen_top             # the bin's top and freed when scavenge last looked
    uint64_t seen_freed

# What a thread owns; never freed: an exiting thread abandons it, and a new one adopts it.
cdef struct Heap "m4_heap":
    Bin bins[BINS_MAX]
    Arena *arena
    Heap *next_heap            # all heaps of the arena
    Heap *next_abandoned
    Record *remote             # slabs with remote frees (atomic stack)
    Record *publishing         # the slab whose count this thread has raised, while its states are not yet set (atomic)
    uint64_t random
    Slot last_freed            # under check_on_reuse: looked at again by the next malloc
    uint32_t last_size
    uint32_t thread            # the kernel's id of the thread, when history is kept
    int64_t until_sample       # calls
    void *owner                # who has it: m4_self of its thread
    uint64_t scavenged_ms
    uint64_t purged_ms
    uint32_t slabs_made
    uint8_t abandoned
    Ring rings[BINS_MAX]

cdef enum SampleState:
    SAMPLE_UNUSED = 0
    SAMPLE_LIVE = 1
    SAMPLE_FREED = 2           # its page is inaccessible and waits to be used again


cdef struct Sample "m4_sample":            # one page of the pool of guarded pages
    char *block                # the block that is or was on it
    uint64_t size              # bytes asked for
    uint32_t state             # SampleState (atomic)
    uint32_t allocated_by      # the kernel's ids of the threads
    uint32_t freed_by
    uint32_t allocation_frames
    uint32_t release_frames
    Sample *next               # the queue of pages, longest free first
    void *allocation[FRAMES_MAX]
    void *release[FRAMES_MAX]

cdef struct Region "m4_region":            # one reservation
    char *base
    uint64_t reserved          # bytes
    uint64_t used              # bytes ever handed out as spans, from base
    uint64_t committed         # bytes readable and writable, from base
    Record *records
    uint64_t records_committed # bytes
    char *mapping              # what was mmapped for it (records, guard, spans)
    uint64_t mapping_bytes

# A Strategy as the core sees it (m4alloc/strategy.py has the units and the reasons).
cdef struct Knobs "m4_knobs":
    uint64_t reserve
    uint64_t capacity          # bytes of spans at most; 0: no limit but the reservation, and further regions may follow
    uint32_t classes
    uint32_t class_size[BINS_MAX]
    uint32_t slabs_given       # classes whose slabs' bytes are given: all or none
    uint32_t slab_bytes[BINS_MAX]
    uint32_t depths_given      # likewise
    uint32_t stack_depths[BINS_MAX]
    uint32_t delay_line
    uint64_t delay_bytes
    uint32_t quarantine
    uint64_t quarantine_bytes
    uint32_t stack_depth
    uint64_t stack_bytes
    uint32_t refill_batch
    uint32_t zero_on_free
    uint64_t retain_bytes
    uint32_t retain_share      # hundredths
    uint64_t retain_ms
    uint32_t randomise         # 0, 1 or RANDOM_ALL_OVER
    uint32_t guards
    uint32_t guard_slabs
    uint32_t guard_empty
    uint32_t check_on_reuse
    uint32_t canaries
    uint32_t check_copies
    uint32_t quarantine_random
    uint64_t large_quarantine
    uint64_t large_delay
    uint32_t history
    uint32_t side_bytes
    uint32_t sample_rate
    uint32_t sample_slots
    uint32_t placement         # 0, PLACE_LOWEST or PLACE_FULLEST
    uint64_t prefault
    uint32_t huge_pages        # 0, HUGE_WANTED or HUGE_REFUSED

cdef struct Arena "m4_arena":
    # Read by every free:
    char *base                 # of the first region
    uint64_t used              # of the first region; 0 sends every free to the slow path, which knows about hooks
    Record *records            # of the first region
    # Read by every malloc:
    uint8_t class_of[CLASS_TABLE]
    # Slow paths; all below under the lock unless said otherwise.
    uint32_t ready             # atomic
    Knobs knobs
    uint8_t slow_class_of[CLASS_TABLE]   # the same, also while hooked_malloc lets class_of lead nowhere
    uint32_t bins              # classes in use: the strategy's, and the one of zero-size requests
    uint32_t empty_class       # that one; NO_BIN when there is none
    uint32_t largest           # bytes of the last class: a larger request gets a span of its own
    uint32_t first_above       # the first class of over SMALL_MAX bytes; knobs.classes when there is none
    uint32_t class_hooks[BINS_MAX]
    uint64_t side_length                 # bytes of out-of-line storage a slot has besides its state
    uint32_t class_zeroed[BINS_MAX]      # bytes of a slot that are zeroed when it is freed, under HOOK_ZERO
    uint32_t class_checked[BINS_MAX]     # and looked at before it is handed out, under HOOK_CHECK
    uint64_t class_reciprocal[BINS_MAX]
    uint32_t class_units[BINS_MAX]       # of a slab
    uint32_t class_least[BINS_MAX]       # of one while memory is short
    uint32_t class_slots[BINS_MAX]
    uint32_t class_depth[BINS_MAX]
    uint32_t class_delay[BINS_MAX]
    uint32_t class_quarantine[BINS_MAX]
    uint32_t class_batch[BINS_MAX]       # slots of other threads that leave a line together, a power of two
    uint32_t class_line[BINS_MAX]        # length of a line
    uint8_t *spare_states[BINS_MAX]      # arrays that no slab uses, each with its link and its number of slots
    m4_lock lock
    pthread_key_t key          # whose destructor is told of threads that exit
    uint32_t has_key           # there may be no more of them
    void (*exits)(void *) noexcept nogil # that destructor; NULL: thread_exits, which wants the arena never to be closed
    Region regions[REGIONS_MAX]
    uint32_t region_count      # atomic
    Heap *heaps
    Heap *abandoned
    Heap shared                # of all threads that have no other, under the lock, for they are exiting, or memory is out;
                               # every class that has ever had a slab has a line in it
    Record *span_lists[SPAN_LISTS]
    uint64_t span_list_bits
    Record *youngest           # free spans with dirty units, by age
    Record *oldest
    uint64_t dirty_bytes
    uint64_t span_bytes        # in slabs and large blocks
    uint64_t span_bytes_peak
    uint64_t large_bytes
    uint64_t large_blocks
    char *metadata             # bump allocator for states, heaps, stacks
    char *metadata_end
    uint64_t metadata_bytes
    void *metadata_chunks      # all chunks, for close
    void (*forward_free)(void *) noexcept nogil  # the next allocator's, for MISUSE_FORWARD
    uint32_t misuse_mode
    uint64_t misuses           # atomic
    uint32_t hooked            # frees do more than the hot path knows: Bin.hooks
    uint32_t hooked_malloc     # so do mallocs
    uint32_t monitored         # a monitor looks after freed slots: they keep their contents
    uint32_t keeps_slabs       # and slabs their slots, for what is known of an address outlives its blocks
    uint64_t secret[2]         # of canaries
    uint64_t random            # the state of what is drawn under the lock
    uint32_t fences            # guards made by mprotect, each up to two mappings more
    uint32_t slabs_made        # for guard_slabs
    Record *held_first         # HELD_SPANs, oldest first
    Record *held_last
    uint64_t held_bytes
    Sample *samples            # NULL before the first
    char *sample_base
    Sample *sample_first       # the queue
    Sample *sample_last
    uint32_t sample_mapped     # its pages are made inaccessible by mprotect
    uint32_t sample_failed     # there was no memory for the pool
    uint32_t prefault_failed   # the system has no such call (atomic)
    uint32_t extra_regions     # may the arena grow beyond its first region?
    uint32_t process           # the process's own arena: its heaps are found through thread-local storage
    Arena *next_arena
    # For the statistics (stats.pxd), counted where the lock is held anyway.
    uint64_t class_slabs[BINS_MAX]
    uint64_t class_slabs_peak[BINS_MAX]
    uint64_t class_slabs_made[BINS_MAX]
    uint64_t large_frees
    uint64_t large_freed_bytes           # usable bytes, what resizing in place gave back included
    uint64_t samples_freed               # atomic
    uint64_t purges                      # free spans whose pages were returned to the system
    uint64_t purged_bytes
    uint64_t commits                     # times that more of a region was made accessible
    uint64_t prefaults                   # slabs and large blocks made resident in one step (atomic)
    char statistics_path[STATISTICS_PATH_MAX] # M4ALLOC_OPTIONS=stats=...; empty: nowhere
    char message[MESSAGE_MAX]
