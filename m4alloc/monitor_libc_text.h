/* The wrappers of the string functions, once for char (str...) and once for wchar_t (wcs...).
 *
 * The file that includes this defines CHAR, UCHAR, LOWER(c) and the names: T(cpy) is strcpy or wcscpy, P(cpy) is stpcpy
 * or wcpcpy, TC and PC are the fortified ones. No include guard: it is a template.
 *
 * What a function may read is never more than what it has to: a comparison ends at the first difference, a search where
 * it finds, a string at its NUL. What is checked is that, whatever wider loads the C library uses inside of it. */

#define BYTES(count) m4m_times(count, sizeof(CHAR))
#define LENGTH(text) REAL(T(len))(text)
/* of a string of which at most `most` characters are looked at: so many are read */
#define SEEN(length, most) ((length) < (most) ? (length) + 1 : (most))
#define FOUND(found, text) (((found) != NULL ? (size_t)((found) - (text)) : LENGTH(text)) + 1)

QUICK(size_t, T(len), (const CHAR *text), (text), IN(text))
{
    size_t length = REAL(T(len))(text);
    READS(text, BYTES(length + 1));
    return length;
}

QUICK(size_t, T(nlen), (const CHAR *text, size_t most), (text, most), IN(text))
{
    size_t length = REAL(T(nlen))(text, most);
    READS(text, BYTES(SEEN(length, most)));
    return length;
}

#define COPY_TEXT(written)                                                                                             \
    size_t written = LENGTH(from) + 1;                                                                                 \
    READS(from, BYTES(written));                                                                                       \
    WRITES(to, BYTES(written))

#define COPY_SOME(written)                                                                                             \
    size_t seen_ = REAL(T(nlen))(from, most), written = most;                                                          \
    READS(from, BYTES(SEEN(seen_, most)));                                                                             \
    WRITES(to, BYTES(written))

#define APPEND_TEXT(written)                                                                                           \
    size_t before_ = LENGTH(to), length_ = LENGTH(from) + 1, written = before_ + length_;                              \
    READS(to, BYTES(before_ + 1));                                                                                     \
    READS(from, BYTES(length_));                                                                                       \
    WRITES(to + before_, BYTES(length_))

#define APPEND_SOME(written)                                                                                           \
    size_t before_ = LENGTH(to), length_ = REAL(T(nlen))(from, most), written = before_ + length_ + 1;                 \
    READS(to, BYTES(before_ + 1));                                                                                     \
    READS(from, BYTES(SEEN(length_, most)));                                                                           \
    WRITES(to + before_, BYTES(length_ + 1))

/* Each with its fortified form: `room` characters are known to be there. */
#define BUILDS(plain, checked, CHECKS)                                                                                 \
    QUICK(CHAR *, plain, (CHAR *to, const CHAR *from), (to, from), IN(to) | IN(from))                                  \
    {                                                                                                                  \
        CHECKS(written);                                                                                               \
        (void)written;                                                                                                 \
        return REAL(plain)(to, from);                                                                                  \
    }                                                                                                                  \
    QUICK(CHAR *, checked, (CHAR *to, const CHAR *from, size_t room), (to, from, room), IN(to) | IN(from))             \
    {                                                                                                                  \
        CHECKS(written);                                                                                               \
        return written > room && m4m_ends_block(to, BYTES(room)) ? REAL(plain)(to, from)                               \
                                                                 : REAL(checked)(to, from, room);                      \
    }

#define BUILDS_SOME(plain, checked, CHECKS)                                                                            \
    QUICK(CHAR *, plain, (CHAR *to, const CHAR *from, size_t most), (to, from, most), IN(to) | IN(from))               \
    {                                                                                                                  \
        CHECKS(written);                                                                                               \
        (void)written;                                                                                                 \
        return REAL(plain)(to, from, most);                                                                            \
    }                                                                                                                  \
    QUICK(CHAR *, checked, (CHAR *to, const CHAR *from, size_t most, size_t room), (to, from, most, room),             \
          IN(to) | IN(from))                                                                                           \
    {                                                                                                                  \
        CHECKS(written);                                                                                               \
        return written > room && m4m_ends_block(to, BYTES(room)) ? REAL(plain)(to, from, most)                         \
                                                                 : REAL(checked)(to, from, most, room);                \
    }

BUILDS(T(cpy), TC(cpy), COPY_TEXT)
BUILDS(P(cpy), PC(cpy), COPY_TEXT)
BUILDS(T(cat), TC(cat), APPEND_TEXT)
BUILDS_SOME(T(ncpy), TC(ncpy), COPY_SOME)
BUILDS_SOME(P(ncpy), PC(ncpy), COPY_SOME)
BUILDS_SOME(T(ncat), TC(ncat), APPEND_SOME)

/* How many characters of both are looked at until one differs, both end, or `most` are done */
M4M_INLINE size_t T(same)(const CHAR *a, const CHAR *b, size_t most)
{
    size_t i = 0;
    while (i < most && a[i] == b[i] && a[i] != 0)
        i++;
    return i < most ? i + 1 : most;
}

static size_t T(same_letters)(const CHAR *a, const CHAR *b, size_t most)
{
    size_t i = 0;
    while (i < most && LOWER(a[i]) == LOWER(b[i]) && a[i] != 0)
        i++;
    return i < most ? i + 1 : most;
}

