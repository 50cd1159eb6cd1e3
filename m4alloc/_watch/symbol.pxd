# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""From return addresses to functions and lines: the modules from /proc/self/maps, the rest from a tool.

The loader's own list of modules has a lock, which the thread that is caught may wait for while another holds it and
waits to report; the kernel's has none. The tool is addr2line or llvm-symbolizer, a child of its own for each module.
Where there is none, or no lines, the symbols in the module's file say at least the function (symbol_table.pxd).
"""

from libc.stdint cimport int64_t, uint32_t, uint64_t

from m4alloc._core.c cimport getenv, memcmp, memcpy, strlen
from m4alloc._watch.memory cimport map_reserve
from m4alloc._watch.options cimport options
from m4alloc._watch.report_text cimport Text, add, add_char, add_hex, begin_text
from m4alloc._watch.symbol_table cimport nearest_symbol

cdef extern from "monitor_text.h" nogil:
    char **environ
    int m4m_open_to_read(const char *path) noexcept
    long m4m_read(int fd, void *into, size_t size) noexcept
    void m4m_close(int fd) noexcept
    bint m4m_is_privileged() noexcept
    int64_t m4m_milliseconds() noexcept
    size_t m4m_run_tool(const char *path, char **arguments, char **variables, char *into, size_t room,
                        int64_t limit_ms) noexcept

cdef enum:
    MODULES_MOST = 64          # of one report
    FRAMES_OF_REPORT = 96      # three stacks
    LINES_MOST = 512           # with what was inlined
    MAPS_ROOM = 1 << 20
    TOOL_ROOM = 1 << 20
    NAMES_ROOM = 1 << 16
    VARIABLES_MOST = 1024
    TOOL_MILLISECONDS = 10000  # for all modules together
    NO_MODULE = 0xFFFFFFFF

cdef struct Module "m4m_symbol_module":
    const char *path
    uint64_t start             # where the file's first byte is
    uint64_t bias              # addresses in memory minus those in the file
    bint asked                 # the tool has been

cdef struct Line "m4m_symbol_line":
    const char *function       # NULL: not known
    const char *file           # NULL: not known
    uint32_t line              # 0: not known

cdef struct Frame "m4m_symbol_frame":
    uint64_t address           # of the return
    uint32_t module            # NO_MODULE: none
    uint32_t first             # of its lines, the innermost first; more than one where calls were inlined
    uint32_t lines
    uint64_t behind            # bytes behind the start of the function, where only that is known

cdef struct Symbols "m4m_symbols":
    char *maps                 # NULL: nothing is ready
    char *output
    char *names
    uint64_t names_used
    uint64_t output_used
    Module module[MODULES_MOST]
    uint32_t modules
    Line line[LINES_MOST]
    uint32_t lines
    char *arguments[FRAMES_OF_REPORT + 8]
    char *variables[VARIABLES_MOST]
    char tool[512]             # empty: there is none
    bint is_llvm

cdef extern from "monitor_text.h" nogil:
    Symbols symbols


cdef inline uint64_t read_hex(const char **at) noexcept nogil:
    """Read a hexadecimal number and step behind it."""
    cdef uint64_t value = 0
    cdef char c = at[0][0]
    while 48 <= c <= 57 or 97 <= c <= 102:
        value = value * 16 + <uint64_t>(c - 48 if c <= 57 else c - 87)
        at[0] += 1
        c = at[0][0]
    return value


cdef inline uint64_t first_address(uint64_t start) noexcept nogil:
    """The address in its file of an ELF module's first byte, from its headers in memory."""
    cdef const char *header = <const char *>start
    cdef const char *entry
    cdef uint64_t i = 0
    cdef uint64_t entries
    if memcmp(header, "\x7fELF\x02", 5) != 0:
        return 0
    entry = header + (<const uint64_t *>(header + 32))[0]
    entries = <uint64_t><unsigned char>header[56] + (<uint64_t><unsigned char>header[57] << 8)
    if (<const uint64_t *>(header + 32))[0] + entries * 56 > 4096:  # where the first page ends
        return 0
    for i in range(entries):
        if (<const uint32_t *>entry)[0] == 1 and (<const uint64_t *>(entry + 8))[0] == 0:  # PT_LOAD of offset 0
            return (<const uint64_t *>(entry + 16))[0]
        entry += 56
    return 0


cdef inline uint32_t module_of(const char *path, uint64_t start) noexcept nogil:
    """The number of a module, which is new or known."""
    cdef uint32_t i = 0
    cdef Module *module
    for i in range(symbols.modules):
        if symbols.module[i].start == start:
            return i
    if symbols.modules == MODULES_MOST:
        return NO_MODULE
    module = &symbols.module[symbols.modules]
    module.path = path
    module.start = start
    module.bias = start - first_address(start) if path[0] == 47 else start
    module.asked = False
    symbols.modules += 1
    return symbols.modules - 1


