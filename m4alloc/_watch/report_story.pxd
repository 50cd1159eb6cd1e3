# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A finding as text for people: what happened, to which block, since when, and how to see it again."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from m4alloc._core.c cimport memcmp, strlen
from m4alloc._watch.c cimport m4m_core_settings
from m4alloc._watch.options cimport options
from m4alloc._watch.report_facts cimport Facts, StackFacts, is_heap, m4m_is_mapped, stack_owner
from m4alloc._watch.report_text cimport (Text, add, add_address, add_char, add_count, add_decimal, add_hex,
                                         add_shell_word, add_spaces, either)
from m4alloc._watch.symbol cimport NO_MODULE, Frame, Line, symbols
from m4alloc._watch.types cimport (DEAD, IN_LARGE, IN_SAMPLE, LEAK, M4M_ATOMIC, M4M_SUSPECT, OUT_OF_BOUNDS,
                                   PROPERTY_VIOLATED, USE_AFTER_FREE, Finding)

cdef extern from "monitor_text.h" nogil:
    size_t m4m_directory(char *into, size_t room) noexcept

cdef enum:
    LABEL_WIDTH = 12           # of the column that says what a line is about
    NAME_WIDTH = 26            # of a frame's number and function


cdef inline bint same(const char *a, const char *b) noexcept nogil:
    """Are the texts equal?"""
    return strlen(a) == strlen(b) and memcmp(a, b, strlen(a)) == 0


cdef inline bint ends_with(const char *text, const char *end) noexcept nogil:
    """Is it its last part? A property without a name is called by its index and its formula."""
    cdef uint64_t length = strlen(text)
    return length >= strlen(end) and memcmp(text + length - strlen(end), end, strlen(end)) == 0


cdef inline void begin_line(Text *text, const char *label) noexcept nogil:
    """Two spaces, a word, and the column that the rest begins in."""
    cdef uint64_t since = text.length
    add(text, "  ")
    add(text, label)
    add_char(text, 32)
    add_spaces(text, since, LABEL_WIDTH)


cdef inline void add_block(Text *text, const Facts *facts) noexcept nogil:
    """The block by the number of its event, and its size. Of samples the core keeps no event."""
    if facts.finding.place.kind == IN_SAMPLE:
        add(text, "a sampled block (")
        add_count(text, facts.finding.place.size, "byte")
        add(text, ")")
        return
    add(text, "block #")
    add_decimal(text, facts.born)
    add(text, " (")
    add_count(text, facts.finding.place.size, "byte")
    add_char(text, 41)


cdef inline void add_where(Text *text, const Facts *facts) noexcept nogil:
    """Where the address lies to the block."""
    cdef int64_t size = <int64_t>facts.finding.place.size
    cdef int64_t end = facts.offset + <int64_t>facts.finding.size
    if facts.offset < 0:
        add_count(text, <uint64_t>-facts.offset, "byte")
        add(text, " before ")
        add_block(text, facts)
    elif facts.offset < size:
        add_count(text, <uint64_t>facts.offset, "byte")
        add(text, " into ")
        add_block(text, facts)
        if end > size:
            add(text, ", ")
            add_count(text, <uint64_t>(end - size), "byte")
            add(text, " beyond its end")
    elif facts.offset == size:
        add(text, "directly behind ")
        add_block(text, facts)
    else:
        add_count(text, <uint64_t>(facts.offset - size), "byte")
        add(text, " behind ")
        add_block(text, facts)


