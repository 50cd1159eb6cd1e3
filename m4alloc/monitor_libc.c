/* The C library's functions behind the wrappers: how they are found, and the wrappers of the memory functions.
 *
 * The other wrappers are in monitor_libc_*.c: of strings and wide strings (both over monitor_libc_text.h), numbers,
 * multibyte text, printf, scanf, stdio and the system.
 *
 * A wrapper may be called before this library is relocated, by another library's IFUNC resolver. Nothing can be looked
 * up then, not even by dlsym: the memory functions, strlen, strcmp, strncmp and strchr do their work in loops. */
#include "monitor_libc.h"
#include <dlfcn.h>

M4M_HIDDEN __thread struct m4m_place_of_call m4m_for_caller;

extern struct m4m_real __start_m4m_real[] M4M_HIDDEN, __stop_m4m_real[] M4M_HIDDEN;

USES(size_t, strlen, (const char *));

/* An empty asm in a loop keeps the compiler from making it a call of the function that is being defined. */
#define M4M_A_LOOP __asm__ volatile("" ::: "memory")

static void *early_memmove(void *to, const void *from, size_t size)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if ((uintptr_t)t - (uintptr_t)f >= size) {
        for (size_t i = 0; i < size; i++) {
            t[i] = f[i];
            M4M_A_LOOP;
        }
    } else {
        for (size_t i = size; i-- > 0;) {
            t[i] = f[i];
            M4M_A_LOOP;
        }
    }
    return to;
}

static void *early_memset(void *to, int byte, size_t size)
{
    unsigned char *t = to;
    for (size_t i = 0; i < size; i++) {
        t[i] = (unsigned char)byte;
        M4M_A_LOOP;
    }
    return to;
}

static int early_memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *x = a, *y = b;
    for (size_t i = 0; i < size; i++) {
        if (x[i] != y[i])
            return x[i] - y[i];
        M4M_A_LOOP;
    }
    return 0;
}

static size_t early_strlen(const char *text)
{
    size_t length = 0;
    while (text[length] != 0) {
        length++;
        M4M_A_LOOP;
    }
    return length;
}

static int early_strncmp(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (a[i] != b[i] || a[i] == 0)
            return (unsigned char)a[i] - (unsigned char)b[i];
        M4M_A_LOOP;
    }
    return 0;
}

static int early_strcmp(const char *a, const char *b)
{
    return early_strncmp(a, b, SIZE_MAX);
}

static char *early_strchr(const char *text, int byte)
{
    for (; *text != (char)byte; text++)
        if (*text == 0)
            return NULL;
    return (char *)text;
}

/* Which loop stands in for the function of this entry? Told by address: before relocation its name is nowhere. */
static M4M_COLD void *early(const struct m4m_real *real);

/* Is this library relocated? The pointer that the linker stored is compared with the address that the code computes. */
static const char here[] = "here";
static const char *volatile relocated = here;

static M4M_COLD void nowhere(const char *name)
{
    static const char text[] = "m4alloc: the C library has no function of this name, which the program calls: ";
    ssize_t (*out)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (out != NULL)
        (void)(out(2, text, sizeof text - 1) + out(2, name, early_strlen(name)) + out(2, "\n", 1));
    __builtin_trap();
}

M4M_HIDDEN M4M_COLD void *m4m_resolve_one(struct m4m_real *real)
{
    void *pointer;
    if (relocated != here)
        return early(real);
    pointer = dlsym(RTLD_NEXT, real->name);
    if (pointer == NULL)
        nowhere(real->name);
    __atomic_store_n(&real->pointer, pointer, __ATOMIC_RELAXED);
    return pointer;
}

M4M_HIDDEN void m4m_resolve_libc(void)
{
    int missing = 0;
    for (struct m4m_real *real = __start_m4m_real; real != __stop_m4m_real; real++) {
        void *pointer = __atomic_load_n(&real->pointer, __ATOMIC_RELAXED);
        if (pointer == NULL) {
            pointer = dlsym(RTLD_NEXT, real->name);
            missing |= pointer == NULL;
            __atomic_store_n(&real->pointer, pointer, __ATOMIC_RELAXED);
        }
    }
    if (missing) {
        (void)dlerror(); /* the program shall not find our error, */
        (void)dlerror(); /* nor its text be a leak: the second call frees it */
    }
}

