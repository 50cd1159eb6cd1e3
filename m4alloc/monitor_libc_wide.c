/* Wrappers of the functions of strings and arrays of wchar_t. */
#include "monitor_libc.h"
#include <locale.h>
#include <stdlib.h>
#include <wchar.h>
#include <wctype.h>

#define CHAR wchar_t
#define WIDE_INT wchar_t
#define LOWER(c) towlower((wint_t)(c))
#define T(name) wcs##name
#define P(name) wcp##name
#define TC(name) __wcs##name##_chk
#define PC(name) __wcp##name##_chk
#define TOKEN wcstok

#include "monitor_libc_text.h"

#define MOVES(name, checked)                                                                                           \
    QUICK(wchar_t *, name, (wchar_t * to, const wchar_t *from, size_t count), (to, from, count), IN(to) | IN(from))    \
    {                                                                                                                  \
        READS_COPY(from, BYTES(count));                                                                                \
        WRITES_COPY(to, BYTES(count));                                                                                 \
        return REAL(name)(to, from, count);                                                                            \
    }                                                                                                                  \
    QUICK(wchar_t *, checked, (wchar_t * to, const wchar_t *from, size_t count, size_t room),                          \
          (to, from, count, room), IN(to) | IN(from))                                                                  \
    {                                                                                                                  \
        READS_COPY(from, BYTES(count));                                                                                \
        WRITES_COPY(to, BYTES(count));                                                                                 \
        return count > room && m4m_ends_block(to, BYTES(room)) ? REAL(name)(to, from, count)                           \
                                                               : REAL(checked)(to, from, count, room);                 \
    }

MOVES(wmemcpy, __wmemcpy_chk)
MOVES(wmemmove, __wmemmove_chk)
MOVES(wmempcpy, __wmempcpy_chk)

QUICK(wchar_t *, wmemset, (wchar_t * to, wchar_t c, size_t count), (to, c, count), IN(to))
{
    WRITES(to, BYTES(count));
    return REAL(wmemset)(to, c, count);
}

QUICK(wchar_t *, __wmemset_chk, (wchar_t * to, wchar_t c, size_t count, size_t room), (to, c, count, room), IN(to))
{
    WRITES(to, BYTES(count));
    return count > room && m4m_ends_block(to, BYTES(room)) ? REAL(wmemset)(to, c, count)
                                                           : REAL(__wmemset_chk)(to, c, count, room);
}

QUICK(int, wmemcmp, (const wchar_t *a, const wchar_t *b, size_t count), (a, b, count), IN(a) | IN(b))
{
    READS(a, BYTES(count));
    READS(b, BYTES(count));
    return REAL(wmemcmp)(a, b, count);
}

QUICK(wchar_t *, wmemchr, (const wchar_t *from, wchar_t c, size_t count), (from, c, count), IN(from))
{
    wchar_t *found = REAL(wmemchr)(from, c, count);
    READS(from, BYTES(found != NULL ? (size_t)(found - from) + 1 : count));
    return found;
}
