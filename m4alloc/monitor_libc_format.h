/* What a format makes printf read and scanf write: parsed into a plan, which is then followed over the arguments. */
#ifndef M4ALLOC_MONITOR_LIBC_FORMAT_H
#define M4ALLOC_MONITOR_LIBC_FORMAT_H

#include "monitor_libc.h"
#include <stdarg.h>

enum m4m_type { M4M_NO_TYPE, M4M_INT, M4M_LONG, M4M_DOUBLE, M4M_LONG_DOUBLE, M4M_POINTER };

enum m4m_kind {
    M4M_TEXT,      /* %s */
    M4M_WIDE_TEXT, /* %ls */
    M4M_COUNT,     /* %n: `size` bytes are written */
    M4M_VALUE,     /* of scanf: a number of `size` bytes */
    M4M_CHARS,     /* of scanf, %c: `size` elements */
    M4M_WIDE_CHARS
};

struct m4m_use {
    unsigned char kind, counted, allocates;
    short argument;  /* number of the pointer, from 0 */
    short precision; /* number of the argument that is the precision, or -1 */
    size_t size;     /* bytes of a value, elements of %c, or the precision that stands in the format; SIZE_MAX: none */
};

/* Formats with more than this are followed as far as it goes. */
#define M4M_ARGUMENTS 48

struct m4m_plan {
    int arguments, uses;
    unsigned char types[M4M_ARGUMENTS];
    struct m4m_use use[M4M_ARGUMENTS];
};

union m4m_value {
    long whole;
    void *pointer;
};

/* The parsers: of a printf format, and of a scanf format (`old`: GNU's, in which a stands for m before s, S and [). */
M4M_HIDDEN void m4m_plan_printf(struct m4m_plan *plan, const char *format);
M4M_HIDDEN void m4m_plan_wprintf(struct m4m_plan *plan, const wchar_t *format);
M4M_HIDDEN void m4m_plan_scanf(struct m4m_plan *plan, const char *format, int old);
M4M_HIDDEN void m4m_plan_wscanf(struct m4m_plan *plan, const wchar_t *format, int old);

/* The arguments of the plan. The list is copied. Returns how many could be had: none behind one of unknown type. */
M4M_HIDDEN int m4m_take_arguments(const struct m4m_plan *plan, va_list list, union m4m_value *values);

/* PAIR(name, vname, (parameters), (arguments)) { body }: the function that takes arguments and the one that takes a list of
 * them, over one body with `list` and `at`. */
#define OPEN(...) __VA_ARGS__
#define PAIR(name, vname, params, args)                                                                                \
    static int inner_##vname(OPEN params, va_list list, const struct m4m_caller *at);                                  \
    WRAP(int, vname, (OPEN params, va_list list))                                                                      \
    {                                                                                                                  \
        struct m4m_caller at = {HERE};                                                                                 \
        return inner_##vname(OPEN args, list, &at);                                                                    \
    }                                                                                                                  \
    M4M_REAL_(name);                                                                                                   \
    M4M_EXPORT int m4m_wrap_##name(OPEN params, ...) __asm__(#name);                                                   \
    int m4m_wrap_##name(OPEN params, ...)                                                                              \
    {                                                                                                                  \
        struct m4m_caller at = {HERE};                                                                                 \
        va_list list;                                                                                                  \
        int result;                                                                                                    \
        va_start(list, format);                                                                                        \
        result = inner_##vname(OPEN args, list, &at);                                                                  \
        va_end(list);                                                                                                  \
        return result;                                                                                                 \
    }                                                                                                                  \
    static int inner_##vname(OPEN params, va_list list, const struct m4m_caller *at)

#endif /* M4ALLOC_MONITOR_LIBC_FORMAT_H */
