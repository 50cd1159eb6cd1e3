# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A strategy in the core: its defaults, and M4ALLOC_STRATEGY and M4ALLOC_OPTIONS as text.

The Python side is m4alloc/strategy.py; a test holds the two to the same keys, defaults and limits.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport memcmp, memcpy, snprintf, strlen
from m4alloc._core.types cimport (CLASS_MAX, CLASSES_MAX, GRANULE, MISUSE_ABORT, MISUSE_COUNT, MISUSE_FORWARD, PAGE,
                                  REFUSAL_MAX, SLAB_MAX, SMALL_MAX, STATISTICS_PATH_MAX, UNIT, Arena, Knobs)


cdef inline void default_classes(Knobs *knobs) noexcept nogil:
    """16 to 128 by 16, then four classes a doubling up to SMALL_MAX: at most a fifth of a slot is wasted above 128."""
    cdef uint32_t size = GRANULE
    cdef uint32_t step = GRANULE
    cdef uint32_t c = 0
    while size <= SMALL_MAX:
        knobs.class_size[c] = size
        c += 1
        if size >= 8 * step:
            step *= 2
        size += step
    knobs.classes = c


cdef inline void default_knobs(Knobs *knobs) noexcept nogil:
    """The default strategy."""
    default_classes(knobs)
    knobs.slabs_given = 0
    knobs.depths_given = 0
    knobs.reserve = <uint64_t>1 << 38
    knobs.capacity = 0
    knobs.delay_line = 16
    knobs.delay_bytes = 16 << 10
    knobs.quarantine = 0
    knobs.quarantine_bytes = 1 << 20
    knobs.stack_depth = 1024
    knobs.stack_bytes = 256 << 10
    knobs.refill_batch = 64
    knobs.zero_on_free = 0
    knobs.retain_bytes = 32 << 20
    knobs.retain_share = 100
    knobs.retain_ms = 1000
    knobs.randomise = 0
    knobs.guards = 0
    knobs.guard_slabs = 0
    knobs.guard_empty = 1
    knobs.check_on_reuse = 0
    knobs.canaries = 0
    knobs.check_copies = 0
    knobs.quarantine_random = 0
    knobs.large_quarantine = 0
    knobs.large_delay = 512 << 10
    knobs.history = 0
    knobs.side_bytes = 0
    knobs.sample_rate = 0
    knobs.sample_slots = 64
    knobs.placement = 0
    knobs.prefault = 0
    knobs.huge_pages = 0


cdef inline bint is_word(const char *text, size_t length, const char *word) noexcept nogil:
    """Is text[:length] the word?"""
    return length == strlen(word) and memcmp(text, word, length) == 0


cdef inline bint read_number(const char *text, size_t length, uint64_t *value) noexcept nogil:
    """Read text[:length] as a decimal number; False: it is none, or is 2**63 or more."""
    cdef uint64_t n = 0
    cdef size_t i
    if length == 0 or length > 19:
        return False
    for i in range(length):
        if text[i] < 48 or text[i] > 57:
            return False
        n = n * 10 + <uint64_t>(text[i] - 48)
    value[0] = n
    return n < (<uint64_t>1 << 63)


cdef inline bint within(uint64_t value, uint64_t least, uint64_t most) noexcept nogil:
    """least <= value <= most?"""
    return least <= value <= most


cdef inline int read_list(uint32_t *values, const char *text, size_t length, uint64_t least, uint64_t most) noexcept nogil:
    """Read numbers within limits, joined by "/", at most CLASSES_MAX: how many, or -1: not such a list. No text: none."""
    cdef size_t start = 0
    cdef size_t i
    cdef uint64_t value
    cdef int count = 0
    if length == 0:
        return 0
    for i in range(length + 1):
        if i == length or text[i] == 47:
            if count == CLASSES_MAX or not read_number(text + start, i - start, &value):
                return -1
            if not within(value, least, most):
                return -1
            values[count] = <uint32_t>value
            count += 1
            start = i + 1
    return count


cdef inline bint read_classes(Knobs *knobs, const char *text, size_t length) noexcept nogil:
    """Read slot sizes: increasing, multiples of GRANULE up to SMALL_MAX and of PAGE above."""
    cdef int count = read_list(knobs.class_size, text, length, GRANULE, CLASS_MAX)
    cdef int c
    for c in range(count):
        if knobs.class_size[c] % (GRANULE if knobs.class_size[c] <= SMALL_MAX else PAGE) != 0:
            return False
        if c > 0 and knobs.class_size[c] <= knobs.class_size[c - 1]:
            return False
    knobs.classes = <uint32_t>count
    return count > 0


cdef inline bint read_slab_bytes(Knobs *knobs, const char *text, size_t length) noexcept nogil:
    """Read the bytes of the slabs of each class: multiples of UNIT."""
    cdef int count = read_list(knobs.slab_bytes, text, length, UNIT, SLAB_MAX)
    cdef int c
    for c in range(count):
        if knobs.slab_bytes[c] % UNIT != 0:
            return False
    knobs.slabs_given = <uint32_t>count
    return count >= 0


