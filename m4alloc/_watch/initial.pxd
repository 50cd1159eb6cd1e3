# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Which bytes of the heap nobody has written yet: a bit for each, under the option uninitialised.

Such a byte also holds what it was filled with when its block was handed out. One that holds something else was written
by code that nobody watches, and counts as written. So a byte in doubt is never said to be uninitialised.

A copy takes the bits along. A function of the C library that uses what it reads is wrong to read such a byte. A load
alone is no error; what it loaded is a *suspect* until a comparison with it decides something (monitor_hooks_compare.c).
"""

from libc.stdint cimport uint32_t, uint64_t, uint8_t

from m4alloc._core.c cimport MADV_DONTNEED, m4_add64, madvise
from m4alloc._watch.c cimport m4m_arena_base, m4m_arena_bytes, m4m_plain_memcpy, m4m_plain_memset
from m4alloc._watch.finding cimport begin_finding
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.place cimport find_place
from m4alloc._watch.report cimport report
from m4alloc._watch.step cimport step_block
from m4alloc._watch.thread cimport next_event
from m4alloc._watch.types cimport (LETTER_ACCESS, LIVE_BLOCK, M4M_COPY, M4M_LIBC, M4M_READ, M4M_SUSPECT, M4M_WRITE,
                                   UNINITIALISED, UNINITIALISED_READ, Finding, Place, Thread)

cdef extern from "_monitor.h" nogil:
    void *m4m_plain_memmove(void *, const void *, size_t) noexcept

cdef extern from "monitor_suspect.h" nogil:
    void m4m_suspect(uint64_t value, const char *address, uint32_t size, const void *site) noexcept
    const char *m4m_half_copy(const char *address, uint64_t size, bint is_write, bint may_be_first,
                              const void *site) noexcept

cdef enum:
    WATCHED_MOST = 1 << 20     # bytes of a block; behind them all counts as written
    RELEASE_LEAST = 1 << 16    # bytes of the bitmap that are cleared by giving their pages back

cdef enum InitialMode:         # the option uninitialised
    INITIAL_OFF = 0
    INITIAL_DECIDING = 1       # report what decides something
    INITIAL_ALL = 2            # and each load, too

cdef struct Initial "m4m_initial":
    uint8_t *unwritten         # a bit for each byte of the arena: 1: nobody has written it
    uint32_t mode              # InitialMode; 0 when there is no memory for the bits
    uint32_t spare
    uint64_t suspects          # loads of what nobody has written

cdef extern from "monitor_leak_state.h" nogil:
    Initial initial

# What a fresh block is filled with, at multiples of 8: no text in UTF-8 has these bytes, numbers hardly. The last one is
# 0, so that a string ends there; alone it says nothing.
cdef enum:
    FILL_LOW = 0xF6FBC1F9
    FILL_HIGH = 0x00F7C0FA


cdef inline uint64_t fill_word() noexcept nogil:
    return (<uint64_t>FILL_HIGH << 32) | <uint64_t>FILL_LOW


cdef inline bint open_initial(uint32_t mode) noexcept nogil:
    """Before the first block, when the arena is known; False: there is no address space for the bits."""
    if mode == INITIAL_OFF:
        return True
    initial.unwritten = <uint8_t *>map_reserve(m4m_arena_bytes >> 3)
    if initial.unwritten == NULL:
        return False
    initial.mode = mode
    return True


cdef inline bint is_heap(const char *address) noexcept nogil:
    """Whether there is a bit for it."""
    return <uint64_t>(address - m4m_arena_base) < m4m_arena_bytes


cdef inline uint8_t *bits_at(const char *address) noexcept nogil:
    """The eight bits among which that of the address is."""
    return initial.unwritten + (<uint64_t>(address - m4m_arena_base) >> 3)


cdef inline void write_bits(const char *address, uint64_t size) noexcept nogil:
    """The bytes have been written, or are about to be."""
    cdef uint8_t *bits = bits_at(address)
    cdef uint64_t first = <uint64_t>address & 7
    cdef uint64_t last = first + size
    if initial.unwritten == NULL or size == 0:
        return
    if last <= 8:
        if bits[0] != 0:
            bits[0] &= <uint8_t>~(((1 << last) - 1) & ~((1 << first) - 1))
        return
    bits[0] &= <uint8_t>((1 << first) - 1)
    clear_bytes(bits + 1, (last >> 3) - 1)
    if last & 7 and bits[last >> 3] != 0:
        bits[last >> 3] &= <uint8_t>~((1 << (last & 7)) - 1)


cdef inline void clear_bytes(uint8_t *bits, uint64_t count) noexcept nogil:
    """Clear bytes of the bitmap; many by letting their pages go."""
    cdef uint64_t low = (<uint64_t>bits + 4095) & ~<uint64_t>4095
    cdef uint64_t high = (<uint64_t>bits + count) & ~<uint64_t>4095
    if count >= RELEASE_LEAST and madvise(<void *>low, high - low, MADV_DONTNEED) == 0:
        m4m_plain_memset(bits, 0, low - <uint64_t>bits)
        m4m_plain_memset(<void *>high, 0, <uint64_t>bits + count - high)
    else:
        m4m_plain_memset(bits, 0, count)


cdef inline void begin_bits(char *base, uint64_t size, bint zeroed) noexcept nogil:
    """A block is handed out there, or grows by that. Fills what is not zeroed, so that it can be known again."""
    cdef uint64_t skipped = (8 - (<uint64_t>base & 7)) & 7
    cdef uint64_t watched = size if size < WATCHED_MOST else WATCHED_MOST
    cdef uint64_t *word
    cdef uint64_t count
    cdef uint8_t *bits
    if initial.mode == INITIAL_OFF or size == 0:
        return
    write_bits(base, size)
    if zeroed or watched <= skipped:
        return
    base += skipped
    watched -= skipped
    word = <uint64_t *>base
    bits = bits_at(base)
    for count in range(watched >> 3):
        word[count] = fill_word()
    m4m_plain_memset(bits, 0xFF, watched >> 3)
    if watched & 7:
        begin_rest(base + (watched & ~<uint64_t>7), watched & 7)


cdef inline void begin_rest(char *base, uint64_t size) noexcept nogil:
    """The last bytes of a block, less than eight."""
    cdef uint64_t fill = fill_word()
    m4m_plain_memcpy(base, &fill, size)
    bits_at(base)[0] = <uint8_t>((1 << size) - 1)


cdef inline uint32_t unwritten_of(const char *word, uint32_t bits) noexcept nogil:
    """Of the bytes of a word that have these bits: those that nobody has written, a bit each.

    None, as soon as one of them has changed. The last byte is filled with a zero, which anybody may have written: it
    counts when two others say the same.
    """
    cdef uint64_t fill = fill_word()
    cdef uint32_t i, same = 0
    for i in range(8):
        if (bits >> i) & 1:
            if <uint8_t>word[i] != <uint8_t>(fill >> (8 * i)):
                return 0
            same += i < 7
    return bits & 0x7F if same < 2 else bits


cdef inline bint read_bits(const char *address, uint64_t size) noexcept nogil:
    """Whether all the bytes have been written. Only of a live block."""
    cdef const char *word = <const char *>(<uint64_t>address & ~<uint64_t>7)
    cdef const char *end = address + size
    cdef uint32_t bits
    while word < end:
        bits = bits_at(word)[0]
        if bits != 0:
            bits = unwritten_of(word, bits)
            if word < address:
                bits &= 0xFF << (address - word)
            if word + 8 > end:
                bits &= (1 << (end - word)) - 1
            if bits != 0:
                return False
        word += 8
    return True


cdef inline void copy_bits(char *to, const char *source, uint64_t size) noexcept nogil:
    """The bytes are copied, or are about to be; the two may overlap. What is not the heap's counts as written.

    Where a copy is not as far from a multiple of 8 as its source was, it is not known again, and counts as written too.
    """
    cdef uint64_t first = (8 - (<uint64_t>to & 7)) & 7
    cdef uint64_t whole
    if initial.mode == INITIAL_OFF or not is_heap(to):
        return
    if not is_heap(source) or (<uint64_t>to ^ <uint64_t>source) & 7:
        write_bits(to, size)
        return
    if size < first + 8:
        copy_few(to, source, size)
        return
    whole = (size - first) >> 3
    if to <= source:
        copy_few(to, source, first)
        m4m_plain_memmove(bits_at(to + first), bits_at(source + first), whole)
        copy_few(to + first + 8 * whole, source + first + 8 * whole, (size - first) & 7)
    else:
        copy_few(to + first + 8 * whole, source + first + 8 * whole, (size - first) & 7)
        m4m_plain_memmove(bits_at(to + first), bits_at(source + first), whole)
        copy_few(to, source, first)


cdef inline void copy_few(char *to, const char *source, uint64_t size) noexcept nogil:
    """The same of less than sixteen bytes that are aligned alike, and where both are the heap's."""
    cdef uint64_t i
    cdef uint32_t taken = 0
    for i in range(size):
        taken |= <uint32_t>((bits_at(source + i)[0] >> (<uint64_t>(source + i) & 7)) & 1) << i
    for i in range(size):
        if (taken >> i) & 1:
            bits_at(to + i)[0] |= <uint8_t>(1 << (<uint64_t>(to + i) & 7))
        else:
            bits_at(to + i)[0] &= <uint8_t>~(1 << (<uint64_t>(to + i) & 7))