cdef inline void add_nowhere(Text *text, const Facts *facts) noexcept nogil:
    """What an address is that is no block's."""
    cdef const Frame *frame = &facts.frame[facts.frames]
    cdef const char *path = symbols.module[frame.module].path if frame.module != NO_MODULE else NULL
    cdef uint32_t owner = stack_owner(facts.finding.address)
    if is_heap(facts.finding.address):
        add(text, "in the heap, where no block is or was")
    elif owner != 0:
        add(text, either(facts.finding.kind == OUT_OF_BOUNDS, "beside an array on the stack of thread ",
                         "on the stack of thread "))
        add_decimal(text, owner)
    elif path != NULL and same(path, "[stack]"):
        add(text, "on the stack")
    elif facts.variable[0] != 0:
        add(text, "in the variable ")
        add(text, facts.variable)
        add(text, " of ")
        add(text, path)
    elif path != NULL and path[0] == 47:
        add(text, "in a global or constant of ")
        add(text, path)
    elif m4m_is_mapped(facts.finding.address):
        add(text, "in memory that malloc never handed out")
    else:
        add(text, "where no memory is")


cdef inline void add_access(Text *text, const Facts *facts) noexcept nogil:
    """Who accesses how much, and where."""
    cdef const Finding *finding = &facts.finding
    if finding.function != NULL:
        add(text, finding.function)
        add(text, either(same(finding.verb, "read"), " reads ", " writes "))
        add_count(text, finding.size, "byte")
    else:
        if finding.how & M4M_SUSPECT:
            add(text, "suspect ")
        if finding.how & M4M_ATOMIC:
            add(text, "atomic ")
        add(text, finding.verb)
        add(text, " of ")
        add_count(text, finding.size, "byte")
    add(text, " at ")
    add_address(text, <uint64_t>finding.address)
    add(text, ", ")
    if facts.has_block:
        add_where(text, facts)
    else:
        add_nowhere(text, facts)


cdef inline void add_release(Text *text, const Facts *facts) noexcept nogil:
    """Who frees or resizes what."""
    cdef const Finding *finding = &facts.finding
    add(text, finding.verb)
    add(text, " of ")
    add_address(text, <uint64_t>finding.address)
    add(text, ", ")
    if not facts.has_block:
        add_nowhere(text, facts)
    elif facts.offset != 0:
        add_where(text, facts)
        add(text, either(facts.life == DEAD, ", which was freed", ", which lives"))
    else:
        add_block(text, facts)


cdef inline void add_leak(Text *text, const Facts *facts) noexcept nogil:
    """How many blocks, of how many bytes."""
    add_count(text, facts.finding.blocks, "block")
    add(text, " of ")
    add_count(text, facts.finding.bytes, "byte")
    if facts.finding.reachable:
        add(text, ", not freed at exit but still pointed to")
    elif facts.finding.kind == LEAK:
        add(text, either(facts.finding.blocks == 1, " that nothing points to", " in all that nothing points to"))
    if facts.has_block:
        add(text, either(facts.finding.blocks == 1, ": ", ", the first of them "))
        add_block(text, facts)
    if facts.finding.further_blocks != 0:
        add(text, "; ")
        add_count(text, facts.finding.further_blocks, "block")
        add(text, " of ")
        add_count(text, facts.finding.further_bytes, "byte")
        add(text, " that only these lead to")


cdef inline bint is_release(const Finding *finding) noexcept nogil:
    """Is it about a block that is given up?"""
    return same(finding.verb, "free") or same(finding.verb, "realloc")


cdef inline void add_event(Text *text, const Facts *facts) noexcept nogil:
    """What happened, in the words that its kind has."""
    cdef const Finding *finding = &facts.finding
    if finding.blocks != 0 and same(finding.verb, "exit"):
        add_leak(text, facts)
    elif same(finding.verb, "read") or same(finding.verb, "write"):
        add_access(text, facts)
    elif is_release(finding):
        add_release(text, facts)
    elif same(finding.verb, "exit"):
        add(text, "the program ends")
    elif same(finding.verb, "overrun"):
        add(text, "an array of the frame at ")
        add_address(text, <uint64_t>finding.address)
        add(text, " was written beyond its end, as its canary shows")
    else:
        add(text, finding.verb)
        if facts.has_block:
            add(text, either(same(finding.verb, "malloc"), " of ", ", about "))
            add_block(text, facts)
        if finding.blocks > 1:
            add(text, ", the first of ")
            add_count(text, finding.blocks, "block")
            add(text, " of ")
            add_count(text, finding.bytes, "byte")
            add(text, " in all that violate it here")