cdef inline bint read_stack_depths(Knobs *knobs, const char *text, size_t length) noexcept nogil:
    """Read the depths of the stacks of each class: a batch is half of one, so 2 at least."""
    cdef int count = read_list(knobs.stack_depths, text, length, 2, 65536)
    knobs.depths_given = <uint32_t>count
    return count >= 0


cdef inline bint fits_together(const Knobs *knobs, const char *variable, char *message) noexcept nogil:
    """Do the lists agree with the classes? False: `message` says how they do not."""
    cdef uint32_t c
    if knobs.slabs_given != 0 and knobs.slabs_given != knobs.classes:
        snprintf(message, REFUSAL_MAX, "m4alloc: %s: slab_bytes has %u values for %u classes", variable,
                 knobs.slabs_given, knobs.classes)
        return False
    if knobs.depths_given != 0 and knobs.depths_given != knobs.classes:
        snprintf(message, REFUSAL_MAX, "m4alloc: %s: stack_depths has %u values for %u classes", variable,
                 knobs.depths_given, knobs.classes)
        return False
    for c in range(knobs.slabs_given):
        if knobs.slab_bytes[c] < knobs.class_size[c]:
            snprintf(message, REFUSAL_MAX, "m4alloc: %s: a slab of %u bytes holds no slot of class %u", variable,
                     knobs.slab_bytes[c], knobs.class_size[c])
            return False
    return True


cdef inline int set_knob(Knobs *knobs, const char *key, size_t key_length, const char *text,
                         size_t length) noexcept nogil:
    """Set one knob from text: 0 done, 1 no such key, 2 the value is not one of its values."""
    cdef uint64_t n = 0
    cdef bint number = read_number(text, length, &n)
    if is_word(key, key_length, "classes"):
        return 0 if read_classes(knobs, text, length) else 2
    if is_word(key, key_length, "slab_bytes"):
        return 0 if read_slab_bytes(knobs, text, length) else 2
    if is_word(key, key_length, "stack_depths"):
        return 0 if read_stack_depths(knobs, text, length) else 2
    if is_word(key, key_length, "placement"):
        knobs.placement = <uint32_t>n
        return 0 if number and n <= 2 else 2
    if is_word(key, key_length, "prefault"):
        knobs.prefault = n
        return 0 if number and n <= <uint64_t>1 << 30 else 2
    if is_word(key, key_length, "huge_pages"):
        knobs.huge_pages = <uint32_t>n
        return 0 if number and n <= 2 else 2
    if is_word(key, key_length, "delay_line"):
        knobs.delay_line = <uint32_t>n
        return 0 if number and n <= 4096 else 2
    if is_word(key, key_length, "quarantine"):
        knobs.quarantine = <uint32_t>n
        return 0 if number and n <= 65536 else 2
    if is_word(key, key_length, "delay_bytes"):
        knobs.delay_bytes = n
        return 0 if number and n <= <uint64_t>1 << 30 else 2
    if is_word(key, key_length, "quarantine_bytes"):
        knobs.quarantine_bytes = n
        return 0 if number and n <= <uint64_t>1 << 30 else 2
    if is_word(key, key_length, "stack_depth"):
        knobs.stack_depth = <uint32_t>n
        return 0 if number and within(n, 16, 65536) else 2
    if is_word(key, key_length, "stack_bytes"):
        knobs.stack_bytes = n
        return 0 if number and within(n, 65536, <uint64_t>1 << 30) else 2
    if is_word(key, key_length, "refill_batch"):
        knobs.refill_batch = <uint32_t>n
        return 0 if number and within(n, 1, 4096) else 2
    if is_word(key, key_length, "zero_on_free"):
        knobs.zero_on_free = <uint32_t>n
        return 0 if number and n <= CLASS_MAX else 2
    if is_word(key, key_length, "retain_bytes"):
        knobs.retain_bytes = n
        return 0 if number else 2
    if is_word(key, key_length, "retain_share"):
        knobs.retain_share = <uint32_t>n
        return 0 if number and n <= 1000 else 2
    if is_word(key, key_length, "retain_ms"):
        knobs.retain_ms = n
        return 0 if number else 2
    if is_word(key, key_length, "randomise"):
        knobs.randomise = <uint32_t>n
        return 0 if number and n <= 2 else 2
    if is_word(key, key_length, "guards"):
        knobs.guards = <uint32_t>n
        return 0 if number and n <= 1 else 2
    if is_word(key, key_length, "guard_slabs"):
        knobs.guard_slabs = <uint32_t>n
        return 0 if number and n <= 1024 else 2
    if is_word(key, key_length, "guard_empty"):
        knobs.guard_empty = <uint32_t>n
        return 0 if number and n <= 1 else 2
    if is_word(key, key_length, "check_on_reuse"):
        knobs.check_on_reuse = <uint32_t>n
        return 0 if number and n <= SMALL_MAX else 2
    if is_word(key, key_length, "canaries"):
        knobs.canaries = <uint32_t>n
        return 0 if number and n <= 1 else 2
    if is_word(key, key_length, "check_copies"):
        knobs.check_copies = <uint32_t>n
        return 0 if number and n <= 1 else 2
    if is_word(key, key_length, "quarantine_random"):
        knobs.quarantine_random = <uint32_t>n
        return 0 if number and n <= 1 else 2
    if is_word(key, key_length, "large_delay"):
        knobs.large_delay = n
        return 0 if number and n <= <uint64_t>1 << 40 else 2
    if is_word(key, key_length, "large_quarantine"):
        knobs.large_quarantine = n
        return 0 if number and n <= <uint64_t>1 << 44 else 2
    if is_word(key, key_length, "history"):
        knobs.history = <uint32_t>n
        return 0 if number and n <= 1 else 2
    if is_word(key, key_length, "side_bytes"):
        knobs.side_bytes = <uint32_t>n
        return 0 if number and n <= 256 else 2
    if is_word(key, key_length, "sample_rate"):
        knobs.sample_rate = <uint32_t>n
        return 0 if number and n <= <uint64_t>1 << 31 else 2
    if is_word(key, key_length, "sample_slots"):
        knobs.sample_slots = <uint32_t>n
        return 0 if number and within(n, 1, 4096) else 2
    if is_word(key, key_length, "reserve"):
        knobs.reserve = n
        return 0 if number and within(n, <uint64_t>1 << 22, <uint64_t>1 << 44) else 2
    return 1


