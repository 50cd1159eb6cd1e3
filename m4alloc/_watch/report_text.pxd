# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Text that is put together in memory of one size: what does not fit is left out, and `full` says so."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport memcpy, strlen

cdef struct Text "m4m_text":
    char *start
    uint64_t length
    uint64_t room
    bint full


cdef inline void begin_text(Text *text, char *start, uint64_t room) noexcept nogil:
    """An empty text."""
    text.start = start
    text.length = 0
    text.room = room
    text.full = False


cdef inline void add_bytes(Text *text, const char *more, uint64_t length) noexcept nogil:
    """Append so many bytes, all or none."""
    if text.full or length > text.room - text.length:
        text.full = True
        return
    memcpy(text.start + text.length, more, length)
    text.length += length


cdef inline void add(Text *text, const char *more) noexcept nogil:
    """Append a text that ends with 0."""
    add_bytes(text, more, strlen(more))


cdef inline const char *either(bint first, const char *one, const char *other) noexcept nogil:
    """One of two texts."""
    return one if first else other


cdef inline void add_char(Text *text, char more) noexcept nogil:
    """Append one character."""
    add_bytes(text, &more, 1)


cdef inline void add_decimal(Text *text, uint64_t number) noexcept nogil:
    """Append a number."""
    cdef char digits[20]
    cdef uint32_t at = 20
    while True:
        at -= 1
        digits[at] = <char>(48 + number % 10)
        number //= 10
        if number == 0:
            break
    add_bytes(text, digits + at, 20 - at)


cdef inline char hex_digit(uint64_t number) noexcept nogil:
    """The digit of a number below 16."""
    return <char>(48 + number if number < 10 else 87 + number)


cdef inline void add_hex(Text *text, uint64_t number) noexcept nogil:
    """Append a number in hexadecimal, without 0x."""
    cdef char digits[16]
    cdef uint32_t at = 16
    while True:
        at -= 1
        digits[at] = hex_digit(number & 15)
        number >>= 4
        if number == 0:
            break
    add_bytes(text, digits + at, 16 - at)


cdef inline void add_address(Text *text, uint64_t number) noexcept nogil:
    """Append 0x and the number."""
    add(text, "0x")
    add_hex(text, number)


cdef inline void add_count(Text *text, uint64_t number, const char *noun) noexcept nogil:
    """Append "1 byte" or "2 bytes"."""
    add_decimal(text, number)
    add_char(text, 32)
    add(text, noun)
    if number != 1:
        add_char(text, 115)


cdef inline void add_spaces(Text *text, uint64_t since, uint64_t width) noexcept nogil:
    """Fill the column that began at `since` up to its width."""
    while text.length - since < width and not text.full:
        add_char(text, 32)


cdef inline void add_path(Text *text, const char *path, int process) noexcept nogil:
    """Append a path in which %p is the process's id and %% is %; end it with 0."""
    cdef uint64_t i = 0
    while path[i] != 0:
        if path[i] == 37:
            i += 1
            if path[i] == 112:
                add_decimal(text, <uint64_t>process)
            else:
                add_char(text, 37)
        else:
            add_char(text, path[i])
        i += 1
    add_char(text, 0)


cdef inline void add_shell_word(Text *text, const char *word) noexcept nogil:
    """Append a word as a POSIX shell reads it: in quotes where it needs some."""
    cdef uint64_t i = 0
    cdef bint plain = word[0] != 0
    cdef char c
    while word[i] != 0:
        c = word[i]
        if not (48 <= c <= 57 or 64 <= c <= 90 or 97 <= c <= 122 or 43 <= c <= 47 or c in (37, 58, 61, 95)):
            plain = False
        i += 1
    if plain:
        add(text, word)
        return
    add_char(text, 39)
    i = 0
    while word[i] != 0:
        if word[i] == 39:
            add(text, "'\\''")
        else:
            add_char(text, word[i])
        i += 1
    add_char(text, 39)


cdef inline uint64_t text_length(const char *start, uint64_t most) noexcept nogil:
    """How many bytes there are before the 0, at most so many."""
    cdef uint64_t i = 0
    while i < most and start[i] != 0:
        i += 1
    return i


cdef inline void add_json(Text *text, const char *value) noexcept nogil:
    """Append a text as JSON; NULL is null. Bytes that are no UTF-8 become U+FFFD."""
    cdef uint64_t i = 0
    cdef uint64_t length
    cdef unsigned char c
    if value == NULL:
        add(text, "null")
        return
    add_char(text, 34)
    while value[i] != 0:
        c = <unsigned char>value[i]
        length = utf8_bytes(value + i)
        if c == 34 or c == 92:
            add_char(text, 92)
            add_char(text, <char>c)
        elif c < 32:
            add(text, "\\u00")
            add_char(text, hex_digit(c >> 4))
            add_char(text, hex_digit(c & 15))
        elif length == 0:
            add(text, "\\ufffd")
        else:
            add_bytes(text, value + i, length)
        i += length if length != 0 else 1
    add_char(text, 34)


cdef inline uint64_t utf8_bytes(const char *at) noexcept nogil:
    """Bytes of the character that begins here; 0: none does."""
    cdef unsigned char c = <unsigned char>at[0]
    cdef uint64_t length = 1 if c < 0x80 else 2 if 0xC2 <= c < 0xE0 else 3 if 0xE0 <= c < 0xF0 else 4
    cdef unsigned char second = <unsigned char>at[1]
    cdef uint64_t i = 1
    if 0x80 <= c < 0xC2 or c > 0xF4:
        return 0
    if c == 0xE0 and second < 0xA0 or c == 0xED and second > 0x9F or c == 0xF0 and second < 0x90 or (
            c == 0xF4 and second > 0x8F):
        return 0
    while i < length:
        if (<unsigned char>at[i] & 0xC0) != 0x80:
            return 0
        i += 1
    return length
