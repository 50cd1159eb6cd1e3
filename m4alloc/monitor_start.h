/* How a run begins: which properties it has, and what there is to be said when it cannot begin. */
#ifndef M4ALLOC_MONITOR_START_H
#define M4ALLOC_MONITOR_START_H

#include "_monitor.h"

/* What a program built by `m4alloc cc` has in it; the start object defines it (m4alloc/monitor/compiler.py). */
struct m4alloc_program {
    uint64_t version; /* 1 */
    uint64_t size;    /* of the table; 0: the built-in one */
    const void *table;
};
extern const struct m4alloc_program m4alloc_program __attribute__((weak, visibility("default")));

/* Say why the program cannot run under the monitor, and leave with status 2. */
M4M_HIDDEN void m4m_refuse(const char *what, const char *why) __attribute__((noreturn, cold));

/* The compiled properties of this run: those in the file, of the program, or the built-in ones. path: NULL for no file. */
M4M_HIDDEN const void *m4m_table(const char *path, uint64_t *size);

#endif
