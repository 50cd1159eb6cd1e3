/* Wrappers of the printf family: the format, the strings and %n among the arguments, and the destination.
 *
 * All of it is checked before anything is written. How much a function is going to write is found by letting it write
 * nowhere, which costs as much as the call itself. It is only done if the destination may hold a block, and if the
 * shadow does not say how much is open: then the text is put there at once, cut to that, which mostly is all of it. */
#include "monitor_libc_format.h"
#include <errno.h>
#include <stdio.h>
#include <wchar.h>

USES(size_t, strlen, (const char *));
USES(size_t, strnlen, (const char *, size_t));
USES(size_t, wcslen, (const wchar_t *));
USES(size_t, wcsnlen, (const wchar_t *, size_t));

#define SEEN(length, most) ((length) < (most) ? (length) + 1 : (most))

/* What of wide `text` is looked at to make at most `most` bytes of it: until the next character does not fit. */
static size_t wide_seen(const wchar_t *text, size_t most)
{
    mbstate_t state = {0};
    char bytes[16];
    size_t made = 0, i = 0;
    if (most == SIZE_MAX)
        return REAL(wcslen)(text) + 1;
    while (made < most) {
        size_t length = text[i] != 0 ? wcrtomb(bytes, text[i], &state) : 0;
        i++;
        if (length == 0 || length > sizeof bytes || made + length > most)
            break;
        made += length;
    }
    return i;
}

/* Follows the plan: `wide` formats count the precision of %s and %ls in wide characters. */
static void follow(const struct m4m_plan *plan, va_list list, int wide, const struct m4m_caller *at)
{
    union m4m_value values[M4M_ARGUMENTS];
    int had = m4m_take_arguments(plan, list, values), kept = errno;
    for (int i = 0; i < plan->uses; i++) {
        const struct m4m_use *use = &plan->use[i];
        size_t most = use->size;
        const void *pointer;
        if (use->argument >= had || use->precision >= had)
            continue;
        pointer = values[use->argument].pointer;
        if (!IN(pointer))
            continue;
        if (use->precision >= 0)
            most = values[use->precision].whole < 0 ? SIZE_MAX : (size_t)values[use->precision].whole;
        if (use->kind == M4M_COUNT)
            m4m_check(pointer, use->size, M4M_WRITE, M4M_AT);
        else if (use->kind == M4M_TEXT)
            m4m_check(pointer, SEEN(REAL(strnlen)(pointer, most), most), M4M_READ, M4M_AT);
        else if (wide)
            m4m_check(pointer, m4m_times(SEEN(REAL(wcsnlen)(pointer, most), most), sizeof(wchar_t)), M4M_READ, M4M_AT);
        else
            m4m_check(pointer, m4m_times(wide_seen(pointer, most), sizeof(wchar_t)), M4M_READ, M4M_AT);
    }
    errno = kept;
}

static void reads(const char *format, va_list list, const struct m4m_caller *at)
{
    struct m4m_plan plan;
    if (m4m_arena_bytes == 0)
        return;
    if (IN(format))
        m4m_check(format, REAL(strlen)(format) + 1, M4M_READ, M4M_AT);
    m4m_plan_printf(&plan, format);
    if (plan.uses != 0)
        follow(&plan, list, 0, at);
}

static void reads_wide(const wchar_t *format, va_list list, const struct m4m_caller *at)
{
    struct m4m_plan plan;
    if (m4m_arena_bytes == 0)
        return;
    if (IN(format))
        m4m_check(format, (REAL(wcslen)(format) + 1) * sizeof(wchar_t), M4M_READ, M4M_AT);
    m4m_plan_wprintf(&plan, format);
    if (plan.uses != 0)
        follow(&plan, list, 1, at);
}

/* A stream that was closed is a freed block; every function looks at its first word. */
#define STREAM m4m_check(file, sizeof(int), M4M_READ, at->site, at->frame, at->function)

#define READS_ALL reads(format, list, at)
#define READS_WIDE reads_wide(format, list, at)

PAIR(printf, vprintf, (const char *format), (format))
{
    READS_ALL;
    return REAL(vprintf)(format, list);
}

PAIR(__printf_chk, __vprintf_chk, (int flag, const char *format), (flag, format))
{
    READS_ALL;
    return REAL(__vprintf_chk)(flag, format, list);
}

PAIR(fprintf, vfprintf, (FILE * file, const char *format), (file, format))
{
    STREAM;
    READS_ALL;
    return REAL(vfprintf)(file, format, list);
}

PAIR(__fprintf_chk, __vfprintf_chk, (FILE * file, int flag, const char *format), (file, flag, format))
{
    STREAM;
    READS_ALL;
    return REAL(__vfprintf_chk)(file, flag, format, list);
}

PAIR(dprintf, vdprintf, (int to, const char *format), (to, format))
{
    READS_ALL;
    return REAL(vdprintf)(to, format, list);
}