cdef inline bint read_path(char *path, const char *text, size_t length) noexcept nogil:
    """Take over an absolute path in which every "%" begins "%p" or "%%"; False: it is none, or too long."""
    cdef size_t i = 0
    if length == 0 or length >= STATISTICS_PATH_MAX or text[0] != 47:
        return False
    while i < length:
        if text[i] == 37:
            i += 1
            if i == length or (text[i] != 112 and text[i] != 37):
                return False
        i += 1
    memcpy(path, text, length)
    path[length] = 0
    return True


cdef inline int set_option(Arena *arena, const char *key, size_t key_length, const char *text,
                           size_t length) noexcept nogil:
    """Set one option of M4ALLOC_OPTIONS: 0 done, 1 no such key, 2 the value is not one of its values."""
    if is_word(key, key_length, "stats"):
        return 0 if read_path(arena.statistics_path, text, length) else 2
    if not is_word(key, key_length, "misuse"):
        return 1
    if is_word(text, length, "abort"):
        arena.misuse_mode = MISUSE_ABORT
    elif is_word(text, length, "count"):
        arena.misuse_mode = MISUSE_COUNT
    elif is_word(text, length, "forward"):
        arena.misuse_mode = MISUSE_FORWARD
    else:
        return 2
    return 0


cdef inline const char *known_keys(bint strategy) noexcept nogil:
    """What may stand before the equals sign."""
    if strategy:
        return ("classes slab_bytes stack_depths delay_line delay_bytes quarantine quarantine_bytes quarantine_random "
                "stack_depth stack_bytes refill_batch placement prefault huge_pages zero_on_free check_on_reuse canaries check_copies large_quarantine large_delay "
                "retain_bytes "
                "retain_share retain_ms "
                "randomise guards guard_slabs guard_empty history side_bytes sample_rate sample_slots reserve")
    return "misuse stats"


cdef inline const char *right_value(const char *key, size_t length, bint strategy) noexcept nogil:
    """What to say of the values of a key, where it is not plain."""
    if not strategy and is_word(key, length, "stats"):
        return ": that is an absolute path of at most 511 bytes, in which %p is the process's id and %% is %"
    return ""


cdef inline bint read_settings(Arena *arena, const char *variable, const char *text, bint strategy,
                               char *message) noexcept nogil:
    """Read "key=value,key=value" into the knobs (strategy) or the options; False: `message` says what is wrong."""
    cdef size_t start = 0
    cdef size_t i = 0
    cdef size_t equals
    cdef int wrong
    while True:
        if text[i] == 44 or text[i] == 0:
            equals = start
            while equals < i and text[equals] != 61:
                equals += 1
            if i > start:
                if equals == i:
                    snprintf(message, REFUSAL_MAX, "m4alloc: %s: \"%.*s\" is not key=value", variable,
                             <int>(i - start), text + start)
                    return False
                if strategy:
                    wrong = set_knob(&arena.knobs, text + start, equals - start, text + equals + 1, i - equals - 1)
                else:
                    wrong = set_option(arena, text + start, equals - start, text + equals + 1, i - equals - 1)
                if wrong == 1:
                    snprintf(message, REFUSAL_MAX, "m4alloc: %s: unknown option \"%.*s\"; known: %s", variable,
                             <int>(equals - start), text + start, known_keys(strategy))
                    return False
                if wrong == 2:
                    snprintf(message, REFUSAL_MAX, "m4alloc: %s: \"%.*s\" is not a value of %.*s%s", variable,
                             <int>(i - equals - 1), text + equals + 1, <int>(equals - start), text + start,
                             right_value(text + start, equals - start, strategy))
                    return False
            start = i + 1
        if text[i] == 0:
            return not strategy or fits_together(&arena.knobs, variable, message)
        i += 1
