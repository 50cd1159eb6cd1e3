# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""What is known of a finding: its class and property in words, its stacks, the block, and where the address lies."""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from m4alloc._core.c cimport m4_load32, memset
from m4alloc._watch.c cimport m4m_arena_base, m4m_arena_bytes
from m4alloc._watch.depot cimport FRAMES_MOST, Stack, stack_of, unwind_now
from m4alloc._watch.options cimport class_name, options
from m4alloc._watch.place cimport life_of
from m4alloc._watch.report_text cimport Text, add, add_char, begin_text
from m4alloc._watch.symbol cimport FRAMES_OF_REPORT, NO_MODULE, Frame, Module, symbolise, symbols
from m4alloc._watch.symbol_table cimport nearest_symbol
from m4alloc._watch.table cimport Machines
from m4alloc._watch.thread cimport threads
from m4alloc._watch.types cimport (DEAD, DOUBLE_FREE, IN_SAMPLE, INVALID_FREE, LEAK, LIVE_BLOCK, NEVER, NOWHERE,
                                   OUT_OF_BOUNDS, PROPERTY_VIOLATED, UNINITIALISED_READ, USE_AFTER_FREE, Finding, Thread)

cdef extern from "monitor_state.h" nogil:
    Machines machines

cdef extern from "monitor_text.h" nogil:
    bint m4m_is_mapped(const void *) noexcept

cdef extern from "monitor_signal.h" nogil:
    bint m4m_is_own(const void *code) noexcept

cdef enum:
    NAME_ROOM = 256

cdef struct StackFacts "m4m_stack_facts":
    uint32_t first             # of its frames
    uint32_t count
    uint32_t thread            # whose call it was; 0: not known

cdef struct Facts "m4m_facts":
    Finding finding
    char called[NAME_ROOM]     # the class; "property NAME"
    const char *property       # the name of what failed
    const char *formula
    const char *sentence       # what the formula says; perhaps empty
    bint has_block
    uint32_t born
    uint32_t died
    int life
    int64_t offset             # of the address in the block
    StackFacts here
    StackFacts malloc
    StackFacts free
    Frame frame[FRAMES_OF_REPORT + 1]
    uint32_t frames
    char variable[NAME_ROOM]   # that the address is in; empty: none is known


cdef inline uint32_t failed_property(const Finding *finding) noexcept nogil:
    """The number of the property that the report is about: the first violated of the finding's class, or of any."""
    cdef uint32_t first = 64
    cdef uint32_t i = 0
    for i in range(machines.property_count):
        if finding.violated >> i & 1:
            if machines.properties[i].report_class == <unsigned int>finding.kind:
                return i
            first = i if first == 64 else first
    return first


cdef inline void name_built_in(Facts *facts) noexcept nogil:
    """The property behind a class, where the finding names none: the access or free was in no block."""
    cdef int kind = facts.finding.kind
    if kind == USE_AFTER_FREE:
        facts.property = "access-only-while-allocated"
        facts.formula = "(!access W malloc) && [](free -> X(!access W malloc))"
        facts.sentence = "Memory is accessed only between a malloc and the next free."
    elif kind == DOUBLE_FREE or kind == INVALID_FREE:
        facts.property = "no-double-free"
        facts.formula = "(!free W malloc) && [](free -> X(!free W malloc))"
        facts.sentence = "Only what was handed out is freed, and only once."
    elif kind == OUT_OF_BOUNDS:
        facts.property = "access-in-bounds"
        facts.formula = "[](access -> !outside)"
        facts.sentence = "Every access of a block is wholly within the bytes that were requested."
    elif kind == UNINITIALISED_READ:
        facts.property = "initialised-before-read"
        facts.formula = "[](access -> !uninitialised)"
        facts.sentence = "What is read of a block was written before, or handed out as zero."
    elif kind == LEAK:
        facts.property = "freed-eventually"
        facts.formula = "[](malloc -> <>free)"
        facts.sentence = "Every block is freed in the end."
    else:
        facts.property = ""
        facts.formula = ""
        facts.sentence = ""