PAIR(__dprintf_chk, __vdprintf_chk, (int to, int flag, const char *format), (to, flag, format))
{
    READS_ALL;
    return REAL(__vdprintf_chk)(to, flag, format, list);
}

PAIR(wprintf, vwprintf, (const wchar_t *format), (format))
{
    READS_WIDE;
    return REAL(vwprintf)(format, list);
}

PAIR(__wprintf_chk, __vwprintf_chk, (int flag, const wchar_t *format), (flag, format))
{
    READS_WIDE;
    return REAL(__vwprintf_chk)(flag, format, list);
}

PAIR(fwprintf, vfwprintf, (FILE * file, const wchar_t *format), (file, format))
{
    STREAM;
    READS_WIDE;
    return REAL(vfwprintf)(file, format, list);
}

PAIR(__fwprintf_chk, __vfwprintf_chk, (FILE * file, int flag, const wchar_t *format), (file, flag, format))
{
    STREAM;
    READS_WIDE;
    return REAL(__vfwprintf_chk)(file, flag, format, list);
}

/* Messages: they return nothing, and the real functions are told apart by what stands before the format. */
#define MESSAGE(name, vname, params, args)                                                                             \
    WRAP(void, vname, (OPEN params, va_list list))                                                                     \
    {                                                                                                                  \
        struct m4m_caller at = {HERE};                                                                                 \
        if (format != NULL)                                                                                            \
            reads(format, list, &at);                                                                                  \
        REAL(vname)(OPEN args, list);                                                                                  \
    }                                                                                                                  \
    M4M_REAL_(name);                                                                                                   \
    M4M_EXPORT void m4m_wrap_##name(OPEN params, ...) __asm__(#name);                                                  \
    void m4m_wrap_##name(OPEN params, ...)                                                                             \
    {                                                                                                                  \
        struct m4m_caller at = {HERE};                                                                                 \
        va_list list;                                                                                                  \
        va_start(list, format);                                                                                        \
        if (format != NULL)                                                                                            \
            reads(format, list, &at);                                                                                  \
        REAL(vname)(OPEN args, list);                                                                                  \
        va_end(list);                                                                                                  \
    }

MESSAGE(syslog, vsyslog, (int priority, const char *format), (priority, format))
MESSAGE(__syslog_chk, __vsyslog_chk, (int priority, int flag, const char *format), (priority, flag, format))
MESSAGE(warn, vwarn, (const char *format), (format))
MESSAGE(warnx, vwarnx, (const char *format), (format))
MESSAGE(err, verr, (int status, const char *format), (status, format))
MESSAGE(errx, verrx, (int status, const char *format), (status, format))

/* The result of libc's own malloc: the runtime hears of what was written to it, which is all that is to be checked. */
PAIR(asprintf, vasprintf, (char **to, const char *format), (to, format))
{
    int length;
    READS_ALL;
    m4m_check(to, sizeof *to, M4M_WRITE, M4M_AT);
    length = FOR_CALLER(REAL(vasprintf)(to, format, list), at->site, at->frame);
    if (length >= 0)
        m4m_check(*to, (size_t)length + 1, M4M_WRITE, M4M_AT);
    return length;
}

PAIR(__asprintf_chk, __vasprintf_chk, (char **to, int flag, const char *format), (to, flag, format))
{
    int length;
    READS_ALL;
    m4m_check(to, sizeof *to, M4M_WRITE, M4M_AT);
    length = FOR_CALLER(REAL(__vasprintf_chk)(to, flag, format, list), at->site, at->frame);
    if (length >= 0)
        m4m_check(*to, (size_t)length + 1, M4M_WRITE, M4M_AT);
    return length;
}

/* Into memory. What is found out about the destination is found by functions whose wrappers come further down. */

static int measure(char *to, size_t size, const char *format, va_list list);
static int measure_wide(wchar_t *to, size_t size, const wchar_t *format, va_list list);

/* How many bytes from `to` on are open, `most` at the most: that may be written without asking. */
static size_t open_bytes(const char *to, size_t most)
{
    const int8_t *shadow = m4m_shadow_of(to);
    uintptr_t start = (uintptr_t)to & ~(uintptr_t)7;
    size_t open = 0, skipped = (uintptr_t)to - start;
    if (!m4m_shadow_on || !IN(to))
        return 0;
    while (open < most + skipped && *shadow == 0)
        if (((uintptr_t)shadow & 7) == 0 && *(const uint64_t *)(const void *)shadow == 0)
            shadow += 8, open += 64;
        else
            shadow++, open += 8;
    if (open < most + skipped && *shadow > 0)
        open += (size_t)*shadow;
    open = open > skipped ? open - skipped : 0;
    return open < most ? open : most;
}

/* So much of a destination is looked at; longer texts are measured. */
#define GLANCE 512

/* Checks the destination, of which the caller says that `size` bytes may be used. Returns how many are, if that had to
 * be found out, otherwise 0. */