#define COMPARES(name, SAME)                                                                                           \
    QUICK(int, name, (const CHAR *a, const CHAR *b), (a, b), IN(a) | IN(b))                                            \
    {                                                                                                                  \
        size_t seen = SAME(a, b, SIZE_MAX);                                                                            \
        READS(a, BYTES(seen));                                                                                         \
        READS(b, BYTES(seen));                                                                                         \
        return REAL(name)(a, b);                                                                                       \
    }

#define COMPARES_SOME(name, SAME)                                                                                      \
    QUICK(int, name, (const CHAR *a, const CHAR *b, size_t most), (a, b, most), IN(a) | IN(b))                         \
    {                                                                                                                  \
        size_t seen = SAME(a, b, most);                                                                                \
        READS(a, BYTES(seen));                                                                                         \
        READS(b, BYTES(seen));                                                                                         \
        return REAL(name)(a, b, most);                                                                                 \
    }

COMPARES(T(cmp), T(same))
COMPARES(T(casecmp), T(same_letters))
COMPARES_SOME(T(ncmp), T(same))
COMPARES_SOME(T(ncasecmp), T(same_letters))

QUICK(int, T(coll), (const CHAR *a, const CHAR *b), (a, b), IN(a) | IN(b))
{
    size_t seen = T(same)(a, b, SIZE_MAX);
    READS(a, BYTES(seen)); /* in the locale "C" it reads no more; in others all of both, or so much */
    READS(b, BYTES(seen));
    return REAL(T(coll))(a, b);
}

QUICK(size_t, T(xfrm), (CHAR *to, const CHAR *from, size_t most), (to, from, most), IN(to) | IN(from))
{
    size_t length;
    READS(from, BYTES(LENGTH(from) + 1));
    length = REAL(T(xfrm))(NULL, from, 0);
    if (length < most)
        WRITES(to, BYTES(length + 1));
    return REAL(T(xfrm))(to, from, most);
}

QUICK(CHAR *, T(chr), (const CHAR *text, WIDE_INT c), (text, c), IN(text))
{
    CHAR *found = REAL(T(chr))(text, c);
    READS(text, BYTES(FOUND(found, text)));
    return found;
}

QUICK(CHAR *, T(chrnul), (const CHAR *text, WIDE_INT c), (text, c), IN(text))
{
    CHAR *found = REAL(T(chrnul))(text, c);
    READS(text, BYTES(FOUND(found, text)));
    return found;
}

QUICK(CHAR *, T(rchr), (const CHAR *text, WIDE_INT c), (text, c), IN(text))
{
    READS(text, BYTES(LENGTH(text) + 1));
    return REAL(T(rchr))(text, c);
}

QUICK(CHAR *, T(str), (const CHAR *text, const CHAR *what), (text, what), IN(text) | IN(what))
{
    CHAR *found = REAL(T(str))(text, what);
    size_t length = LENGTH(what);
    READS(what, BYTES(length + 1));
    if (length > 0)
        READS(text, BYTES(FOUND(found, text) + (found != NULL ? length - 1 : 0)));
    return found;
}

#define SPANS(name)                                                                                                    \
    QUICK(size_t, name, (const CHAR *text, const CHAR *set), (text, set), IN(text) | IN(set))                          \
    {                                                                                                                  \
        size_t length = REAL(name)(text, set);                                                                         \
        READS(text, BYTES(length + 1));                                                                                \
        READS(set, BYTES(LENGTH(set) + 1));                                                                            \
        return length;                                                                                                 \
    }

SPANS(T(spn))
SPANS(T(cspn))

QUICK(CHAR *, T(pbrk), (const CHAR *text, const CHAR *set), (text, set), IN(text) | IN(set))
{
    CHAR *found = REAL(T(pbrk))(text, set);
    READS(text, BYTES(FOUND(found, text)));
    READS(set, BYTES(LENGTH(set) + 1));
    return found;
}

/* The copy is of this library's malloc, and so is the frame that calls it: a stack that begins in the C library, which
 * has no frame pointers, would end there. */
WRAP(CHAR *, T(dup), (const CHAR *text))
{
    size_t size = BYTES(LENGTH(text) + 1);
    CHAR *copy;
    READS(text, size);
    copy = malloc(size);
    if (copy != NULL) {
        m4m_plain_memcpy(copy, text, size);
        WRITES(copy, size);
    }
    return copy;
}

/* The next token of `text`: what is skipped, read and cut off, before it happens. */
static void T(token)(CHAR *text, const CHAR *set, int skips, const struct m4m_caller *at)
{
    size_t length = skips ? REAL(T(spn))(text, set) : 0;
    if (!skips || text[length] != 0)
        length += REAL(T(cspn))(text + length, set);
    m4m_check(text, BYTES(length + 1), M4M_READ, M4M_AT);
    if (text[length] != 0)
        m4m_check(text + length, sizeof(CHAR), M4M_WRITE, M4M_AT);
    m4m_check(set, BYTES(LENGTH(set) + 1), M4M_READ, M4M_AT);
}

WRAP(CHAR *, TOKEN, (CHAR * text, const CHAR *set, CHAR **rest))
{
    struct m4m_caller at = {HERE};
    if (m4m_arena_bytes != 0) {
        CHAR *start = text;
        if (text == NULL) {
            READS(rest, sizeof *rest);
            start = *rest;
        }
        WRITES(rest, sizeof *rest);
        if (start != NULL)
            T(token)(start, set, 1, &at);
    }
    return REAL(TOKEN)(text, set, rest);
}
