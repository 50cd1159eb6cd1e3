# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""M4ALLOC_OPTIONS: what a run is told about its watching, read once, before the first block is handed out.

Nothing is allocated: the text is copied, because the program may change its environment, and taken to pieces in place.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport m4_say, memcpy, snprintf, strlen
from m4alloc._core.knobs cimport is_word, read_number, within

cdef extern from "<stdlib.h>" nogil:
    char *secure_getenv(const char *) noexcept

cdef extern from "monitor_text.h" nogil:
    size_t m4m_directory(char *into, size_t room) noexcept
    int m4m_open_to_append(const char *path) noexcept
    bint m4m_is_writable_folder(const char *path) noexcept
    void m4m_close(int fd) noexcept
    void m4m_end_process(int status) noexcept
    bint m4m_is_terminal(int fd) noexcept

cdef enum:
    OPTIONS_ROOM = 4096        # bytes of the variable
    PATH_ROOM = 1024           # bytes of a path that begins with /
    MESSAGE_ROOM = 768
    CLASSES = 8                # FindingClass, with 0
    USAGE = 2                  # exit status

cdef enum OnViolation:
    GO_EXIT = 0
    GO_ABORT = 1
    GO_ON = 2

cdef enum Leaks:
    LEAKS_UNREACHABLE = 0
    LEAKS_ALL = 1
    LEAKS_NO = 2

cdef enum History:
    HISTORY_NO = 0
    HISTORY_CALLS = 1
    HISTORY_ACCESSES = 2

cdef struct Options "m4m_options":
    bint ready
    uint32_t on_violation      # OnViolation
    uint32_t fail_on           # FindingClass, a bit each: what makes the run fail
    uint32_t fail_on_names     # bytes of fail_on_name that are used
    uint32_t frames            # of a stack
    uint32_t leaks             # Leaks
    uint32_t history           # History
    bint history_given
    bint symbolize             # find out functions and lines
    uint32_t uninitialised     # watch for reads of what was never written: InitialMode of initial.pxd
    bint slow_unwind           # by the unwind tables at each malloc and free, not by frame pointers
    bint color
    uint64_t quarantine_bytes
    bint quarantine_given
    uint64_t failed            # a process that had findings, which may execute another program then; 0: none. Not for
                               # users: report.pxd puts it into the environment
    uint64_t redzone           # least number of bytes behind a request that are nobody's
    bint redzone_given
    const char *properties     # paths; NULL: none. Those of files that the runtime writes begin with /
    const char *suppressions
    const char *json           # %p stands for the process
    const char *trace          # %p stands for the process
    char text[OPTIONS_ROOM]    # what most of them point into
    char fail_on_name[256]     # of properties, each ended by 0
    char json_path[PATH_ROOM]
    char trace_path[PATH_ROOM]

cdef extern from "monitor_text.h" nogil:
    Options options


cdef inline const char *class_name(uint32_t kind) noexcept nogil:
    """What a report of this FindingClass begins with."""
    if kind == 1:
        return "use-after-free"
    if kind == 2:
        return "double-free"
    if kind == 3:
        return "invalid-free"
    if kind == 4:
        return "out-of-bounds"
    if kind == 5:
        return "uninitialised-read"
    if kind == 6:
        return "leak"
    return "property"


cdef inline void default_options() noexcept nogil:
    """What holds where M4ALLOC_OPTIONS says nothing."""
    options.fail_on = (1 << CLASSES) - 1
    options.frames = 8
    options.symbolize = True
    options.color = m4m_is_terminal(2) and secure_getenv("NO_COLOR") == NULL


cdef inline bint read_bytes(const char *text, size_t length, uint64_t *value) noexcept nogil:
    """Read a number of bytes, of KiB with "k" behind it, of MiB with "m"."""
    cdef uint64_t factor = 1
    if length != 0 and (text[length - 1] == 107 or text[length - 1] == 109):
        factor = 1024 if text[length - 1] == 107 else 1024 * 1024
        length -= 1
    if not read_number(text, length, value) or value[0] > (<uint64_t>1 << 40) // factor:
        return False
    value[0] *= factor
    return True


cdef inline bint read_switch(const char *text, size_t length, bint *value) noexcept nogil:
    """Read "0" or "1"."""
    value[0] = length == 1 and text[0] == 49
    return length == 1 and (text[0] == 48 or text[0] == 49)


cdef inline bint read_class(const char *text, size_t length) noexcept nogil:
    """One of fail_on's values: a class, "property" for all properties of the user's, "property:NAME" for one."""
    cdef uint32_t kind = 1
    while kind < CLASSES:
        if is_word(text, length, class_name(kind)):
            options.fail_on |= <uint32_t>1 << kind
            return True
        kind += 1
    if length < 10 or not is_word(text, 9, "property:") or options.fail_on_names + length > 250:
        return False
    memcpy(options.fail_on_name + options.fail_on_names, text + 9, length - 9)
    options.fail_on_names += <uint32_t>length - 8
    return True


