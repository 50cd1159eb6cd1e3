# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Findings become reports: each once, one at a time; then what `on_violation` says.

A thread that is caught while it reports (in a signal's handler, or because the hook of the program is watched too) is
not reported: its lock is its own. A child process begins with no findings; a report that another thread of the parent
was writing is none of its.
"""

from libc.stdint cimport uint32_t, uint64_t

from m4alloc._core.c cimport getenv, m4_add32, m4_errno, m4_set_errno, m4_store64, memset, strlen
from m4alloc._watch.c cimport m4m_core_settings, m4m_shadow_on
from m4alloc._watch.depot cimport Stack, depot, hash_of, stack_of
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.options cimport (CLASSES, GO_ABORT, GO_EXIT, GO_ON, LEAKS_ALL, LEAKS_NO, OPTIONS_ROOM,
                                     class_name, options, read_options)
from m4alloc._watch.report_facts cimport Facts, gather, machines
from m4alloc._watch.report_json cimport tell_end, tell_json
from m4alloc._watch.report_story cimport same, tell_story
from m4alloc._watch.report_text cimport (Text, add, add_bytes, add_char, add_count, add_decimal, add_path,
                                         add_shell_word, begin_text, either, text_length)
from m4alloc._watch.suppress cimport read_suppressions, suppressed, suppressions
from m4alloc._watch.symbol cimport open_symbols, starts_with
from m4alloc._watch.table cimport PROPERTIES_MAX
from m4alloc._watch.thread cimport this_thread
from m4alloc._watch.types cimport LEAK, NEVER, NOWHERE, PROPERTY_VIOLATED, UNINITIALISED_READ, Finding, Thread

cdef extern from "monitor_leak_state.h" nogil:
    ctypedef struct RunEnd "struct m4m_ending":  # of exit.pxd, which itself reports
        uint32_t done
    ctypedef struct Unwritten "struct m4m_initial":  # and of initial.pxd
        uint64_t suspects
    RunEnd ending
    Unwritten initial

cdef extern from "include/m4alloc_monitor.h" nogil:
    ctypedef struct Violation "struct m4alloc_violation":
        size_t size
        const char *report_class
        const char *property
        const char *formula
        const char *verb
        const char *function
        const void *address
        size_t bytes
        const void *block
        size_t block_bytes
        uint32_t event
        uint32_t thread
        const void *site

cdef extern from "monitor_signal.h" nogil:
    void m4m_flush_safely() noexcept
    void m4m_abort() noexcept
    bint m4m_has_hook() noexcept
    int m4m_call_hook(const Violation *) noexcept

cdef extern from "monitor_text.h" nogil:
    uint64_t m4m_owner() noexcept
    bint m4m_swap64(uint64_t *, uint64_t *expected, uint64_t) noexcept
    void m4m_sleep_a_moment() noexcept
    int m4m_process() noexcept
    void m4m_end_process(int status) noexcept
    int m4m_open_to_read(const char *path) noexcept
    int m4m_open_to_append(const char *path) noexcept
    long m4m_read(int fd, void *into, size_t size) noexcept
    void m4m_close(int fd) noexcept
    int m4m_report_file() noexcept
    int m4m_hold_cancellation() noexcept
    void m4m_allow_cancellation(int before) noexcept
    void m4m_write_all(int fd, const char *from_, size_t size) noexcept
    char **environ

cdef enum:
    TOLD_MOST = 100            # reports; what is found after them is counted
    KINDS_MOST = 4096          # different findings that are told apart; a power of two
    REPORT_ROOM = 1 << 19
    COMMAND_ROOM = 1 << 15
    PATH_LONGEST = 1100

cdef struct Known "m4m_known":
    uint64_t key               # 0: nothing is here
    uint32_t count
    bint is_suppressed

cdef struct Reports "m4m_reports":
    uint64_t owner             # process and thread of whoever reports (atomic); 0: nobody
    int process                # whose findings these are
    int cancellation           # whether the thread that reports may be cancelled otherwise
    uint32_t nested            # were found while the same thread reported
    uint32_t told
    uint32_t further           # were of a kind that had been told, or came when enough had been
    uint32_t found[CLASSES]    # different ones, by FindingClass
    uint64_t of_property[PROPERTIES_MAX]  # findings, the same ones again too
    uint64_t leaked_blocks
    uint64_t leaked_bytes
    uint64_t reachable_blocks  # not freed at exit, which is no finding
    uint64_t reachable_bytes
    bint has_failed
    const char *(*write_trace)(const Finding *) noexcept nogil  # what led here, into a file; its path, or NULL
    char left_word[OPTIONS_ROOM + 64]        # M4ALLOC_OPTIONS for the program that this process may execute
    Known *known
    char *text
    char *command
    char *json_path
    Facts facts

cdef extern from "monitor_text.h" nogil:
    Reports reports


cdef inline void open_reports() noexcept nogil:
    """Before the first block: the options and the suppressions are read, and what reports need is there. Idempotent."""
    if reports.known != NULL:
        return
    read_options()
    reports.known = <Known *>map_reserve(KINDS_MOST * sizeof(Known) + REPORT_ROOM + COMMAND_ROOM + PATH_LONGEST)
    if reports.known != NULL:
        reports.text = <char *>(reports.known + KINDS_MOST)
        reports.command = reports.text + REPORT_ROOM
        reports.json_path = reports.command + COMMAND_ROOM
    open_symbols()
    read_suppressions()
    reports.process = m4m_process()
    reports.has_failed = options.failed == <uint64_t>reports.process


cdef inline void begin_process() noexcept nogil:
    """What was found before a fork is the parent's."""
    cdef int process = m4m_process()
    if reports.process == process:
        return
    reports.process = process
    memset(reports.found, 0, sizeof(reports.found))
    memset(reports.of_property, 0, sizeof(reports.of_property))
    reports.told = 0
    reports.further = 0
    reports.nested = 0
    reports.leaked_blocks = 0
    reports.leaked_bytes = 0
    reports.reachable_blocks = 0
    reports.reachable_bytes = 0
    reports.has_failed = False
    suppressions.used = 0
    initial.suspects = 0
    if reports.known != NULL:
        memset(reports.known, 0, KINDS_MOST * sizeof(Known))


cdef inline bint begin_report() noexcept nogil:
    """Wait until nobody reports; False: this thread does."""
    cdef uint64_t me = m4m_owner()
    cdef uint64_t owner = 0
    while not m4m_swap64(&reports.owner, &owner, me):
        if owner == me:
            return False
        if owner >> 32 == me >> 32:
            m4m_sleep_a_moment()
            owner = 0
    reports.cancellation = m4m_hold_cancellation()
    return True


cdef inline void end_report() noexcept nogil:
    """The next may report."""
    cdef int cancellation = reports.cancellation
    m4_store64(&reports.owner, 0)
    m4m_allow_cancellation(cancellation)


cdef inline uint64_t key_of(const Finding *finding) noexcept nogil:
    """What two findings have in common that are told once: the class, the code that is caught, the block's size and
    what code allocated it, in whatever threads. Never 0."""
    cdef const Stack *stack
    cdef uint64_t key = <uint64_t>finding.kind + 1
    key = (key ^ <uint64_t>finding.site) * <uint64_t>0x9E3779B97F4A7C15
    key ^= key >> 31
    if finding.kind == PROPERTY_VIOLATED:
        key = (key ^ finding.violated) * <uint64_t>0x9E3779B97F4A7C15
    if finding.place.kind != NOWHERE and finding.place.story != NULL and finding.place.life != NEVER:
        stack = stack_of(finding.place.story.allocation)
        key ^= finding.place.size << 32 ^ (0 if stack == NULL else hash_of(0, stack.frame, stack.frames))
        key *= <uint64_t>0xBF58476D1CE4E5B9
        key ^= key >> 29
    return key | 1


cdef inline Known *known_kind(uint64_t key) noexcept nogil:
    """Where the kind is or may be put; NULL: there is no place left."""
    cdef uint64_t i
    cdef Known *known
    if reports.known == NULL:
        return NULL
    for i in range(64):
        known = &reports.known[(key + i) & (KINDS_MOST - 1)]
        if known.key == key or known.key == 0:
            return known
    return NULL


cdef inline bint fails(const Finding *finding) noexcept nogil:
    """Does fail_on have the class, or one of the properties?"""
    cdef const char *name = options.fail_on_name
    cdef uint32_t i = 0
    if options.fail_on >> finding.kind & 1:
        return True
    while name < options.fail_on_name + options.fail_on_names:
        for i in range(machines.property_count):
            if finding.violated >> i & 1 and same(machines.properties[i].name, name):
                return True
        name += strlen(name) + 1
    return False


cdef inline bint is_led() noexcept nogil:
    """Has `m4alloc monitor` started the program? It says how to do that again, and its files are its own."""
    return getenv("M4ALLOC_COMMAND") != NULL


cdef inline void read_command() noexcept nogil:
    """What repeats the run, for a shell: the program, its arguments, and the options of the monitor."""
    cdef char *raw = reports.text  # which is empty still; the stack may be a small one, of a signal's handler
    cdef Text text, given
    cdef int fd = -1
    cdef long got = 0
    cdef uint64_t at = 0
    cdef uint32_t i = 0
    cdef bint preloaded = False
    begin_text(&text, reports.command, COMMAND_ROOM - 1)
    if is_led():
        add(&text, getenv("M4ALLOC_COMMAND"))
        reports.command[text.length] = 0
        return
    while environ != NULL and environ[i] != NULL:
        if starts_with(environ[i], "LD_PRELOAD="):
            preloaded = True
        elif starts_with(environ[i], "M4ALLOC_OPTIONS="):
            add(&text, "M4ALLOC_OPTIONS=")
            begin_text(&given, raw, COMMAND_ROOM)
            add_bytes(&given, environ[i] + 16, own_options(environ[i] + 16))
            add_char(&given, 0)
            add_shell_word(&text, either(given.full, "", raw))
            add_char(&text, 32)
        i += 1
    if preloaded:
        add(&text, "m4alloc monitor -- ")
    fd = m4m_open_to_read("/proc/self/cmdline")
    if fd >= 0:
        got = m4m_read(fd, raw, COMMAND_ROOM)
        m4m_close(fd)
        raw[got if got > 0 else 0] = 0
    while got > 0 and at < <uint64_t>got:
        if at != 0:
            add_char(&text, 32)
        add_shell_word(&text, raw + at)
        at += text_length(raw + at, <uint64_t>got - at) + 1
    reports.command[text.length] = 0


cdef inline const char *json_file() noexcept nogil:
    """Where the findings of this process go; NULL: nowhere."""
    cdef Text text
    if options.json == NULL:
        return NULL
    begin_text(&text, reports.json_path, PATH_LONGEST)
    add_path(&text, options.json, m4m_process())
    return reports.json_path if not text.full else NULL


cdef inline void append_json(const Text *text) noexcept nogil:
    """Append a line to the file, in one piece."""
    cdef int fd = m4m_open_to_append(reports.json_path) if not text.full else -1
    if fd >= 0:
        m4m_write_all(fd, text.start, text.length)
        m4m_close(fd)


cdef inline void write_json(const Facts *facts, const char *trace) noexcept nogil:
    """Append the finding to the file, in one piece."""
    cdef Text text
    if options.json == NULL:
        return
    begin_text(&text, reports.text, REPORT_ROOM)
    tell_json(&text, facts, trace, reports.command, m4m_process())
    append_json(&text)


cdef inline void tell(const Facts *facts) noexcept nogil:
    """Write the report, wherever it goes."""
    cdef Text text
    cdef const char *trace = NULL
    if reports.write_trace != NULL:
        trace = reports.write_trace(&facts.finding)
    read_command()
    begin_text(&text, reports.text, REPORT_ROOM)
    tell_story(&text, facts, trace, json_file(), reports.command, is_led())
    m4m_write_all(m4m_report_file(), text.start, text.length)
    write_json(facts, trace)


cdef inline int ask_program(const Facts *facts) noexcept nogil:
    """Call the hook, without the lock: it may never return."""
    cdef Violation what
    cdef char called[256]
    cdef uint64_t i = 0
    while i < 255 and facts.called[i] != 0:
        called[i] = facts.called[i]
        i += 1
    called[i] = 0
    memset(&what, 0, sizeof(what))
    what.size = sizeof(what)
    what.report_class = called
    what.property = facts.property
    what.formula = facts.formula
    what.verb = facts.finding.verb
    what.function = facts.finding.function
    what.address = facts.finding.address
    what.bytes = facts.finding.size
    what.block = facts.finding.place.base if facts.has_block else NULL
    what.block_bytes = facts.finding.place.size if facts.has_block else 0
    what.event = facts.finding.event
    what.thread = facts.finding.thread
    what.site = facts.finding.site
    end_report()
    return m4m_call_hook(&what)


cdef inline void decide(const Facts *facts, bint failing) noexcept nogil:
    """End the program, or let it go on. Gives the lock back where it does."""
    cdef bint at_exit = same(facts.finding.verb, "exit")
    cdef int decision = 0
    if m4m_has_hook():
        decision = ask_program(facts)
    if failing and not at_exit and decision == 0:
        if options.on_violation == GO_EXIT:
            m4m_end_process(1)
        elif options.on_violation == GO_ABORT:
            m4m_abort()
    if not m4m_has_hook():
        end_report()


cdef inline bint is_reachable_leak(const Finding *finding) noexcept nogil:
    """Is it what the user does not want to hear of as a finding? Counts it."""
    if finding.kind != LEAK:
        return False
    if finding.reachable and options.leaks != LEAKS_ALL:
        reports.reachable_blocks += finding.blocks
        reports.reachable_bytes += finding.bytes
        return True
    return options.leaks == LEAKS_NO


cdef inline void count_properties(const Finding *finding) noexcept nogil:
    """One finding more of each property that it violates."""
    cdef uint32_t i = 0
    for i in range(machines.property_count):
        if finding.violated >> i & 1:
            reports.of_property[i] += 1


cdef inline bint is_old(const Finding *finding, Known *known) noexcept nogil:
    """Has it been told? Counts it."""
    if known == NULL or known.key == 0:
        return False
    known.count += 1
    if known.is_suppressed:
        suppressions.used += 1
    else:
        reports.further += 1
        count_properties(finding)
    return True


cdef inline uint64_t own_options(const char *given) noexcept nogil:
    """How long a text of options is without what leave_word adds."""
    cdef uint64_t length = 0
    while given[length] != 0 and not starts_with(given + length, ",failed="):
        length += 1
    return length


cdef inline void leave_word "m4m_leave_word"() noexcept nogil:
    """Tell the program that this process may execute in its own place: whoever it is then, it has failed already.

    It finds that in its environment, among the options, unless it gets another one.
    """
    cdef Text text
    cdef const char *given
    cdef uint32_t i = 0
    cdef uint64_t length
    if options.on_violation != GO_ON:
        return
    while environ != NULL and environ[i] != NULL and not starts_with(environ[i], "M4ALLOC_OPTIONS="):
        i += 1
    if environ == NULL or environ[i] == NULL:
        return
    given = environ[i]
    length = own_options(given)
    begin_text(&text, &reports.left_word[0], sizeof(reports.left_word))
    if given != &reports.left_word[0]:
        add_bytes(&text, given, length)
    else:
        text.length = length
    add(&text, ",failed=")
    add_decimal(&text, <uint64_t>reports.process)
    add_char(&text, 0)
    if not text.full:
        environ[i] = &reports.left_word[0]


cdef inline bint take(const Finding *finding) noexcept nogil:
    """Count the finding and report it; True: decide() is next, with the lock."""
    cdef uint64_t key = key_of(finding)
    cdef Known *known = known_kind(key)
    cdef Facts *facts = &reports.facts
    cdef bint failing = fails(finding)
    if is_reachable_leak(finding) or is_old(finding, known):
        return False
    if reports.known == NULL:  # no address space: count what there was no room to tell
        reports.further += 1
        reports.has_failed |= failing
        return False
    if reports.told < TOLD_MOST or suppressions.count != 0:
        gather(facts, finding)
        if known != NULL:
            known.key = key
            known.count = 1
        if suppressions.count != 0 and suppressed(<uint32_t>finding.kind, facts.property, facts.frame, facts.frames):
            if known != NULL:
                known.is_suppressed = True
            return False
    if failing and not reports.has_failed:
        leave_word()
    reports.has_failed |= failing
    count_properties(finding)
    if finding.kind == LEAK:
        reports.leaked_blocks += finding.blocks
        reports.leaked_bytes += finding.bytes
    if reports.told >= TOLD_MOST:
        reports.further += 1
        return False
    reports.told += 1
    reports.found[finding.kind] += 1
    if failing and options.on_violation != 2:
        m4m_flush_safely()
    tell(facts)
    return True


cdef inline void report "m4m_report"(const Finding *finding) noexcept nogil:
    """Say what was found; returns when the program may go on. Keeps errno."""
    cdef int before = m4_errno()
    cdef Thread *thread = this_thread()
    if not begin_report():
        m4_add32(&reports.nested, 1)
        return
    open_reports()
    thread.busy += 1
    if take(finding):
        thread.busy -= 1
        decide(&reports.facts, fails(finding))
    else:
        thread.busy -= 1
        end_report()
    m4_set_errno(before)


cdef inline uint32_t all_found() noexcept nogil:
    """How many findings were told."""
    cdef uint32_t i = 0
    cdef uint32_t sum = 0
    for i in range(CLASSES):
        sum += reports.found[i]
    return sum


cdef inline void add_summary(Text *text) noexcept nogil:
    """One line: what was found how often."""
    cdef uint32_t i = 1
    cdef bint first = True
    add(text, "m4alloc: ")
    add_count(text, all_found(), "finding")
    for i in range(1, CLASSES):
        if reports.found[i] != 0:
            add(text, either(first, ": ", ", "))
            first = False
            add_decimal(text, reports.found[i])
            add_char(text, 32)
            add(text, class_name(i))
    if reports.leaked_blocks != 0:
        add(text, " (")
        add_count(text, reports.leaked_blocks, "block")
        add(text, ", ")
        add_count(text, reports.leaked_bytes, "byte")
        add_char(text, 41)
    if reports.further != 0:
        add(text, "; ")
        add_decimal(text, reports.further)
        add(text, " more of the same or beyond the first 100")
    if reports.nested != 0:
        add(text, "; ")
        add_decimal(text, reports.nested)
        add(text, " while a report was written")
    if reports.reachable_blocks != 0:
        add(text, "; ")
        add_count(text, reports.reachable_blocks, "block")
        add(text, " still pointed to at exit (")
        add_count(text, reports.reachable_bytes, "byte")
        add_char(text, 41)
    if depot.unkept != 0:
        add(text, "; of ")
        add_count(text, depot.unkept, "call")
        add(text, " the stack was not kept")
    add_char(text, 10)


cdef inline void add_suppressions(Text *text) noexcept nogil:
    """Which suppressions have suppressed something."""
    cdef uint32_t i = 0
    add(text, "m4alloc: ")
    add_count(text, suppressions.used, "finding")
    add(text, " suppressed")
    for i in range(suppressions.count):
        if suppressions.each[i].used != 0:
            add(text, ", by ")
            add(text, suppressions.each[i].whole)
    add_char(text, 10)


cdef inline void add_suspects(Text *text) noexcept nogil:
    """How many loads there were of what nobody had written: few of them decide anything."""
    if initial.suspects == 0:
        return
    add(text, "m4alloc: ")
    add_count(text, initial.suspects, "load")
    add(text, " of what nobody has written")
    add(text, either(reports.found[<int>UNINITIALISED_READ] == 0, ", of which none was seen to decide anything\n",
                     "; those that were seen to decide something are reported\n"))


cdef inline void write_end() noexcept nogil:
    """Say in the file of findings that the process has come to its end."""
    cdef Text text
    cdef const char *path = json_file()
    if path == NULL:
        return
    begin_text(&text, reports.text, REPORT_ROOM)
    tell_end(&text, reports.process, all_found() + reports.further, suppressions.used, reports.of_property,
             m4m_core_settings.quarantine_bytes, m4m_shadow_on, ending.done != 0)
    append_json(&text)


cdef inline int final_status "m4m_final_status"(int status) noexcept nogil:
    """The program ends: what it ends with, given what it wants to end with. Sums up what was found."""
    cdef Text text
    if reports.process != m4m_process():  # a child of vfork, in its parent's memory
        return status
    if not begin_report():
        return 1
    open_reports()
    if reports.known != NULL:
        begin_text(&text, reports.text, REPORT_ROOM)
        if all_found() != 0:
            add_summary(&text)
        if suppressions.used != 0:
            add_suppressions(&text)
        if options.failed == <uint64_t>reports.process:
            add(&text, "m4alloc: the program that this one took the place of had findings\n")
        add_suspects(&text)
        m4m_write_all(m4m_report_file(), text.start, text.length)
        write_end()
    end_report()
    if reports.has_failed and options.on_violation == GO_ABORT:
        m4m_abort()
    return 1 if reports.has_failed else status