cdef inline void add_file(Text *text, const char *path, const char *directory, uint64_t length) noexcept nogil:
    """A file's path, as seen from the working directory."""
    if length != 0 and strlen(path) > length and memcmp(path, directory, length) == 0 and path[length] == 47:
        path += length + 1
    add(text, path)


cdef inline bint begins_threads(const char *function) noexcept nogil:
    """Is it a function of the C library that calls main, or a thread's first?"""
    return (same(function, "__libc_start_call_main") or same(function, "__libc_start_main")
            or same(function, "__libc_start_main_impl") or same(function, "_start") or same(function, "start_thread")
            or same(function, "clone") or same(function, "clone3") or same(function, "__clone3"))


cdef inline void begin_frame(Text *text, uint32_t number) noexcept nogil:
    """The number of a frame."""
    add(text, "                #")
    add_decimal(text, number)
    add_char(text, 32)


cdef inline void add_bare_frame(Text *text, const Frame *frame) noexcept nogil:
    """A frame without a function: its address in its module."""
    if frame.module == NO_MODULE:
        add_address(text, frame.address - 1)
    else:
        add(text, symbols.module[frame.module].path)
        add(text, "+0x")
        add_hex(text, frame.address - 1 - symbols.module[frame.module].bias)
    add_char(text, 10)


cdef inline void add_stack_text(Text *text, const Facts *facts, const StackFacts *stack, const char *directory,
                                uint64_t length) noexcept nogil:
    """The frames of a stack, a line each, up to main."""
    cdef uint32_t number = 0
    cdef uint32_t i = 0
    cdef uint32_t j = 0
    cdef uint64_t since
    cdef const Frame *frame
    cdef const Line *line
    for i in range(stack.count):
        frame = &facts.frame[stack.first + i]
        if frame.lines == 0:
            begin_frame(text, number)
            add_bare_frame(text, frame)
            number += 1
        for j in range(frame.lines):
            line = &symbols.line[frame.first + j]
            if begins_threads(line.function):
                return
            since = text.length + 16
            begin_frame(text, number)
            add(text, line.function)
            number += 1
            add_char(text, 32)
            add_spaces(text, since, NAME_WIDTH)
            if line.file != NULL:
                add_file(text, line.file, directory, length)
                if line.line != 0:
                    add_char(text, 58)
                    add_decimal(text, line.line)
            else:
                add(text, "in ")
                add(text, symbols.module[frame.module].path)
            add_char(text, 10)
            if j + 1 == frame.lines and same(line.function, "main"):  # others may be inlined in it, and take its name
                return


cdef inline void add_call(Text *text, const char *label, uint32_t event, uint32_t thread) noexcept nogil:
    """When and in which thread something happened."""
    begin_line(text, label)
    if event == 0:
        add(text, "(samples have no events)")
    else:
        add(text, "event ")
        add_decimal(text, event)
    if thread != 0:
        add(text, ", thread ")
        add_decimal(text, thread)


cdef inline void add_bytes_text(Text *text, uint64_t bytes) noexcept nogil:
    """A number of bytes, in MiB or KiB where that is exact."""
    if bytes != 0 and bytes % (1 << 20) == 0:
        add_decimal(text, bytes >> 20)
        add(text, " MiB")
    elif bytes != 0 and bytes % 1024 == 0:
        add_decimal(text, bytes >> 10)
        add(text, " KiB")
    else:
        add_count(text, bytes, "byte")