cdef inline uint32_t judge_bits(const char *address, uint64_t size, unsigned int how, const void *site) noexcept nogil:
    """What an access inside of a live block adds to its letter: UNINITIALISED, or nothing.

    Who copies says first that it reads and then that it writes as many bytes, from the same place in the code.
    """
    cdef const char *other = NULL
    if initial.mode == INITIAL_OFF:
        return 0
    if how & M4M_WRITE:
        if how & M4M_COPY or 4 <= size <= 16:
            other = m4m_half_copy(address, size, True, how & M4M_COPY != 0, site)
        if other != NULL:
            copy_bits(<char *>address, other, size)
        else:
            write_bits(address, size)
        return 0
    if how & M4M_COPY:
        other = m4m_half_copy(address, size, False, True, site)
        if other != NULL:
            copy_bits(<char *>other, address, size)
        if size == 16:  # a vector, of which a part may be looked at
            suspect_value(address, 8, site)
            suspect_value(address + 8, 8, site)
        return 0
    if read_bits(address, size):
        return 0
    if how & M4M_LIBC:
        return UNINITIALISED
    if size >= 4:  # perhaps to store it elsewhere. If something else is stored there, its bytes say so.
        m4m_half_copy(address, size, False, True, site)
    if size <= 8:
        m4_add64(&initial.suspects, 1)
        suspect_value(address, size, site)
    return UNINITIALISED if initial.mode == INITIAL_ALL else 0