cdef inline bint read_maps() noexcept nogil:
    """Read /proc/self/maps; False: it cannot be."""
    cdef int fd = m4m_open_to_read("/proc/self/maps")
    cdef uint64_t length = 0
    cdef long got = 1
    if fd < 0:
        return False
    while got > 0 and length < MAPS_ROOM - 1:
        got = m4m_read(fd, symbols.maps + length, MAPS_ROOM - 1 - length)
        length += <uint64_t>got if got > 0 else 0
    m4m_close(fd)
    symbols.maps[length] = 0
    return True


cdef inline void find_modules(Frame *frames, uint32_t code, uint32_t count) noexcept nogil:
    """Where in which module each of the addresses is. Those from number `code` on are of data, and a module's data that
    are zero at first have no name in the list: they follow those that have."""
    cdef char *at = symbols.maps
    cdef const char *rest
    cdef char *path
    cdef uint64_t low, high, offset, address
    cdef uint64_t start = 0
    cdef uint64_t end = 0
    cdef const char *last = ""
    cdef uint32_t i
    while at[0] != 0:
        rest = at
        low = read_hex(&rest)
        rest += 1
        high = read_hex(&rest)
        rest += 6  # " r-xp "
        offset = read_hex(&rest)
        path = <char *>rest
        while path[0] != 10 and path[0] != 0 and path[0] != 47 and path[0] != 91:
            path += 1
        at = path
        while at[0] != 10 and at[0] != 0:
            at += 1
        if at[0] == 10:
            at[0] = 0
            at += 1
        if path[0] != 0:
            if offset == 0:
                start = low
            last = path
        for i in range(count):
            address = frames[i].address - 1
            if low <= address < high and (path[0] != 0 or i >= code and low == end):
                frames[i].module = module_of(last, start)
        if path[0] != 0 or low == end:
            end = high


cdef inline bint find_tool(const char *name) noexcept nogil:
    """Look for a program where the shell would."""
    cdef const char *path = getenv("PATH")
    cdef size_t length
    cdef int fd
    if path == NULL:
        path = "/usr/bin:/bin"
    while path[0] != 0:
        length = 0
        while path[length] != 0 and path[length] != 58:
            length += 1
        if path[0] == 47 and length + strlen(name) + 2 < sizeof(symbols.tool):
            memcpy(symbols.tool, path, length)
            symbols.tool[length] = 47
            memcpy(symbols.tool + length + 1, name, strlen(name) + 1)
            fd = m4m_open_to_read(symbols.tool)
            if fd >= 0:
                m4m_close(fd)
                return True
        path += length + (1 if path[length] != 0 else 0)
    symbols.tool[0] = 0
    return False


cdef inline bint starts_with(const char *text, const char *beginning) noexcept nogil:
    """text.startswith(beginning)"""
    cdef size_t i = 0
    while beginning[i] != 0:
        if text[i] != beginning[i]:
            return False
        i += 1
    return True


cdef inline void choose_variables() noexcept nogil:
    """The tool's environment: without what would load the monitor into it, or make it ask the network."""
    cdef uint32_t count = 0
    cdef uint32_t i = 0
    while environ != NULL and environ[i] != NULL and count < VARIABLES_MOST - 1:
        if not (starts_with(environ[i], "LD_") or starts_with(environ[i], "M4ALLOC_")
                or starts_with(environ[i], "DEBUGINFOD_")):
            symbols.variables[count] = environ[i]
            count += 1
        i += 1
    symbols.variables[count] = NULL


cdef inline char *next_text(char **at) noexcept nogil:
    """A line of the tool's, ended by 0; NULL: there is none."""
    cdef char *line = at[0]
    if line[0] == 0:
        return NULL
    while at[0][0] != 10 and at[0][0] != 0:
        at[0] += 1
    if at[0][0] == 10:
        at[0][0] = 0
        at[0] += 1
    return line


cdef inline void read_line(char *function, char *place, Line *line) noexcept nogil:
    """Take over "function" and "file:line (discriminator 2)"; "??" is what is not known."""
    cdef size_t i = strlen(place)
    cdef uint32_t number = 0
    cdef uint32_t power = 1
    line.function = NULL if function[0] == 63 else function
    line.file = NULL
    line.line = 0
    if place[0] == 63:
        return
    if i > 0 and place[i - 1] == 41:
        while i > 0 and place[i - 1] != 32:
            i -= 1
        while i > 0 and place[i - 1] != 40:
            i -= 1
        i = i - 2 if i > 1 else 0
        place[i] = 0
    while i > 0 and 48 <= place[i - 1] <= 57:
        number += power * <uint32_t>(place[i - 1] - 48)
        power *= 10
        i -= 1
    if i > 0 and place[i - 1] == 63:
        i -= 1
    if i > 1 and place[i - 1] == 58:
        place[i - 1] = 0
        line.file = place
        line.line = number


