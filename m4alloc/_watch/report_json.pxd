# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A finding as a line of JSON; docs/monitor-reports.md says what the members mean."""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._watch.report_facts cimport Facts, StackFacts, machines
from m4alloc._watch.report_story cimport same
from m4alloc._watch.report_text cimport Text, add, add_address, add_char, add_decimal, add_json, either
from m4alloc._watch.symbol cimport NO_MODULE, Frame, Line, symbols
from m4alloc._watch.types cimport DEAD, Finding


cdef inline void add_key(Text *text, const char *key) noexcept nogil:
    """A member's name, with a comma before all but the first."""
    if text.length != 0 and text.start[text.length - 1] != 123:
        add_char(text, 44)
    add_json(text, key)
    add_char(text, 58)


cdef inline void add_text(Text *text, const char *key, const char *value) noexcept nogil:
    """A member that is a text, or null."""
    add_key(text, key)
    add_json(text, value)


cdef inline void add_number(Text *text, const char *key, uint64_t value) noexcept nogil:
    """A member that is a number."""
    add_key(text, key)
    add_decimal(text, value)


cdef inline void add_place(Text *text, const char *key, uint64_t address) noexcept nogil:
    """A member that is an address: a text, because JSON's numbers need not hold it."""
    add_key(text, key)
    add_char(text, 34)
    add_address(text, address)
    add_char(text, 34)


cdef inline void add_violated(Text *text, const Facts *facts) noexcept nogil:
    """The names of all properties that were violated at once."""
    cdef uint32_t i = 0
    cdef bint first = True
    add_key(text, "violated")
    add_char(text, 91)
    for i in range(machines.property_count):
        if facts.finding.violated >> i & 1:
            if not first:
                add_char(text, 44)
            add_json(text, machines.properties[i].name)
            first = False
    if first and facts.property[0] != 0:
        add_json(text, facts.property)
    add_char(text, 93)


cdef inline void add_frame(Text *text, const Frame *frame, const Line *line) noexcept nogil:
    """One frame; several have the same address where calls were inlined."""
    add_char(text, 123)
    add_place(text, "address", frame.address)
    if frame.module != NO_MODULE:
        add_text(text, "module", symbols.module[frame.module].path)
        add_place(text, "offset", frame.address - 1 - symbols.module[frame.module].bias)
    if line != NULL:
        add_text(text, "function", line.function)
        if line.file != NULL:
            add_text(text, "file", line.file)
            add_number(text, "line", line.line)
    add_char(text, 125)


cdef inline void add_frames(Text *text, const char *key, const Facts *facts, const StackFacts *stack) noexcept nogil:
    """The frames of one stack, the innermost first."""
    cdef uint32_t i = 0
    cdef uint32_t j = 0
    cdef const Frame *frame
    cdef bint first = True
    add_key(text, key)
    add_char(text, 91)
    for i in range(stack.count):
        frame = &facts.frame[stack.first + i]
        for j in range(frame.lines if frame.lines != 0 else 1):
            if not first:
                add_char(text, 44)
            first = False
            add_frame(text, frame, &symbols.line[frame.first + j] if frame.lines != 0 else NULL)
    add_char(text, 93)


cdef inline void add_accessed(Text *text, const Finding *finding) noexcept nogil:
    """What was accessed or given up, by whom."""
    add_key(text, "access")
    if finding.address == NULL and finding.size == 0:
        add(text, "null")
        return
    add_char(text, 123)
    add_place(text, "address", <uint64_t>finding.address)
    add_number(text, "size", finding.size)
    add_text(text, "how", finding.verb)
    add_text(text, "function", finding.function)
    add_char(text, 125)


cdef inline void add_thread(Text *text, const char *key, const StackFacts *stack) noexcept nogil:
    """The thread whose call it was, or null."""
    add_key(text, key)
    if stack.thread != 0:
        add_decimal(text, stack.thread)
    else:
        add(text, "null")


cdef inline void add_block_object(Text *text, const Facts *facts) noexcept nogil:
    """The block."""
    add_key(text, "block")
    if not facts.has_block:
        add(text, "null")
        return
    add_char(text, 123)
    add_place(text, "address", <uint64_t>facts.finding.place.base)
    add_number(text, "size", facts.finding.place.size)
    add_key(text, "offset")
    if facts.finding.address == NULL:
        add(text, "null")
    else:
        if facts.offset < 0:
            add_char(text, 45)
        add_decimal(text, <uint64_t>(facts.offset if facts.offset >= 0 else -facts.offset))
    add_number(text, "born", facts.born)
    add_key(text, "died")
    if facts.life == DEAD:
        add_decimal(text, facts.died)
    else:
        add(text, "null")
    add_thread(text, "born_thread", &facts.malloc)
    add_thread(text, "died_thread", &facts.free)
    add_text(text, "life", either(facts.life == DEAD, "freed", "live"))
    add_char(text, 125)


cdef inline void tell_json(Text *text, const Facts *facts, const char *trace, const char *command,
                           int process) noexcept nogil:
    """The line, with its end."""
    cdef const Finding *finding = &facts.finding
    add_char(text, 123)
    add_text(text, "class", facts.called)
    add_text(text, "property", facts.property if facts.property[0] != 0 else NULL)
    add_text(text, "formula", facts.formula if facts.formula[0] != 0 else NULL)
    add_violated(text, facts)
    add_text(text, "verdict", either(same(finding.verb, "exit"), "violated at exit", "violated"))
    add_number(text, "event", finding.event)
    add_number(text, "thread", finding.thread)
    add_number(text, "pid", <uint64_t>process)
    add_accessed(text, finding)
    add_block_object(text, facts)
    add_key(text, "stacks")
    add_char(text, 123)
    add_frames(text, "here", facts, &facts.here)
    add_frames(text, "malloc", facts, &facts.malloc)
    add_frames(text, "free", facts, &facts.free)
    add_char(text, 125)
    add_number(text, "blocks", finding.blocks)
    add_number(text, "bytes", finding.bytes)
    add_number(text, "further_blocks", finding.further_blocks)
    add_number(text, "further_bytes", finding.further_bytes)
    add_key(text, "reachable")
    add(text, either(finding.reachable, "true", "false"))
    add_text(text, "trace", trace)
    add_text(text, "command", command)
    add(text, "}\n")


cdef inline void tell_end(Text *text, int process, uint64_t findings, uint64_t suppressed, const uint64_t *counts,
                          uint64_t quarantine_bytes, bint is_instrumented, bint has_exited) noexcept nogil:
    """The last line of a process that has come to its end: what was found in all, by property too.

    has_exited: what it owed was judged. A process that leaves by _exit owes nothing.
    """
    cdef uint32_t i = 0
    add_char(text, 123)
    add_text(text, "class", "end")
    add_number(text, "pid", <uint64_t>process)
    add_key(text, "instrumented")
    add(text, either(is_instrumented, "true", "false"))
    add_key(text, "exited")
    add(text, either(has_exited, "true", "false"))
    add_number(text, "findings", findings)
    add_number(text, "suppressed", suppressed)
    add_key(text, "counts")
    add_char(text, 123)
    for i in range(machines.property_count):
        add_number(text, machines.properties[i].name, counts[i])
    add_char(text, 125)
    add_number(text, "quarantine_bytes", quarantine_bytes)
    add(text, "}\n")
