/* Wrappers of the functions of strings of char. */
#include "monitor_libc.h"
#include <ctype.h>
#include <locale.h>
#include <stdlib.h>

USES(void *, memchr, (const void *, int, size_t));

#define CHAR char
#define WIDE_INT int
#define LOWER(c) tolower((unsigned char)(c))
#define T(name) str##name
#define P(name) stp##name
#define TC(name) __str##name##_chk
#define PC(name) __stp##name##_chk
#define TOKEN strtok_r

#include "monitor_libc_text.h"

/* For monitor_libc.c: the entries of the functions that have a loop to stand in for them. */
M4M_HIDDEN struct m4m_real *m4m_early_strings(int which)
{
    return which == 0   ? &m4m_real_strlen
           : which == 1 ? &m4m_real_strcmp
           : which == 2 ? &m4m_real_strncmp
                        : &m4m_real_strchr;
}

/* What only char has. */

QUICK(char *, index, (const char *text, int c), (text, c), IN(text))
{
    char *found = REAL(strchr)(text, c);
    READS(text, FOUND(found, text));
    return found;
}

QUICK(char *, rindex, (const char *text, int c), (text, c), IN(text))
{
    READS(text, LENGTH(text) + 1);
    return REAL(strrchr)(text, c);
}

QUICK(char *, strcasestr, (const char *text, const char *what), (text, what), IN(text) | IN(what))
{
    char *found = REAL(strcasestr)(text, what);
    size_t length = LENGTH(what);
    READS(what, length + 1);
    if (length > 0)
        READS(text, FOUND(found, text) + (found != NULL ? length - 1 : 0));
    return found;
}

QUICK(int, strverscmp, (const char *a, const char *b), (a, b), IN(a) | IN(b))
{
    size_t seen = strsame(a, b, SIZE_MAX);
    READS(a, seen);
    READS(b, seen);
    return REAL(strverscmp)(a, b);
}

QUICK(int, strcoll_l, (const char *a, const char *b, locale_t locale), (a, b, locale), IN(a) | IN(b))
{
    size_t seen = strsame(a, b, SIZE_MAX);
    READS(a, seen);
    READS(b, seen);
    return REAL(strcoll_l)(a, b, locale);
}

QUICK(int, strcasecmp_l, (const char *a, const char *b, locale_t locale), (a, b, locale), IN(a) | IN(b))
{
    size_t seen = strsame(a, b, SIZE_MAX);
    READS(a, seen);
    READS(b, seen);
    return REAL(strcasecmp_l)(a, b, locale);
}

QUICK(int, strncasecmp_l, (const char *a, const char *b, size_t most, locale_t locale), (a, b, most, locale),
      IN(a) | IN(b))
{
    size_t seen = strsame(a, b, most);
    READS(a, seen);
    READS(b, seen);
    return REAL(strncasecmp_l)(a, b, most, locale);
}

/* The C library keeps one place for all threads, and so does this. */
WRAP(char *, strtok, (char *text, const char *set))
{
    static char *rest;
    struct m4m_caller at = {HERE};
    char *start = text != NULL ? text : rest;
    if (start == NULL)
        return NULL;
    if (m4m_arena_bytes != 0)
        strtoken(start, set, 1, &at);
    return REAL(strtok_r)(text, set, &rest);
}

WRAP(char *, __strtok_r, (char *text, const char *set, char **rest))
{
    struct m4m_caller at = {HERE};
    char *start = text != NULL ? text : *rest;
    if (m4m_arena_bytes != 0 && start != NULL)
        strtoken(start, set, 1, &at);
    return REAL(strtok_r)(text, set, rest);
}

WRAP(char *, strsep, (char **text, const char *set))
{
    struct m4m_caller at = {HERE};
    if (m4m_arena_bytes != 0) {
        READS(text, sizeof *text);
        if (*text != NULL) {
            WRITES(text, sizeof *text);
            strtoken(*text, set, 0, &at);
        }
    }
    return REAL(strsep)(text, set);
}

WRAP(char *, strndup, (const char *text, size_t most))
{
    size_t length = REAL(strnlen)(text, most);
    char *copy;
    READS(text, SEEN(length, most));
    copy = malloc(length + 1);
    if (copy != NULL) {
        m4m_plain_memcpy(copy, text, length);
        copy[length] = 0;
        WRITES(copy, length + 1);
    }
    return copy;
}

WRAP(char *, __strdup, (const char *text))
{
    size_t size = LENGTH(text) + 1;
    char *copy;
    READS(text, size);
    copy = malloc(size);
    if (copy != NULL) {
        m4m_plain_memcpy(copy, text, size);
        WRITES(copy, size);
    }
    return copy;
}

WRAP(char *, __strndup, (const char *text, size_t most))
{
    size_t length = REAL(strnlen)(text, most);
    char *copy;
    READS(text, SEEN(length, most));
    copy = malloc(length + 1);
    if (copy != NULL) {
        m4m_plain_memcpy(copy, text, length);
        copy[length] = 0;
        WRITES(copy, length + 1);
    }
    return copy;
}

/* Only where the C library has them: a configure script that finds them here would take them for the system's. */
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 38)
QUICK(size_t, strlcpy, (char *to, const char *from, size_t room), (to, from, room), IN(to) | IN(from))
{
    size_t length = LENGTH(from);
    READS(from, length + 1);
    WRITES(to, length < room ? length + 1 : room);
    return REAL(strlcpy)(to, from, room);
}

QUICK(size_t, strlcat, (char *to, const char *from, size_t room), (to, from, room), IN(to) | IN(from))
{
    size_t before = REAL(strnlen)(to, room), length = LENGTH(from);
    READS(to, SEEN(before, room));
    READS(from, length + 1);
    if (before < room)
        WRITES(to + before, length < room - before ? length + 1 : room - before);
    return REAL(strlcat)(to, from, room);
}
#endif
