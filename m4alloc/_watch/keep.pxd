# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Where traces go: the file of M4ALLOC_OPTIONS=trace=FILE, for further findings FILE.2, FILE.3 and so on.

No file that is there is written to, whoever made it, another process of the same program above all.
"""

from libc.stdint cimport uint32_t

from m4alloc._core.c cimport getpid
from m4alloc._watch.options cimport options
from m4alloc._watch.report_text cimport Text, add_char, add_decimal, add_path, begin_text
from m4alloc._watch.ring cimport rings
from m4alloc._watch.trace cimport new_file, write_trace
from m4alloc._watch.types cimport Finding

cdef extern from *:
    """
    static char m4m_trace_path[1200];
    """
    char m4m_trace_path[1200]

cdef enum:
    TRACES_MOST = 100


cdef inline const char *keep_trace "m4m_keep_trace"(const Finding *found) noexcept nogil:
    """Write the trace of a finding; its path, or NULL: none is wanted, or none could be written."""
    cdef Text text
    cdef uint32_t number
    cdef long file
    if options.trace == NULL or rings.off:
        return NULL
    for number in range(1, TRACES_MOST + 1):
        begin_text(&text, &m4m_trace_path[0], sizeof(m4m_trace_path))
        add_path(&text, options.trace, getpid())
        if number != 1 and not text.full:
            text.length -= 1  # the end of the text
            add_char(&text, 46)
            add_decimal(&text, number)
            add_char(&text, 0)
        if text.full:
            return NULL
        file = new_file(m4m_trace_path)
        if file >= 0:
            return m4m_trace_path if write_trace(found, file) else NULL
    return NULL
