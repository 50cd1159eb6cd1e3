/* Wrappers of the functions that read a number from a string: what they read ends behind the number. */
#include "monitor_libc.h"
#include <ctype.h>
#include <locale.h>
#include <stdint.h>
#include <wchar.h>
#include <wctype.h>

/* The character that ended the number was looked at as well; where there was none, the first that is no space. */
static size_t seen(const char *text, const char *end)
{
    if (end == text)
        while (isspace((unsigned char)*end))
            end++;
    return (size_t)(end - text) + 1;
}

static size_t seen_wide(const wchar_t *text, const wchar_t *end)
{
    if (end == text)
        while (iswspace((wint_t)*end))
            end++;
    return ((size_t)(end - text) + 1) * sizeof(wchar_t);
}

/* `end` is written at last, as the C library does: it may be where the text's pointer is. */
#define READS_NUMBER(type, name, CHAR, SEEN, params, args, inner)                                                      \
    QUICK(type, name, params, args, IN(text) | IN(end))                                                                \
    {                                                                                                                  \
        CHAR *stop;                                                                                                    \
        type value = REAL(name) inner;                                                                                 \
        READS(text, SEEN(text, stop));                                                                                 \
        if (end != NULL) {                                                                                             \
            WRITES(end, sizeof *end);                                                                                  \
            *end = stop;                                                                                               \
        }                                                                                                              \
        return value;                                                                                                  \
    }

#define WHOLE(type, name)                                                                                              \
    READS_NUMBER(type, name, char, seen, (const char *text, char **end, int base), (text, end, base),                  \
                 (text, &stop, base))
#define WHOLE_L(type, name)                                                                                            \
    READS_NUMBER(type, name, char, seen, (const char *text, char **end, int base, locale_t locale),                    \
                 (text, end, base, locale), (text, &stop, base, locale))
#define REALS(type, name)                                                                                              \
    READS_NUMBER(type, name, char, seen, (const char *text, char **end), (text, end), (text, &stop))
#define REALS_L(type, name)                                                                                            \
    READS_NUMBER(type, name, char, seen, (const char *text, char **end, locale_t locale), (text, end, locale),         \
                 (text, &stop, locale))
#define WHOLE_WIDE(type, name)                                                                                         \
    READS_NUMBER(type, name, wchar_t, seen_wide, (const wchar_t *text, wchar_t **end, int base), (text, end, base),    \
                 (text, &stop, base))
#define REALS_WIDE(type, name)                                                                                         \
    READS_NUMBER(type, name, wchar_t, seen_wide, (const wchar_t *text, wchar_t **end), (text, end), (text, &stop))

WHOLE(long, strtol)
WHOLE(unsigned long, strtoul)
WHOLE(long long, strtoll)
WHOLE(unsigned long long, strtoull)
WHOLE(long long, strtoq)
WHOLE(unsigned long long, strtouq)
WHOLE(intmax_t, strtoimax)
WHOLE(uintmax_t, strtoumax)
WHOLE(long, __isoc23_strtol)
WHOLE(unsigned long, __isoc23_strtoul)
WHOLE(long long, __isoc23_strtoll)
WHOLE(unsigned long long, __isoc23_strtoull)
WHOLE(intmax_t, __isoc23_strtoimax)
WHOLE(uintmax_t, __isoc23_strtoumax)
WHOLE_L(long, strtol_l)
WHOLE_L(unsigned long, strtoul_l)
WHOLE_L(long long, strtoll_l)
WHOLE_L(unsigned long long, strtoull_l)
REALS(float, strtof)
REALS(double, strtod)
REALS(long double, strtold)
REALS_L(float, strtof_l)
REALS_L(double, strtod_l)
REALS_L(long double, strtold_l)
WHOLE_WIDE(long, wcstol)
WHOLE_WIDE(unsigned long, wcstoul)
WHOLE_WIDE(long long, wcstoll)
WHOLE_WIDE(unsigned long long, wcstoull)
WHOLE_WIDE(intmax_t, wcstoimax)
WHOLE_WIDE(uintmax_t, wcstoumax)
WHOLE_WIDE(long, __isoc23_wcstol)
WHOLE_WIDE(unsigned long, __isoc23_wcstoul)
WHOLE_WIDE(long long, __isoc23_wcstoll)
WHOLE_WIDE(unsigned long long, __isoc23_wcstoull)
REALS_WIDE(float, wcstof)
REALS_WIDE(double, wcstod)
REALS_WIDE(long double, wcstold)

#define WITHOUT_END(type, name, inner)                                                                                 \
    QUICK(type, name, (const char *text), (text), IN(text))                                                            \
    {                                                                                                                  \
        char *stop;                                                                                                    \
        type value = (type)REAL(inner)(text, &stop, 10);                                                               \
        READS(text, seen(text, stop));                                                                                 \
        return value;                                                                                                  \
    }

WITHOUT_END(int, atoi, strtol)
WITHOUT_END(long, atol, strtol)
WITHOUT_END(long long, atoll, strtoll)

QUICK(double, atof, (const char *text), (text), IN(text))
{
    char *stop;
    double value = REAL(strtod)(text, &stop);
    READS(text, seen(text, stop));
    return value;
}