cdef inline void suspect_value(const char *address, uint64_t size, const void *site) noexcept nogil:
    """A value has been read, of at most 8 bytes; look for it in what is compared, unless it has been written."""
    cdef uint64_t value = 0
    if not read_bits(address, size):
        m4m_plain_memcpy(&value, address, size)
        m4m_suspect(value, address, <uint32_t>size, site)


cdef inline void tell_uninitialised(Thread *thread, uint64_t violated, const char *address, uint64_t size,
                                    unsigned int how, const Place *place, const void *site, const void *frame,
                                    const char *function) noexcept nogil:
    """Report a use of what nobody has written, and let it count as written from now on.

    A load of which nobody knows yet whether it decides anything is a suspect; those are reported on request only.
    """
    cdef Finding found
    begin_finding(&found, thread, UNINITIALISED_READ, violated, "read", place, site, frame)
    found.address = <char *>address
    found.size = size
    found.how = how | (M4M_SUSPECT if initial.mode == INITIAL_ALL and not how & M4M_LIBC else 0)
    found.function = function
    write_bits(address, size)
    report(&found)


cdef inline void decide(Thread *thread, const char *address, uint64_t size, const void *site,
                        const void *frame) noexcept nogil:
    """A comparison at `site` depends on what was read at an address before."""
    cdef Place place
    if not find_place(address, &place) or place.life != LIVE_BLOCK or read_bits(address, size):
        return
    next_event(thread, place.story.born)
    tell_uninitialised(thread, step_block(thread, &place, LETTER_ACCESS + UNINITIALISED), address, size, M4M_READ,
                       &place, site, frame, NULL)