cdef inline void read_answers(char *at, Frame *frames, uint32_t count, uint32_t module) noexcept nogil:
    """What the tool said of the frames of a module, in their order: an address, then pairs of lines."""
    cdef uint32_t i = 0
    cdef char *function = next_text(&at)
    cdef char *place
    cdef Line *line
    for i in range(count):
        if frames[i].module != module:
            continue
        while function != NULL and not starts_with(function, "0x"):
            function = next_text(&at)
        if function == NULL:
            return
        function = next_text(&at)
        frames[i].first = symbols.lines
        while function != NULL and not starts_with(function, "0x"):
            place = next_text(&at)
            if place == NULL or symbols.lines == LINES_MOST:
                return
            line = &symbols.line[symbols.lines]
            read_line(function, place, line)
            if line.function != NULL:
                symbols.lines += 1
                frames[i].lines += 1
            function = next_text(&at)


cdef inline void ask_tool(Frame *frames, uint32_t count, uint32_t module, int64_t limit_ms) noexcept nogil:
    """Ask for all the frames of a module at once."""
    cdef Text text
    cdef uint32_t i = 0
    cdef uint32_t n = 0
    cdef char *output = symbols.output + symbols.output_used
    cdef uint64_t got
    begin_text(&text, symbols.names + symbols.names_used, NAMES_ROOM - symbols.names_used)
    symbols.arguments[0] = symbols.tool
    symbols.arguments[1] = "-f"
    symbols.arguments[2] = "-C"
    symbols.arguments[3] = "-i"
    symbols.arguments[4] = "-a"
    symbols.arguments[5] = "-e"
    symbols.arguments[6] = <char *>symbols.module[module].path
    n = 7
    if symbols.is_llvm:
        symbols.arguments[7] = "--output-style=GNU"
        n = 8
    for i in range(count):
        if frames[i].module == module and n < FRAMES_OF_REPORT + 7:
            symbols.arguments[n] = text.start + text.length
            add(&text, "0x")
            add_hex(&text, frames[i].address - 1 - symbols.module[module].bias)
            add_char(&text, 0)
            n += 1
    symbols.arguments[n] = NULL
    symbols.names_used += text.length
    got = m4m_run_tool(symbols.tool, symbols.arguments, symbols.variables, output,
                       TOOL_ROOM - 1 - symbols.output_used, limit_ms)
    output[got] = 0
    symbols.output_used += got + 1
    read_answers(output, frames, count, module)


cdef inline void use_symbol_table(Frame *frame) noexcept nogil:
    """Only the function, and by how much the address lies behind its beginning."""
    cdef Module *module = &symbols.module[frame.module]
    cdef Line *line = &symbols.line[symbols.lines]
    cdef uint64_t size = NAMES_ROOM - symbols.names_used
    cdef char *name = symbols.names + symbols.names_used
    if symbols.lines == LINES_MOST or size < 2 or module.path[0] != 47:
        return
    frame.behind = 0
    if not nearest_symbol(module.path, frame.address - 1 - module.bias, False, name, size, &frame.behind):
        return
    symbols.names_used += strlen(name) + 1
    frame.behind += 1
    line.function = name
    line.file = NULL
    line.line = 0
    frame.first = symbols.lines
    frame.lines = 1
    symbols.lines += 1


cdef inline bint open_symbols() noexcept nogil:
    """Address space for what tools say; False: there is none."""
    symbols.maps = <char *>map_reserve(MAPS_ROOM + TOOL_ROOM + NAMES_ROOM)
    symbols.output = symbols.maps + MAPS_ROOM
    symbols.names = symbols.output + TOOL_ROOM
    return symbols.maps != NULL


cdef inline void symbolise(Frame *frames, uint32_t code, uint32_t count) noexcept nogil:
    """Find out the modules of all frames, and where `symbolize` says so the functions and lines of the first `code`.

    The others are addresses of data. The texts stay until the next call. Cost: some ms a module, 10 s at most.
    """
    cdef uint32_t i = 0
    cdef int64_t until = m4m_milliseconds() + TOOL_MILLISECONDS
    symbols.modules = 0
    symbols.lines = 0
    symbols.names_used = 0
    symbols.output_used = 0
    for i in range(count):
        frames[i].module = NO_MODULE
        frames[i].lines = 0
        frames[i].behind = 0
    if symbols.maps == NULL or not read_maps():
        return
    find_modules(frames, code, count)
    if not options.symbolize or m4m_is_privileged():
        return
    symbols.is_llvm = False
    if not find_tool("addr2line"):
        symbols.is_llvm = find_tool("llvm-symbolizer")
    if symbols.tool[0] != 0:
        choose_variables()
        for i in range(symbols.modules):
            if symbols.module[i].path[0] == 47:
                ask_tool(frames, code, i, until - m4m_milliseconds())
    for i in range(code):
        if frames[i].lines == 0 and frames[i].module != NO_MODULE:
            use_symbol_table(&frames[i])