cdef inline void add_window(Text *text, const Facts *facts) noexcept nogil:
    """How long freed blocks wait: what is used later than that after its free may meet another block."""
    begin_line(text, "window")
    if facts.finding.place.kind == IN_SAMPLE:
        add(text, "a freed sample waits until all other samples have been freed after it\n")
        return
    if facts.finding.place.kind == IN_LARGE:
        add(text, "a freed block of this size waits until ")
        add_bytes_text(text, m4m_core_settings.large_delay)
        add(text, " of large blocks were freed after it\n")
        return
    add(text, "a freed block waits until its thread has freed ")
    add_bytes_text(text, m4m_core_settings.quarantine_bytes)
    add(text, " of its size class after it (quarantine_bytes)\n")


cdef inline bint is_kept(const Finding *finding, uint32_t stack) noexcept nogil:
    """Was there room for a stack? Of samples the core keeps what it keeps."""
    return stack != 0 or finding.place.kind == IN_SAMPLE


cdef inline void add_life(Text *text, const Facts *facts, const char *directory, uint64_t length) noexcept nogil:
    """The block's story, backwards."""
    cdef const Finding *finding = &facts.finding
    if finding.site != NULL:
        add_call(text, finding.verb if finding.function == NULL else finding.function, finding.event, finding.thread)
        if facts.life == DEAD and finding.event > facts.died and facts.died != 0:
            add(text, ", ")
            add_count(text, finding.event - facts.died, "event")
            add(text, " after its free")
        add(text, "   <- here\n")
        add_stack_text(text, facts, &facts.here, directory, length)
    if facts.has_block and facts.life == DEAD:
        add_call(text, "free", facts.died, facts.free.thread)
        add(text, either(is_kept(finding, finding.place.story.release), "\n", ", stack not kept\n"))
        add_stack_text(text, facts, &facts.free, directory, length)
    if facts.has_block:
        add_call(text, "malloc", facts.born, facts.malloc.thread)
        add(text, either(is_kept(finding, finding.place.story.allocation), "\n", ", stack not kept\n"))
        add_stack_text(text, facts, &facts.malloc, directory, length)
    if finding.kind == USE_AFTER_FREE:
        add_window(text, facts)


cdef inline void tell_story(Text *text, const Facts *facts, const char *trace, const char *json,
                            const char *command, bint is_led) noexcept nogil:
    """The whole report. trace: the file that was written, or NULL; json: the file of findings, or NULL.

    is_led: the command is what started the program, and knows of files itself.
    """
    cdef char directory[1024]
    cdef uint64_t length = m4m_directory(directory, 1024)
    if options.color:
        add(text, "\033[1;31m")
    add(text, facts.called)
    if options.color:
        add(text, "\033[0;1m")
    add(text, ": ")
    add_event(text, facts)
    if options.color:
        add(text, "\033[0m")
    add_char(text, 10)
    begin_line(text, "property")
    add(text, facts.property)
    if not ends_with(facts.property, facts.formula):
        add(text, ": ")
        add(text, facts.formula)
    add(text, either(same(facts.finding.verb, "exit"), "   violated at exit", "   violated at event "))
    if not same(facts.finding.verb, "exit"):
        add_decimal(text, facts.finding.event)
    add_char(text, 10)
    add_life(text, facts, directory, length)
    begin_line(text, "claim")
    add(text, facts.sentence if facts.sentence[0] != 0 else facts.formula)
    add_char(text, 10)
    begin_line(text, "replay")
    if trace != NULL:
        add(text, "m4alloc verify ")
        if facts.finding.kind == PROPERTY_VIOLATED:
            add(text, "--property ")
            add_shell_word(text, facts.property)
            add_char(text, 32)
        add(text, "--trace ")
        add_shell_word(text, trace)
    else:
        add(text, command)
    add_char(text, 10)
    if is_led and trace == NULL:
        return
    begin_line(text, "file")
    if trace != NULL or json != NULL:
        add(text, trace if trace != NULL else json)
    else:
        add(text, "none (M4ALLOC_OPTIONS=trace=FILE keeps the events, json=FILE this report)")
    add_char(text, 10)