cdef inline bint read_classes(const char *text, size_t length) noexcept nogil:
    """Read "class+class"."""
    cdef size_t start = 0
    cdef size_t i = 0
    options.fail_on = 0
    while i <= length:
        if i == length or text[i] == 43:
            if not read_class(text + start, i - start):
                return False
            start = i + 1
        i += 1
    return True


cdef inline bint read_path(const char *text, size_t length, const char **path, char *whole) noexcept nogil:
    """Take over a path. `whole`: the file is for writing, from wherever the program will be; NULL: for reading now."""
    cdef size_t i = 0
    cdef size_t before = 0
    if length == 0:
        return False
    path[0] = text
    if whole == NULL:
        return True
    while i < length:
        if text[i] == 37:
            i += 1
            if i == length or (text[i] != 112 and text[i] != 37):
                return False
        i += 1
    if text[0] != 47:
        before = m4m_directory(whole, PATH_ROOM - 1)
        if before == 0:
            return False
        if before > 1:
            whole[before] = 47
            before += 1
    if before + length >= PATH_ROOM:
        return False
    memcpy(whole + before, text, length)
    whole[before + length] = 0
    path[0] = whole
    return True


cdef inline bint is_choice(const char *text, size_t length, const char *first, const char *second, const char *third,
                           uint32_t *chosen) noexcept nogil:
    """Which of the three words it is: 0, 1, 2."""
    cdef uint32_t i = 0
    cdef const char *words[3]
    words[0] = first
    words[1] = second
    words[2] = third
    for i in range(3):
        if is_word(text, length, words[i]):
            chosen[0] = i
            return True
    return False


cdef inline const char *known_options() noexcept nogil:
    """What may stand before the equals sign."""
    return ("properties on_violation json fail_on suppressions frames leaks history trace symbolize uninitialised "
            "quarantine_bytes redzone unwind color")


cdef inline const char *unless(bint is_right, const char *wrong) noexcept nogil:
    """NULL where all is right."""
    if is_right:
        return NULL
    return wrong


cdef inline const char *set_option(const char *key, size_t length, const char *text, size_t size) noexcept nogil:
    """Set one option. NULL: done; "": no such key; else what its values are."""
    cdef uint64_t n = 0
    cdef uint32_t choice = 0
    if is_word(key, length, "properties"):
        return unless(read_path(text, size, &options.properties, NULL), "the path of a compiled table")
    if is_word(key, length, "suppressions"):
        return unless(read_path(text, size, &options.suppressions, NULL), "the path of a file of suppressions")
    if is_word(key, length, "json"):
        return unless(read_path(text, size, &options.json, options.json_path),
                      "a path of at most 1023 bytes, in which %p is the process's id and %% is %")
    if is_word(key, length, "trace"):
        return unless(read_path(text, size, &options.trace, options.trace_path),
                      "a path of at most 1023 bytes, in which %p is the process's id and %% is %")
    if is_word(key, length, "on_violation"):
        return unless(is_choice(text, size, "exit", "abort", "continue", &options.on_violation),
                      "exit, abort or continue")
    if is_word(key, length, "leaks"):
        return unless(is_choice(text, size, "unreachable", "all", "no", &options.leaks), "unreachable, all or no")
    if is_word(key, length, "history"):
        options.history_given = True
        return unless(is_choice(text, size, "no", "calls", "accesses", &options.history), "no, calls or accesses")
    if is_word(key, length, "unwind"):
        if not is_choice(text, size, "fast", "slow", "slow", &choice):
            return "fast or slow"
        options.slow_unwind = choice != 0
        return NULL
    if is_word(key, length, "fail_on"):
        return unless(read_classes(text, size),
                      "use-after-free, double-free, invalid-free, out-of-bounds, uninitialised-read, leak, property, "
                      "property:NAME, joined by +")
    if is_word(key, length, "frames"):
        if not read_number(text, size, &n) or not within(n, 1, 32):
            return "a number from 1 to 32"
        options.frames = <uint32_t>n
        return NULL
    if is_word(key, length, "quarantine_bytes"):
        options.quarantine_given = True
        if not read_bytes(text, size, &options.quarantine_bytes) or options.quarantine_bytes > <uint64_t>1 << 30:
            return "a number of bytes up to 1024m; k and m behind it stand for KiB and MiB"
        return NULL
    if is_word(key, length, "redzone"):
        options.redzone_given = True
        if not read_bytes(text, size, &options.redzone) or not within(options.redzone, 1, 65536):
            return "a number of bytes from 1 to 64k; k behind it stands for KiB"
        return NULL
    if is_word(key, length, "failed"):
        return unless(read_number(text, size, &options.failed), "the number of a process")
    if is_word(key, length, "symbolize"):
        return unless(read_switch(text, size, &options.symbolize), "0 or 1")
    if is_word(key, length, "uninitialised"):
        if not read_number(text, size, &n) or n > 2:
            return "0, 1 or 2: no, what decides something, each load"
        options.uninitialised = <uint32_t>n
        return NULL
    if is_word(key, length, "color"):
        return unless(read_switch(text, size, &options.color), "0 or 1")
    return ""