static size_t writes(char *to, size_t size, const char *format, va_list list, const struct m4m_caller *at)
{
    int kept = errno, length;
    va_list copy;
    size_t needed;
    if (size == 0 || !IN(to))
        return 0;
    va_copy(copy, list);
    length = measure(NULL, 0, format, copy);
    va_end(copy);
    errno = kept;
    if (length < 0)
        return 0;
    needed = (size_t)length < size ? (size_t)length + 1 : size;
    m4m_check(to, needed, M4M_WRITE, M4M_AT);
    return needed;
}

/* Does it fit into what is open? Then it is there now, and this is the length of the text; otherwise -1. */
static int fits(char *to, size_t size, const char *format, va_list list)
{
    size_t open = open_bytes(to, size < GLANCE ? size : GLANCE);
    int length;
    va_list copy;
    if (open == 0)
        return -1;
    va_copy(copy, list);
    length = measure(to, open, format, copy);
    va_end(copy);
    return length >= 0 && ((size_t)length < open || open == size) ? length : -1;
}

/* What `writes` does, of wide characters, which cannot be counted without writing them: into a buffer, if they fit. */
static size_t writes_wide(wchar_t *to, size_t size, const wchar_t *format, va_list list, const struct m4m_caller *at)
{
    wchar_t buffer[512];
    int kept = errno, length;
    va_list copy;
    size_t needed;
    if (size == 0 || !IN(to) || (size <= 1024 && m4m_shadow_on && m4m_is_range_open(to, size * sizeof *to)))
        return 0;
    va_copy(copy, list);
    length = measure_wide(buffer, sizeof buffer / sizeof *buffer, format, copy);
    va_end(copy);
    errno = kept;
    if (length < 0)
        return 0;
    needed = (size_t)length < size ? (size_t)length + 1 : size;
    m4m_check(to, needed * sizeof *to, M4M_WRITE, M4M_AT);
    return needed;
}

PAIR(sprintf, vsprintf, (char *to, const char *format), (to, format))
{
    int length;
    READS_ALL;
    length = fits(to, SIZE_MAX, format, list);
    if (length >= 0)
        return length;
    (void)writes(to, SIZE_MAX, format, list, at);
    return REAL(vsprintf)(to, format, list);
}

PAIR(snprintf, vsnprintf, (char *to, size_t size, const char *format), (to, size, format))
{
    int length;
    READS_ALL;
    length = fits(to, size, format, list);
    if (length >= 0)
        return length;
    (void)writes(to, size, format, list, at);
    return REAL(vsnprintf)(to, size, format, list);
}

PAIR(swprintf, vswprintf, (wchar_t * to, size_t size, const wchar_t *format), (to, size, format))
{
    size_t needed;
    int length;
    READS_WIDE;
    needed = writes_wide(to, size, format, list, at);
    length = REAL(vswprintf)(to, size, format, list);
    if (needed == 0 && size != 0) /* it was too long for the buffer, or all is open */
        m4m_check(to, (length < 0 ? 1 : (size_t)length + 1) * sizeof *to, M4M_WRITE, M4M_AT);
    return length;
}

/* Fortified, with `room` bytes or wide characters known to be there: an overflow of a block that was reported is
 * carried out, as without fortifying. The length of the text is only known if the destination is in the arena. */

PAIR(__sprintf_chk, __vsprintf_chk, (char *to, int flag, size_t room, const char *format), (to, flag, room, format))
{
    READS_ALL;
    if (writes(to, SIZE_MAX, format, list, at) > room && m4m_ends_block(to, room))
        return REAL(vsprintf)(to, format, list);
    return REAL(__vsprintf_chk)(to, flag, room, format, list);
}

PAIR(__snprintf_chk, __vsnprintf_chk, (char *to, size_t size, int flag, size_t room, const char *format),
     (to, size, flag, room, format))
{
    READS_ALL;
    (void)writes(to, size, format, list, at);
    if (size > room && m4m_ends_block(to, room)) /* the C library looks at the size alone */
        return REAL(vsnprintf)(to, size, format, list);
    return REAL(__vsnprintf_chk)(to, size, flag, room, format, list);
}

PAIR(__swprintf_chk, __vswprintf_chk, (wchar_t * to, size_t size, int flag, size_t room, const wchar_t *format),
     (to, size, flag, room, format))
{
    READS_WIDE;
    (void)writes_wide(to, size, format, list, at);
    if (size > room && m4m_ends_block(to, m4m_times(room, sizeof *to)))
        return REAL(vswprintf)(to, size, format, list);
    return REAL(__vswprintf_chk)(to, size, flag, room, format, list);
}

static int measure(char *to, size_t size, const char *format, va_list list)
{
    return REAL(vsnprintf)(to, size, format, list);
}

static int measure_wide(wchar_t *to, size_t size, const wchar_t *format, va_list list)
{
    return REAL(vswprintf)(to, size, format, list);
}
