/* Wrappers of the scanf family: the format, the text of sscanf, and where the values went.
 *
 * Which of the destinations are written depends on the input: they are checked when the function has returned, those of
 * the conversions that it says were made. */
#include "monitor_libc_format.h"
#include <stdio.h>
#include <wchar.h>

USES(size_t, strlen, (const char *));
USES(size_t, wcslen, (const wchar_t *));

/* What one conversion has written to `pointer`. */
static void converted(const struct m4m_use *use, const void *pointer, const struct m4m_caller *at)
{
    const void *made = pointer;
    if (use->allocates) {
        m4m_check(pointer, sizeof(void *), M4M_WRITE, M4M_AT);
        __builtin_memcpy(&made, pointer, sizeof made);
    }
    if (!IN(made))
        return;
    if (use->kind == M4M_TEXT)
        m4m_check(made, REAL(strlen)(made) + 1, M4M_WRITE, M4M_AT);
    else if (use->kind == M4M_WIDE_TEXT)
        m4m_check(made, (REAL(wcslen)(made) + 1) * sizeof(wchar_t), M4M_WRITE, M4M_AT);
    else if (use->kind == M4M_WIDE_CHARS)
        m4m_check(made, m4m_times(use->size, sizeof(wchar_t)), M4M_WRITE, M4M_AT);
    else
        m4m_check(made, use->size, M4M_WRITE, M4M_AT);
}

/* %n is not counted: it was reached if a conversion behind it was made. */
static void follow(const struct m4m_plan *plan, va_list list, int made, const struct m4m_caller *at)
{
    union m4m_value values[M4M_ARGUMENTS];
    int had = m4m_take_arguments(plan, list, values);
    for (int i = 0, counted = 0; i < plan->uses && counted < made; i++) {
        const struct m4m_use *use = &plan->use[i];
        counted += use->counted;
        if (use->argument < had)
            converted(use, values[use->argument].pointer, at);
    }
}

/* One body for all: `text` and `file` are looked at where there are any. */
static void before(const char *text, const void *file, const char *format, const struct m4m_caller *at)
{
    if (IN(format))
        m4m_check(format, REAL(strlen)(format) + 1, M4M_READ, M4M_AT);
    if (IN(text))
        m4m_check(text, REAL(strlen)(text) + 1, M4M_READ, M4M_AT);
    m4m_check(file, sizeof(int), M4M_READ, M4M_AT);
}

static void before_wide(const wchar_t *text, const void *file, const wchar_t *format, const struct m4m_caller *at)
{
    if (IN(format))
        m4m_check(format, (REAL(wcslen)(format) + 1) * sizeof(wchar_t), M4M_READ, M4M_AT);
    if (IN(text))
        m4m_check(text, (REAL(wcslen)(text) + 1) * sizeof(wchar_t), M4M_READ, M4M_AT);
    m4m_check(file, sizeof(int), M4M_READ, M4M_AT);
}

/* ANY(name, vname, (parameters), (arguments), text, file, parser, before, old): both functions. The C library is given
 * a copy of the list, so that it can be walked again. */
#define ANY(name, vname, params, args, text, file, parser, BEFORE, old)                                                \
    PAIR(name, vname, params, args)                                                                                    \
    {                                                                                                                  \
        struct m4m_plan plan;                                                                                          \
        va_list copy;                                                                                                  \
        int made;                                                                                                      \
        if (m4m_arena_bytes == 0)                                                                                      \
            return REAL(vname)(OPEN args, list);                                                                       \
        BEFORE(text, file, format, at);                                                                                \
        parser(&plan, format, old);                                                                                    \
        va_copy(copy, list);                                                                                           \
        made = REAL(vname)(OPEN args, copy);                                                                           \
        va_end(copy);                                                                                                  \
        if (made > 0)                                                                                                  \
            follow(&plan, list, made, at);                                                                             \
        return made;                                                                                                   \
    }

#define NARROW(name, vname, params, args, text, file, old)                                                             \
    ANY(name, vname, params, args, text, file, m4m_plan_scanf, before, old)
#define WIDE(name, vname, params, args, text, file, old)                                                               \
    ANY(name, vname, params, args, text, file, m4m_plan_wscanf, before_wide, old)

/* The three generations of the C library: GNU's own, C99's, C23's (from glibc 2.38 on). */
#define GENERATION(prefix, old)                                                                                        \
    FAMILY(prefix##scanf, prefix##vscanf, prefix##sscanf, prefix##vsscanf, prefix##fscanf, prefix##vfscanf, old)       \
    FAMILY_WIDE(prefix##wscanf, prefix##vwscanf, prefix##swscanf, prefix##vswscanf, prefix##fwscanf,                   \
                prefix##vfwscanf, old)
#define FAMILY(name, vname, sname, vsname, fname, vfname, old)                                                         \
    NARROW(name, vname, (const char *format), (format), NULL, NULL, old)                                               \
    NARROW(sname, vsname, (const char *text, const char *format), (text, format), text, NULL, old)                     \
    NARROW(fname, vfname, (FILE * file, const char *format), (file, format), NULL, file, old)
#define FAMILY_WIDE(name, vname, sname, vsname, fname, vfname, old)                                                    \
    WIDE(name, vname, (const wchar_t *format), (format), NULL, NULL, old)                                              \
    WIDE(sname, vsname, (const wchar_t *text, const wchar_t *format), (text, format), text, NULL, old)                 \
    WIDE(fname, vfname, (FILE * file, const wchar_t *format), (file, format), NULL, file, old)

GENERATION(, 1)
GENERATION(__isoc99_, 0)
GENERATION(__isoc23_, 0)
