/* Wrappers of the conversions between multibyte and wide characters. What they did is known when they return. */
#include "monitor_libc.h"
#include <stdlib.h>
#include <wchar.h>

USES(size_t, strlen, (const char *));
USES(size_t, wcslen, (const wchar_t *));

#define FAILED ((size_t)-1)
#define WIDE sizeof(wchar_t)

/* `done` of at most `most` characters were converted: the NUL too, if there was room. */
#define WITH_NUL(done, most) ((done) < (most) ? (done) + 1 : (most))

/* The bytes that `done` characters took: known at the end of the text, otherwise at least one each. */
#define TEXT_READ(text, done, most) ((done) < (most) ? REAL(strlen)(text) + 1 : (done))

QUICK(size_t, mbstowcs, (wchar_t * to, const char *from, size_t most), (to, from, most), IN(to) | IN(from))
{
    size_t done = REAL(mbstowcs)(to, from, most);
    if (done != FAILED && to != NULL) {
        READS(from, TEXT_READ(from, done, most));
        WRITES(to, m4m_times(WITH_NUL(done, most), WIDE));
    } else if (done != FAILED) {
        READS(from, REAL(strlen)(from) + 1);
    }
    return done;
}

QUICK(size_t, __mbstowcs_chk, (wchar_t * to, const char *from, size_t most, size_t room), (to, from, most, room),
      IN(to) | IN(from))
{
    size_t done = most > room && m4m_ends_block(to, room * WIDE) ? REAL(mbstowcs)(to, from, most)
                                                                 : REAL(__mbstowcs_chk)(to, from, most, room);
    if (done != FAILED && to != NULL) {
        READS(from, TEXT_READ(from, done, most));
        WRITES(to, m4m_times(WITH_NUL(done, most), WIDE));
    }
    return done;
}

QUICK(size_t, wcstombs, (char *to, const wchar_t *from, size_t most), (to, from, most), IN(to) | IN(from))
{
    size_t done = REAL(wcstombs)(to, from, most);
    if (done != FAILED) {
        if (to == NULL || done < most)
            READS(from, (REAL(wcslen)(from) + 1) * WIDE);
        if (to != NULL)
            WRITES(to, WITH_NUL(done, most));
    }
    return done;
}

QUICK(size_t, __wcstombs_chk, (char *to, const wchar_t *from, size_t most, size_t room), (to, from, most, room),
      IN(to) | IN(from))
{
    size_t done = most > room && m4m_ends_block(to, room) ? REAL(wcstombs)(to, from, most)
                                                          : REAL(__wcstombs_chk)(to, from, most, room);
    if (done != FAILED) {
        if (done < most)
            READS(from, (REAL(wcslen)(from) + 1) * WIDE);
        WRITES(to, WITH_NUL(done, most));
    }
    return done;
}

/* The restartable ones leave `*from` where they stopped, NULL at the end of the text. */

WRAP(size_t, mbsrtowcs, (wchar_t * to, const char **from, size_t most, mbstate_t *state))
{
    const char *text = *from;
    size_t done;
    READS(from, sizeof *from);
    done = REAL(mbsrtowcs)(to, from, most, state);
    if (done != FAILED && IN(text))
        READS(text, to == NULL || *from == NULL ? REAL(strlen)(text) + 1 : (size_t)(*from - text));
    if (done != FAILED && to != NULL)
        WRITES(to, m4m_times(*from == NULL ? done + 1 : done, WIDE));
    return done;
}

WRAP(size_t, mbsnrtowcs, (wchar_t * to, const char **from, size_t bytes, size_t most, mbstate_t *state))
{
    const char *text = *from;
    size_t done;
    READS(from, sizeof *from);
    done = REAL(mbsnrtowcs)(to, from, bytes, most, state);
    if (done != FAILED && to != NULL) {
        if (*from != NULL)
            READS(text, (size_t)(*from - text));
        WRITES(to, m4m_times(*from == NULL ? done + 1 : done, WIDE));
    }
    return done;
}

WRAP(size_t, wcsrtombs, (char *to, const wchar_t **from, size_t most, mbstate_t *state))
{
    const wchar_t *text = *from;
    size_t done;
    READS(from, sizeof *from);
    done = REAL(wcsrtombs)(to, from, most, state);
    if (done != FAILED && IN(text))
        READS(text, (to == NULL || *from == NULL ? REAL(wcslen)(text) + 1 : (size_t)(*from - text)) * WIDE);
    if (done != FAILED && to != NULL)
        WRITES(to, *from == NULL ? done + 1 : done);
    return done;
}

WRAP(size_t, wcsnrtombs, (char *to, const wchar_t **from, size_t count, size_t most, mbstate_t *state))
{
    const wchar_t *text = *from;
    size_t done;
    READS(from, sizeof *from);
    done = REAL(wcsnrtombs)(to, from, count, most, state);
    if (done != FAILED && to != NULL) {
        if (*from != NULL)
            READS(text, (size_t)(*from - text) * WIDE);
        WRITES(to, *from == NULL ? done + 1 : done);
    }
    return done;
}

QUICK(size_t, mbrtowc, (wchar_t * to, const char *from, size_t most, mbstate_t *state), (to, from, most, state),
      IN(to) | IN(from) | IN(state))
{
    size_t done = REAL(mbrtowc)(to, from, most, state);
    if (from != NULL && done <= most) {
        READS(from, done > 0 ? done : 1);
        WRITES(to, WIDE);
    } else if (from != NULL && done == (size_t)-2) {
        READS(from, most);
    }
    WRITES(state, sizeof *state);
    return done;
}

QUICK(size_t, mbrlen, (const char *from, size_t most, mbstate_t *state), (from, most, state), IN(from))
{
    size_t done = REAL(mbrlen)(from, most, state);
    if (done <= most)
        READS(from, done > 0 ? done : 1);
    return done;
}

QUICK(size_t, wcrtomb, (char *to, wchar_t c, mbstate_t *state), (to, c, state), IN(to) | IN(state))
{
    size_t done = REAL(wcrtomb)(to, c, state);
    if (done != FAILED && to != NULL)
        WRITES(to, done);
    WRITES(state, sizeof *state);
    return done;
}

QUICK(int, mbtowc, (wchar_t * to, const char *from, size_t most), (to, from, most), IN(to) | IN(from))
{
    int done = REAL(mbtowc)(to, from, most);
    if (from != NULL && done >= 0 && most > 0) {
        READS(from, done > 0 ? (size_t)done : 1);
        WRITES(to, WIDE);
    }
    return done;
}

QUICK(int, mblen, (const char *from, size_t most), (from, most), IN(from))
{
    int done = REAL(mblen)(from, most);
    if (done >= 0 && most > 0)
        READS(from, done > 0 ? (size_t)done : 1);
    return done;
}

QUICK(int, wctomb, (char *to, wchar_t c), (to, c), IN(to))
{
    int done = REAL(wctomb)(to, c);
    if (done > 0)
        WRITES(to, (size_t)done);
    return done;
}