cdef inline void name_class(Facts *facts) noexcept nogil:
    """The class, and the property that failed."""
    cdef Text text
    cdef uint32_t number = failed_property(&facts.finding)
    name_built_in(facts)
    if number != 64:
        facts.property = machines.properties[number].name
        facts.formula = machines.properties[number].text
        facts.sentence = machines.properties[number].sentence
    begin_text(&text, facts.called, NAME_ROOM - 1)
    add(&text, class_name(<uint32_t>facts.finding.kind))
    if facts.finding.kind == PROPERTY_VIOLATED:
        add_char(&text, 32)
        add(&text, facts.property)
    facts.called[text.length] = 0


cdef inline void add_frame(Facts *facts, StackFacts *into, const void *code) noexcept nogil:
    """One frame more of the stack that is put together; the library's own (it calls main) are not told."""
    if m4m_is_own(code):
        return
    facts.frame[facts.frames].address = <uint64_t>code
    facts.frames += 1
    into.count += 1


cdef inline void add_stack(Facts *facts, StackFacts *into, uint32_t number) noexcept nogil:
    """The frames of a stack of the depot."""
    cdef const Stack *stack = stack_of(number)
    cdef uint32_t i = 0
    into.first = facts.frames
    if stack == NULL:
        return
    into.thread = stack.thread
    for i in range(stack.frames):
        add_frame(facts, into, stack.frame[i])


cdef inline void add_stacks(Facts *facts) noexcept nogil:
    """The stacks, and their modules, functions and lines."""
    cdef void *frames[FRAMES_MOST]
    cdef uint32_t i = 0
    cdef uint32_t count = 0
    facts.here.thread = facts.finding.thread
    if facts.finding.site != NULL:
        count = unwind_now(facts.finding.site, facts.finding.frame, frames, options.frames)
    for i in range(count):
        add_frame(facts, &facts.here, frames[i])
    if facts.has_block:
        add_stack(facts, &facts.malloc, facts.finding.place.story.allocation)
        if facts.life == DEAD:
            add_stack(facts, &facts.free, facts.finding.place.story.release)
    facts.frame[facts.frames].address = <uint64_t>facts.finding.address + 1
    symbolise(facts.frame, facts.frames, facts.frames + 1)


cdef inline void add_variable(Facts *facts) noexcept nogil:
    """The variable that somebody has tried to free."""
    cdef const Frame *frame = &facts.frame[facts.frames]
    cdef const Module *module
    cdef uint64_t behind = 0
    if facts.finding.kind != INVALID_FREE or frame.module == NO_MODULE:
        return
    module = &symbols.module[frame.module]
    if module.path[0] != 47 or not nearest_symbol(module.path, frame.address - 1 - module.bias, True, facts.variable,
                                                  NAME_ROOM, &behind):
        facts.variable[0] = 0


cdef inline void gather(Facts *facts, const Finding *finding) noexcept nogil:
    """Find out all that a report may say."""
    memset(facts, 0, sizeof(Facts))
    facts.finding = finding[0]
    facts.has_block = finding.place.kind != NOWHERE and finding.place.story != NULL and finding.place.life != NEVER
    name_class(facts)
    if facts.has_block:
        facts.born = finding.place.story.born
        facts.died = m4_load32(&finding.place.story.died)
        facts.life = finding.place.life if finding.place.kind == IN_SAMPLE else life_of(finding.place.story)
        facts.offset = <int64_t>(finding.address - finding.place.base)
    add_stacks(facts)
    add_variable(facts)


cdef inline uint32_t stack_owner(const char *address) noexcept nogil:
    """The number of the thread whose stack has the address; 0: none's. A thread that has ended has none any more."""
    cdef const Thread *thread = threads.first
    while thread != NULL:
        if thread.stack_high != NULL and not thread.ended and thread.stack_low <= address < thread.stack_high:
            return thread.number
        thread = thread.next
    return 0


cdef inline bint is_heap(const char *address) noexcept nogil:
    """Is it in the range that blocks are in?"""
    return <uint64_t>(address - m4m_arena_base) < m4m_arena_bytes
