"""The ten seeded faults: each is a bug that the property tests must find when the core is built with -DM4_FAULT=n."""

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