cdef inline void refuse_start(const char *message) noexcept nogil:
    """The program does not start: it was told something that nobody understands."""
    m4_say(message, strlen(message))
    m4m_end_process(USAGE)


cdef inline void refuse_option(const char *key, size_t length, const char *text, size_t size,
                               const char *right) noexcept nogil:
    """Say what is wrong with an option, and end."""
    cdef char line[MESSAGE_ROOM]
    if right[0] != 0:
        snprintf(line, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: \"%.*s\" is not a value of %.*s: that is %s\n",
                 <int>(size if size < 200 else 200), text, <int>length, key, right)
    elif is_word(key, length, "misuse") or is_word(key, length, "stats"):
        snprintf(line, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: \"%.*s\" is an option of the allocator alone "
                 "(m4alloc run), not of a monitor; a monitor knows: %s\n", <int>length, key, known_options())
    else:
        snprintf(line, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: unknown option \"%.*s\"; known: %s\n",
                 <int>(length if length < 200 else 200), key, known_options())
    refuse_start(line)


cdef inline void take_option(char *text, size_t length) noexcept nogil:
    """Read "key=value"."""
    cdef char line[MESSAGE_ROOM]
    cdef size_t equals = 0
    cdef const char *right
    while equals < length and text[equals] != 61:
        equals += 1
    if equals == length:
        snprintf(line, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: \"%.*s\" is not key=value\n",
                 <int>(length if length < 200 else 200), text)
        refuse_start(line)
    right = set_option(text, equals, text + equals + 1, length - equals - 1)
    if right != NULL:
        refuse_option(text, equals, text + equals + 1, length - equals - 1, right)


cdef inline bint has_process(const char *path) noexcept nogil:
    """Does the path have the process's id in it?"""
    cdef size_t i = 0
    while path[i] != 0:
        if path[i] == 37:
            i += 1
            if path[i] == 112:
                return True
        i += 1
    return False


cdef inline void check_file(const char *key, const char *path) noexcept nogil:
    """The file can be written, or the program does not start."""
    cdef char line[MESSAGE_ROOM]
    cdef int fd
    if has_process(path):
        return
    fd = m4m_open_to_append(path)
    if fd < 0:
        snprintf(line, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: %s: %.500s cannot be written\n", key, path)
        refuse_start(line)
    m4m_close(fd)


cdef inline void check_folder(const char *key, const char *path) noexcept nogil:
    """The file, which is not made yet, can be made where it is to be, or the program does not start."""
    cdef char line[MESSAGE_ROOM]
    cdef char folder[PATH_ROOM]
    cdef size_t length = strlen(path)
    while length > 1 and path[length - 1] != 47:
        length -= 1
    memcpy(folder, path, length)
    folder[length] = 0
    if has_process(folder):
        return
    if not m4m_is_writable_folder(folder):
        snprintf(line, MESSAGE_ROOM, "m4alloc: M4ALLOC_OPTIONS: %s: %.500s cannot be written\n", key, path)
        refuse_start(line)


cdef inline void read_options() noexcept nogil:
    """Read M4ALLOC_OPTIONS; ends the program with status 2 when it says something wrong. Idempotent."""
    cdef const char *given = NULL
    cdef size_t start = 0
    cdef size_t i = 0
    cdef bint last = False
    if options.ready:
        return
    options.ready = True
    default_options()
    given = secure_getenv("M4ALLOC_OPTIONS")  # not of whoever runs a set-user-ID program
    if given == NULL:
        return
    if strlen(given) >= OPTIONS_ROOM:
        refuse_start("m4alloc: M4ALLOC_OPTIONS: longer than 4095 bytes\n")
    memcpy(options.text, given, strlen(given) + 1)
    while not last:
        if options.text[i] == 44 or options.text[i] == 0:
            last = options.text[i] == 0
            options.text[i] = 0
            if i > start:
                take_option(options.text + start, i - start)
            start = i + 1
        i += 1
    if options.json != NULL:
        check_file("json", options.json)
    if options.trace != NULL:
        check_folder("trace", options.trace)
