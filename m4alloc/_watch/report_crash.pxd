# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""A fault of the program: an access that nobody had to look for. Runs in a signal's handler."""

from libc.stdint cimport uint64_t

from m4alloc._core.c cimport memset
from m4alloc._core.explain cimport nearest_sample
from m4alloc._core.types cimport SAMPLE_FREED, SAMPLE_UNUSED, Sample
from m4alloc._watch.depot cimport keep_stack
from m4alloc._watch.place cimport find_place
from m4alloc._watch.report cimport begin_report, end_report, m4m_report_file, m4m_write_all, report, reports
from m4alloc._watch.report_facts cimport is_heap
from m4alloc._watch.report_text cimport Text, add, add_address, add_char, add_decimal, begin_text, either
from m4alloc._watch.symbol cimport Frame, symbolise, symbols
from m4alloc._watch.thread cimport next_event, this_thread
from m4alloc._watch.types cimport (DEAD, IN_SAMPLE, LIVE_BLOCK, NEVER, OUT_OF_BOUNDS, USE_AFTER_FREE, Finding,
                                   Place, Story, Thread, stories)

cdef extern from "<signal.h>" nogil:
    enum:
        SIGBUS

cdef enum:
    LINE_ROOM = 4096


cdef inline bint find_sample(char *address, Place *place, Story *story) noexcept nogil:
    """The block of the sampled preset that an address in its pool belongs to; the core knows little of it."""
    cdef Sample *sample = nearest_sample(stories.arena, address)
    cdef Thread nobody
    if sample == NULL or sample.state == SAMPLE_UNUSED:
        return False
    memset(story, 0, sizeof(Story))
    memset(&nobody, 0, sizeof(nobody))
    if sample.allocation_frames != 0:
        story.allocation = keep_stack(&nobody, sample.allocation, sample.allocation_frames)
    if sample.state == SAMPLE_FREED and sample.release_frames != 0:
        story.release = keep_stack(&nobody, sample.release, sample.release_frames)
    place.base = sample.block
    place.size = sample.size
    place.story = story
    place.life = DEAD if sample.state == SAMPLE_FREED else LIVE_BLOCK
    return True


cdef inline bint report_fault(char *address, int writes, const void *site, const void *frame) noexcept nogil:
    """Report a fault at an address of the heap; False: no block is near."""
    cdef Place place
    cdef Story story
    cdef Finding found
    cdef Thread *thread = this_thread()
    find_place(address, &place)
    if place.kind == IN_SAMPLE and not find_sample(address, &place, &story):
        return False
    if place.story == NULL or place.life == NEVER:
        return False
    next_event(thread, place.story.died if place.story.died != 0 else place.story.born)
    memset(&found, 0, sizeof(found))
    found.kind = USE_AFTER_FREE if place.life == DEAD else OUT_OF_BOUNDS
    found.verb = either(writes == 1, "write", "read")
    found.address = address
    found.size = 1
    found.place = place
    found.site = site
    found.frame = frame
    found.thread = thread.number
    found.event = thread.clock
    report(&found)
    return True


cdef inline void tell_fault(char *address, int number, int writes, const void *site, const void *frame) noexcept nogil:
    """A fault that has nothing to do with the heap: one line, with where it was."""
    cdef char line[LINE_ROOM]
    cdef Frame *of_report = reports.facts.frame
    cdef Text text
    begin_text(&text, line, LINE_ROOM)
    add(&text, either(number == SIGBUS, "m4alloc: SIGBUS: ", "m4alloc: SIGSEGV: "))
    add(&text, either(writes == 1, "write at ", either(writes == 0, "read at ", "access at ")))
    add_address(&text, <uint64_t>address)
    if <uint64_t>address < 4096:
        add(&text, ", of a NULL pointer")
    elif is_heap(address):
        add(&text, ", in the heap, where no block is or was")
    else:
        add(&text, ", which is no block's")
    if begin_report():
        of_report[0].address = <uint64_t>site
        symbolise(of_report, 1, 1)
        if of_report[0].lines != 0:
            add(&text, ", in ")
            add(&text, symbols.line[of_report[0].first].function)
            if symbols.line[of_report[0].first].file != NULL:
                add_char(&text, 32)
                add(&text, symbols.line[of_report[0].first].file)
                add_char(&text, 58)
                add_decimal(&text, symbols.line[of_report[0].first].line)
        end_report()
    add_char(&text, 10)
    m4m_write_all(m4m_report_file(), text.start, text.length)


cdef inline bint explain_fault "m4m_explain_fault"(char *address, int number, int writes, const void *site,
                                                   const void *frame) noexcept nogil:
    """Say what a fault was; True: it was a finding. What follows is the handler's to decide."""
    if stories.arena != NULL and is_heap(address) and report_fault(address, writes, site, frame):
        return True
    tell_fault(address, number, writes, site, frame)
    return False
