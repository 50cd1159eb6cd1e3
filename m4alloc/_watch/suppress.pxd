# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Suppressions: what the user knows and does not want to hear of again.

A line is `class:pattern` or `property NAME:pattern`; the pattern is looked for in the function, the file and the module
of each frame of the finding. It may stand anywhere in the name; `^` and `$` hold it to the ends, `*` stands for anything.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport memcmp, snprintf, strlen
from m4alloc._core.knobs cimport is_word
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.options cimport MESSAGE_ROOM, class_name, options, refuse_start
from m4alloc._watch.symbol cimport NO_MODULE, Frame, Line, symbols

cdef extern from "monitor_text.h" nogil:
    int m4m_open_to_read(const char *path) noexcept
    long m4m_read(int fd, void *into, size_t size) noexcept
    void m4m_close(int fd) noexcept

cdef enum:
    SUPPRESSIONS_MOST = 1000
    SUPPRESSION_FILE = 1 << 20  # bytes
    PROPERTY_KIND = 7           # PROPERTY_VIOLATED

cdef struct Suppression "m4m_suppression":
    uint32_t kind              # FindingClass
    uint32_t used              # how many findings it has suppressed
    const char *whole          # the line
    const char *name           # of the property; NULL: of any
    const char *pattern

cdef struct Suppressions "m4m_suppressions":
    uint32_t count
    uint32_t used
    Suppression *each

cdef extern from "monitor_text.h" nogil:
    Suppressions suppressions


cdef inline bint fits(const char *pattern, const char *text) noexcept nogil:
    """Does the pattern stand in the text? Cost: O(pattern * text)."""
    cdef const char *star = NULL
    cdef const char *again = text
    if pattern[0] == 94:
        pattern += 1
    else:
        star = pattern
    while True:
        if pattern[0] == 42:
            pattern += 1
            star = pattern
            again = text
        elif pattern[0] == 0 or (pattern[0] == 36 and pattern[1] == 0 and text[0] == 0):
            return True
        elif text[0] != 0 and pattern[0] == text[0]:
            pattern += 1
            text += 1
        elif star == NULL or again[0] == 0:
            return False
        else:
            again += 1
            text = again
            pattern = star


cdef inline bint fits_frame(const Suppression *suppression, const Frame *frame) noexcept nogil:
    """Is it one of the frames that the user means?"""
    cdef uint32_t i = 0
    cdef const Line *line
    for i in range(frame.lines):
        line = &symbols.line[frame.first + i]
        if line.function != NULL and fits(suppression.pattern, line.function):
            return True
        if line.file != NULL and fits(suppression.pattern, line.file):
            return True
    return frame.module != NO_MODULE and fits(suppression.pattern, symbols.module[frame.module].path)


cdef inline const char *suppressed(uint32_t kind, const char *property, const Frame *frames,
                                   uint32_t count) noexcept nogil:
    """The line that suppresses a finding with these frames, which it counts; NULL: none does."""
    cdef uint32_t i = 0
    cdef uint32_t f = 0
    cdef Suppression *suppression
    for i in range(suppressions.count):
        suppression = &suppressions.each[i]
        if suppression.name != NULL:
            if property == NULL or not is_word(property, strlen(property), suppression.name):
                continue
        elif suppression.kind != kind:
            continue
        for f in range(count):
            if fits_frame(suppression, &frames[f]):
                suppression.used += 1
                suppressions.used += 1
                return suppression.whole
    return NULL


cdef inline void refuse_line(uint32_t number, const char *what, const char *line) noexcept nogil:
    """Say what is wrong in which line, and end."""
    cdef char message[MESSAGE_ROOM]
    snprintf(message, MESSAGE_ROOM, "m4alloc: suppressions: %.300s:%u: %s: \"%.200s\"\n", options.suppressions, number,
             what, line)
    refuse_start(message)


cdef inline void take_line(char *line, uint32_t number) noexcept nogil:
    """Read one line, without the spaces around it."""
    cdef uint64_t colon = 0
    cdef uint32_t kind = 1
    cdef Suppression *suppression
    if line[0] == 0 or line[0] == 35:
        return
    while line[colon] != 0 and line[colon] != 58:
        colon += 1
    if line[colon] == 0 or line[colon + 1] == 0:
        refuse_line(number, "neither class:pattern nor property NAME:pattern", line)
    if suppressions.count == SUPPRESSIONS_MOST:
        refuse_line(number, "more than 1000 suppressions", line)
    suppression = &suppressions.each[suppressions.count]
    suppression.whole = line
    suppression.pattern = line + colon + 1
    suppression.name = NULL
    while kind <= PROPERTY_KIND and not is_word(line, colon, class_name(kind)):
        kind += 1
    if kind > PROPERTY_KIND and colon > 9 and memcmp(line, "property ", 9) == 0:
        kind = PROPERTY_KIND
        suppression.name = copy_name(line + 9, colon - 9)
    if kind > PROPERTY_KIND:
        refuse_line(number, "unknown class; known: use-after-free, double-free, invalid-free, out-of-bounds, "
                    "uninitialised-read, leak, property, property NAME", line)
    suppression.kind = kind
    suppressions.count += 1


cdef inline const char *copy_name(const char *name, uint64_t length) noexcept nogil:
    """The property's name, ended by 0: behind all else that the file's memory has."""
    cdef char *copy = <char *>(suppressions.each + SUPPRESSIONS_MOST) + 256 * suppressions.count
    cdef uint64_t i
    length = length if length < 255 else 255
    for i in range(length):
        copy[i] = name[i]
    copy[length] = 0
    return copy


cdef inline void read_suppressions() noexcept nogil:
    """Read the file of M4ALLOC_OPTIONS=suppressions=; ends the program with status 2 when it cannot."""
    cdef char message[MESSAGE_ROOM]
    cdef char *text
    cdef char *line
    cdef uint64_t length = 0
    cdef uint64_t i = 0
    cdef uint64_t end
    cdef uint32_t number = 1
    cdef long got = 1
    cdef int fd
    if options.suppressions == NULL or suppressions.each != NULL:
        return
    fd = m4m_open_to_read(options.suppressions)
    text = <char *>map_reserve(SUPPRESSION_FILE + 1)
    suppressions.each = <Suppression *>map_reserve(SUPPRESSIONS_MOST * (sizeof(Suppression) + 256))
    if fd < 0 or text == NULL or suppressions.each == NULL:
        snprintf(message, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: suppressions: %.500s cannot be read\n",
                 options.suppressions)
        refuse_start(message)
    while got > 0 and length < SUPPRESSION_FILE:
        got = m4m_read(fd, text + length, SUPPRESSION_FILE - length)
        length += <uint64_t>got if got > 0 else 0
    m4m_close(fd)
    if got < 0 or length == SUPPRESSION_FILE:
        snprintf(message, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: suppressions: %.500s %s\n", options.suppressions,
                 <const char *>("cannot be read" if got < 0 else "has a MiB or more"))
        refuse_start(message)
    line = text
    while i <= length:
        if i == length or text[i] == 10:
            end = i
            while text + end > line and (text[end - 1] == 32 or text[end - 1] == 9 or text[end - 1] == 13):
                end -= 1
            text[end] = 0
            while line[0] == 32 or line[0] == 9:
                line += 1
            take_line(line, number)
            number += 1
            line = text + i + 1
        i += 1
