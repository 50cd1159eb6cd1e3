/* What a monitored program may say about its own monitoring.
 *
 *     #include <m4alloc_monitor.h>
 *
 *     int m4alloc_on_violation(const struct m4alloc_violation *what)
 *     {
 *         failures++;                   a test framework's own counter, say
 *         return M4ALLOC_GO_ON;
 *     }
 *
 * The function is called after each report, in the thread that was caught, on its stack: inside of malloc, free, a
 * wrapper of the C library or an access. It may leave by longjmp or by an exception. What it does itself is watched.
 * A program that is not monitored needs no library for this header: the functions that it asks are weak, and NULL there.
 *
 * Built by `m4alloc cc` or linked with -lm4monitor, the function is found by itself; with LD_PRELOAD the program must
 * export it (-rdynamic, or -Wl,--export-dynamic-symbol=m4alloc_on_violation).
 */
#ifndef M4ALLOC_MONITOR_PROGRAM_H
#define M4ALLOC_MONITOR_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct m4alloc_violation {
    size_t size;                /* of this struct: further members may follow in later versions */
    const char *report_class;   /* "use-after-free", "double-free", ..., "property NAME" */
    const char *property;       /* the name of the property that failed */
    const char *formula;        /* and its text */
    const char *verb;           /* "read", "write", "free", "realloc", a label's name, "exit" */
    const char *function;       /* of the C library, which accessed the memory for the program; or NULL */
    const void *address;        /* what was accessed or freed */
    size_t bytes;               /* how many were accessed */
    const void *block;          /* where the block begins; NULL: it is about no block */
    size_t block_bytes;         /* as requested */
    uint32_t event;             /* the numbers that the report has too */
    uint32_t thread;
    const void *site;           /* the return address in the program's code */
};

enum m4alloc_decision {
    M4ALLOC_AS_CONFIGURED = 0,  /* do what on_violation of M4ALLOC_OPTIONS says */
    M4ALLOC_GO_ON = 1           /* go on; the exit status will be 1 all the same */
};

/* To be defined by the program. The text in *what is valid during the call. */
__attribute__((visibility("default"))) int m4alloc_on_violation(const struct m4alloc_violation *what);

/* Of the monitor. Weak: test the name before the call, in a program that shall run without it, too.
 *
 *     if (m4alloc_check_leaks != NULL)
 *         failures += m4alloc_check_leaks();
 */
#define M4ALLOC_MAY_BE_MISSING __attribute__((weak, visibility("default")))
M4ALLOC_MAY_BE_MISSING size_t m4alloc_check_leaks(void);       /* how many blocks nothing points to; reports them */
M4ALLOC_MAY_BE_MISSING void m4alloc_ignore(const void *block); /* no leak is told of it, nor of what only it leads to */

#ifdef __cplusplus
}
#endif

#endif
