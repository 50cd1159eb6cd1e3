"""The seeded faults: bugs that tests must find when the core is built with them.

-DM4_FAULT=n is one of ten that the property tests must find. -DM4_ORDER_FAULT=n is one of concurrency, which the
interleaving checker must find (m4alloc/check/interleave/mutants.py describes them); 1 to 9 are in _atomics.h.
"""

cdef enum:
    FAULT_STATE_NOT_CLEARED = 1        # free leaves the slot LIVE: a double free goes unseen
    FAULT_SIZE_CLASS_OFF_BY_ONE = 2    # a request one granule above a class gets that class
    FAULT_ALIGNMENT_IGNORED = 3        # aligned_alloc takes any class that is large enough
    FAULT_CALLOC_NOT_ZEROED = 4        # calloc hands out a recycled slot as it is
    FAULT_REALLOC_LOSES_TAIL = 5       # a moving realloc copies 8 bytes too few
    FAULT_SLABS_OVERLAP = 6            # a slab has one slot more than fits
    FAULT_REMOTE_FREE_LOST = 7         # a slot freed by another thread never comes back
    FAULT_REUSE_BEFORE_QUARANTINE = 8  # the delay line is skipped
    FAULT_USABLE_SIZE_TOO_LARGE = 9    # malloc_usable_size counts 16 bytes of the next slot
    FAULT_LARGE_OVERLAPS = 10          # a large block's span is one unit short

cdef enum:
    ORDER_QUEUE_STORES = 10            # queue_slab stores the list's first slab without looking whether it still is
    ORDER_COUNT_AFTER_STATES = 11      # publish_run raises the count when the states are set
    ORDER_NOT_QUEUED_AGAIN = 12        # a drain forgets a slab whose count has not fallen to 0
    ORDER_LINK_AFTER_DRAIN = 13        # drain_remote reads a slab's link when it has drained it
    ORDER_MARK_CLEARED_EARLY = 14      # publish_run says that it is done before it has set the states
    ORDER_DISSOLVED_COUNTED = 15       # a slab is dissolved though remote frees are counted
    ORDER_SLAB_TRUSTED = 16            # publish_run takes for granted that the slab has not been dissolved
    ORDER_HEAP_LEFT_EARLY = 17         # an exiting thread lists its heap as abandoned before it has emptied it
    ORDER_CHILD_TRUSTS_STACK = 18      # a forked child keeps the stacks of threads that vanished
    ORDER_CHILD_TRUSTS_LINE = 19       # a forked child keeps half-written entries of delay lines
