"""The names of labels that this process has used: a table that is read without a lock, and their texts in the trace.

A text stands in the slot of a record whose function stays 0; the header says where the newest one is, and each says
where the one before it is. A text is whole before the header names it, so the trace is whole at every moment.
"""

from libc.stdint cimport uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from m4alloc._record_file cimport Process
from m4alloc._record_layout cimport Header, LABEL, RECORD_SIZE, Record, Text
from m4alloc._record_system cimport *

cdef enum:
    LABELS = 4096      # names that a process can use; every further one is recorded without its name
    LABEL_SIZE = 62    # bytes of a name that are kept
    BUCKETS = 8192     # a power of two

cdef struct Name:  # a name as it is looked up
    uint32_t length  # at most LABEL_SIZE
    uint32_t bucket  # where the search begins

cdef struct Labels:
    uint32_t lock
    uint32_t count
    uint64_t slot                # number, from 1, of the record that `next` points to
    char *next                   # of the batch of records that takes texts
    char *last
    uint16_t bucket[BUCKETS]     # number of a label, 0 for none
    char text[LABELS][64]        # by number - 1, zeros behind it


cdef inline bint continues(char byte) noexcept nogil:
    """Whether the byte is inside of a character of UTF-8."""
    return (<unsigned char>byte & 0xC0) == 0x80


cdef inline void measure(const char *name, Name *known) noexcept nogil:
    """How much of the name is kept, whole characters of UTF-8 only, and where it is looked for."""
    cdef uint32_t length = 0
    cdef uint32_t cut, i
    cdef uint64_t mixed = 0
    while length < LABEL_SIZE and name[length] != 0:
        mixed = (mixed << 5 | mixed >> 59) ^ <unsigned char>name[length]
        length += 1
    if unlikely(length == LABEL_SIZE):
        cut = length
        while cut > LABEL_SIZE - 4 and continues(name[cut]):
            cut -= 1
        if cut < length and not continues(name[cut]):
            length = cut
            mixed = 0
            for i in range(length):
                mixed = (mixed << 5 | mixed >> 59) ^ <unsigned char>name[i]
    known.length = length
    known.bucket = <uint32_t>(mixed * <uint64_t>0x9E3779B97F4A7C15 >> 40) & (BUCKETS - 1)


cdef inline uint32_t find_label(Labels *labels, const char *name, const Name *known) noexcept nogil:
    """The number of the name; 0: it has none yet."""
    cdef uint32_t place = known.bucket
    cdef uint32_t number, i
    cdef const char *text
    while True:
        number = load16(&labels.bucket[place], ACQUIRE)
        if number == 0:
            return 0
        text = &labels.text[number - 1][0]
        i = 0
        while i < known.length and text[i] == name[i]:
            i += 1
        if i == known.length and text[i] == 0:
            return number
        place = (place + 1) & (BUCKETS - 1)


cdef inline uint32_t add_label(Labels *labels, const char *name, const Name *known, Header *header) noexcept nogil:
    """Write the text into the trace and then into the table, with the lock held; its number."""
    cdef Text *text = <Text *>labels.next
    cdef uint32_t number = labels.count + 1
    cdef uint32_t place = known.bucket
    memcpy(text.text, name, known.length)
    text.number = number
    text.before = header.label_slot
    store32(&header.label_slot, <uint32_t>labels.slot, RELEASE)
    labels.next += RECORD_SIZE
    labels.slot += 1
    memset(&labels.text[number - 1][0], 0, 64)
    memcpy(&labels.text[number - 1][0], name, known.length)
    while labels.bucket[place] != 0:
        place = (place + 1) & (BUCKETS - 1)
    store16(&labels.bucket[place], <uint16_t>number, RELEASE)
    store32(&labels.count, number, RELEASE)
    return number


cdef inline void forget_labels(Labels *labels) noexcept nogil:
    """In a forked child: its trace has no texts yet."""
    if labels.count or labels.lock:
        memset(&labels.bucket[0], 0, sizeof(labels.bucket))
    labels.lock = labels.count = 0
    labels.next = labels.last = NULL


cdef inline void fill_label(Record *record, uint32_t number, uint64_t argument, void *site, uint32_t thread,
                            const Process *process, uint64_t *sequence) noexcept nogil:
    """Write the whole record, the function last, so that it is there whole or not at all."""
    record.address = number
    record.extra = argument
    record.usable = -1
    record.intact = -1
    record.site = <uint64_t>site
    record.thread = thread
    record.time_ns = clock(CLOCK_MONOTONIC) - process.monotonic_ns
    record.begin = add64(sequence, 2, SEQ_CST) + 1
    record.end = record.begin + 1
    store8(&record.function, LABEL, RELEASE)