/* From here on: what the runtime and the core use. */

/* A wrapper's own jump: the real function, or the loop, if it cannot be had yet. */
#define PLAIN(name, ...)                                                                                               \
    do {                                                                                                               \
        void *pointer = __atomic_load_n(&m4m_real_##name.pointer, __ATOMIC_RELAXED);                                   \
        if (M4M_LIKELY(pointer != NULL))                                                                               \
            return ((m4m_type_##name *)pointer)(__VA_ARGS__);                                                          \
    } while (0)

QUICK(void *, memcpy, (void *to, const void *from, size_t size), (to, from, size), IN(to) | IN(from))
{
    READS_COPY(from, size);
    WRITES_COPY(to, size);
    return REAL(memcpy)(to, from, size);
}

QUICK(void *, memmove, (void *to, const void *from, size_t size), (to, from, size), IN(to) | IN(from))
{
    READS_COPY(from, size);
    WRITES_COPY(to, size);
    return REAL(memmove)(to, from, size);
}

QUICK(void *, memset, (void *to, int byte, size_t size), (to, byte, size), IN(to))
{
    WRITES(to, size);
    return REAL(memset)(to, byte, size);
}

QUICK(int, memcmp, (const void *a, const void *b, size_t size), (a, b, size), IN(a) | IN(b))
{
    READS(a, size);
    READS(b, size);
    return REAL(memcmp)(a, b, size);
}

QUICK(int, bcmp, (const void *a, const void *b, size_t size), (a, b, size), IN(a) | IN(b))
{
    READS(a, size);
    READS(b, size);
    return REAL(bcmp)(a, b, size);
}

/* gcc 13 and clang 17 call it where only equality is asked for */
QUICK(int, __memcmpeq, (const void *a, const void *b, size_t size), (a, b, size), IN(a) | IN(b))
{
    READS(a, size);
    READS(b, size);
    return REAL(__memcmpeq)(a, b, size);
}

M4M_HIDDEN void *m4m_plain_memcpy(void *to, const void *from, size_t size)
{
    PLAIN(memcpy, to, from, size);
    return early_memmove(to, from, size);
}

M4M_HIDDEN void *m4m_plain_memmove(void *to, const void *from, size_t size)
{
    PLAIN(memmove, to, from, size);
    return early_memmove(to, from, size);
}

M4M_HIDDEN void *m4m_plain_memset(void *to, int byte, size_t size)
{
    PLAIN(memset, to, byte, size);
    return early_memset(to, byte, size);
}

M4M_HIDDEN int m4m_plain_memcmp(const void *a, const void *b, size_t size)
{
    PLAIN(memcmp, a, b, size);
    return early_memcmp(a, b, size);
}

M4M_HIDDEN size_t m4m_plain_strlen(const char *text)
{
    PLAIN(strlen, text);
    return early_strlen(text);
}

/* The entries of the strings are in monitor_libc_string.c. */
extern M4M_HIDDEN struct m4m_real *m4m_early_strings(int which);

static M4M_COLD void *early(const struct m4m_real *real)
{
    if (real == &m4m_real_memcpy || real == &m4m_real_memmove)
        return (void *)early_memmove;
    if (real == &m4m_real_memset)
        return (void *)early_memset;
    if (real == &m4m_real_memcmp || real == &m4m_real_bcmp || real == &m4m_real___memcmpeq)
        return (void *)early_memcmp;
    if (real == m4m_early_strings(0))
        return (void *)early_strlen;
    if (real == m4m_early_strings(1))
        return (void *)early_strcmp;
    if (real == m4m_early_strings(2))
        return (void *)early_strncmp;
    if (real == m4m_early_strings(3))
        return (void *)early_strchr;
    __builtin_trap();
}

/* The other memory functions. What a search reads ends where it finds. */

#define UP_TO(found, from, size) ((found) != NULL ? (size_t)((const char *)(found) - (const char *)(from)) + 1 : (size))

QUICK(void *, memchr, (const void *from, int byte, size_t size), (from, byte, size), IN(from))
{
    void *found = REAL(memchr)(from, byte, size);
    READS(from, UP_TO(found, from, size));
    return found;
}

QUICK(void *, memrchr, (const void *from, int byte, size_t size), (from, byte, size), IN(from))
{
    const char *found = REAL(memrchr)(from, byte, size), *start = found != NULL ? found : from;
    READS(start, size - (size_t)(start - (const char *)from));
    return (void *)found;
}

QUICK(void *, rawmemchr, (const void *from, int byte), (from, byte), IN(from))
{
    void *found = REAL(rawmemchr)(from, byte);
    READS(from, UP_TO(found, from, 0));
    return found;
}

QUICK(void *, memmem, (const void *from, size_t size, const void *what, size_t length), (from, size, what, length),
      IN(from) | IN(what))
{
    void *found = REAL(memmem)(from, size, what, length);
    if (length <= size && length > 0) {
        READS(from, UP_TO(found, from, size - length + 1) + length - 1);
        READS(what, length);
    }
    return found;
}

QUICK(void *, mempcpy, (void *to, const void *from, size_t size), (to, from, size), IN(to) | IN(from))
{
    READS_COPY(from, size);
    WRITES_COPY(to, size);
    return REAL(mempcpy)(to, from, size);
}

QUICK(void *, __mempcpy, (void *to, const void *from, size_t size), (to, from, size), IN(to) | IN(from))
{
    READS_COPY(from, size);
    WRITES_COPY(to, size);
    return REAL(__mempcpy)(to, from, size);
}

QUICK(void *, memccpy, (void *to, const void *from, int byte, size_t size), (to, from, byte, size), IN(to) | IN(from))
{
    size_t length = UP_TO(REAL(memchr)(from, byte, size), from, size);
    READS(from, length);
    WRITES(to, length);
    return REAL(memccpy)(to, from, byte, size);
}

QUICK(void, bcopy, (const void *from, void *to, size_t size), (from, to, size), IN(to) | IN(from))
{
    READS_COPY(from, size);
    WRITES_COPY(to, size);
    REAL(bcopy)(from, to, size);
}

QUICK(void, bzero, (void *to, size_t size), (to, size), IN(to))
{
    WRITES(to, size);
    REAL(bzero)(to, size);
}

QUICK(void, __bzero, (void *to, size_t size), (to, size), IN(to))
{
    WRITES(to, size);
    REAL(__bzero)(to, size);
}

QUICK(void, explicit_bzero, (void *to, size_t size), (to, size), IN(to))
{
    WRITES(to, size);
    REAL(explicit_bzero)(to, size);
}

QUICK(void, swab, (const void *from, void *to, ssize_t size), (from, to, size), IN(to) | IN(from))
{
    READS_COPY(from, size > 0 ? (size_t)size & ~(size_t)1 : 0);
    WRITES_COPY(to, size > 0 ? (size_t)size & ~(size_t)1 : 0);
    REAL(swab)(from, to, size);
}

/* Fortified: the compiler knows that there are `room` bytes. */

#define MOVES_CHECKED(name, checked)                                                                                   \
    QUICK(void *, checked, (void *to, const void *from, size_t size, size_t room), (to, from, size, room),             \
          IN(to) | IN(from))                                                                                           \
    {                                                                                                                  \
        READS_COPY(from, size);                                                                                        \
        WRITES_COPY(to, size);                                                                                         \
        return size > room && m4m_ends_block(to, room) ? REAL(name)(to, from, size)                                    \
                                                       : REAL(checked)(to, from, size, room);                          \
    }

MOVES_CHECKED(memcpy, __memcpy_chk)
MOVES_CHECKED(memmove, __memmove_chk)
MOVES_CHECKED(mempcpy, __mempcpy_chk)

QUICK(void *, __memset_chk, (void *to, int byte, size_t size, size_t room), (to, byte, size, room), IN(to))
{
    WRITES(to, size);
    return size > room && m4m_ends_block(to, room) ? REAL(memset)(to, byte, size)
                                                   : REAL(__memset_chk)(to, byte, size, room);
}

QUICK(void, __explicit_bzero_chk, (void *to, size_t size, size_t room), (to, size, room), IN(to))
{
    WRITES(to, size);
    if (size > room && m4m_ends_block(to, room))
        REAL(explicit_bzero)(to, size);
    else
        REAL(__explicit_bzero_chk)(to, size, room);
}
