/* Does every wrapper return what the C library's function returns, leave the same memory, and the same errno? On random
 * short strings, with everything in the arena, so that every check is made. */
#include "stub.h"
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <wchar.h>

#define SIZE 128

/* What a function works on: two strings with room behind them, twice, and a number. */
struct world {
    char a[SIZE], b[SIZE];
    wchar_t wa[SIZE], wb[SIZE];
    char *rest;
    wchar_t *wide_rest;
    size_t n;
    int c;
};
static struct world world, start, after;

struct deed {
    const char *name;
    long (*does)(void *function);
    void *wrapper;
    struct deed *next;
};
static struct deed *deeds;

/* SAME(function, expression): f is the wrapper, then the C library's. */
#define SAME(name, expression)                                                                                         \
    static long do_##name(void *function)                                                                              \
    {                                                                                                                  \
        __typeof__(&name) f = (__typeof__(&name))function;                                                             \
        char *a = world.a, *b = world.b;                                                                               \
        wchar_t *wa = world.wa, *wb = world.wb;                                                                        \
        size_t n = world.n;                                                                                            \
        int c = world.c;                                                                                               \
        (void)a, (void)b, (void)wa, (void)wb, (void)n, (void)c;                                                        \
        return (long)(expression);                                                                                     \
    }                                                                                                                  \
    static struct deed deed_##name = {#name, do_##name, NULL, NULL};                                                   \
    __attribute__((constructor)) static void add_##name(void)                                                          \
    {                                                                                                                  \
        deed_##name.wrapper = (void *)&name;                                                                           \
        deed_##name.next = deeds;                                                                                      \
        deeds = &deed_##name;                                                                                          \
    }

/* of results that are new blocks: a sum over the string, and the block is freed */
static long summed(char *text)
{
    long sum = 1;
    for (char *at = text; *at != 0; at++)
        sum = sum * 31 + *at;
    free(text);
    return sum;
}

static long summed_wide(wchar_t *text)
{
    long sum = 1;
    for (wchar_t *at = text; *at != 0; at++)
        sum = sum * 31 + *at;
    free(text);
    return sum;
}

static long bits(double value)
{
    long bits;
    __builtin_memcpy(&bits, &value, sizeof bits);
    return bits;
}

static int letters(const void *a, const void *b)
{
    return *(const unsigned char *)a - *(const unsigned char *)b;
}

SAME(memcpy, f(a, b, n))
SAME(memmove, f(a + 3, a, n))
SAME(mempcpy, f(a, b, n))
SAME(memset, f(a, c, n))
SAME(memcmp, f(a, b, n))
SAME(bcmp, f(a, b, n) != 0)
SAME(memchr, f(a, c, n))
SAME(memrchr, f(a, c, n))
SAME(rawmemchr, f(a, 0))
SAME(memmem, f(a, n, b, 2))
SAME(memccpy, f(a, b, c, n))
SAME(bcopy, (f(a, b, n), 0))
SAME(bzero, (f(a, n), 0))
SAME(swab, (f(b, a, n), 0))
SAME(strlen, f(a))
SAME(strnlen, f(a, n))
SAME(strcpy, f(a, b))
SAME(stpcpy, f(a, b))
SAME(strncpy, f(a, b, n))
SAME(stpncpy, f(a, b, n))
SAME(strcat, f(a, b))
SAME(strncat, f(a, b, n))
SAME(strcmp, f(a, b))
SAME(strncmp, f(a, b, n))
SAME(strcasecmp, f(a, b))
SAME(strncasecmp, f(a, b, n))
SAME(strcoll, f(a, b))
SAME(strverscmp, f(a, b))
SAME(strxfrm, f(a, b, n))
SAME(strchr, f(a, c))
SAME(strchrnul, f(a, c))
SAME(strrchr, f(a, c))
SAME(index, f(a, c))
SAME(rindex, f(a, c))
SAME(strstr, f(a, b))
SAME(strcasestr, f(a, b))
SAME(strspn, f(a, b))
SAME(strcspn, f(a, b))
SAME(strpbrk, f(a, b))
SAME(strtok_r, (world.rest = NULL, f(a, b, &world.rest), f(NULL, b, &world.rest)))
SAME(strsep, (world.rest = a, f(&world.rest, b)))
SAME(strdup, summed(f(a)))
SAME(strndup, summed(f(a, n)))
SAME(strtol, f(a, &world.rest, 16))
SAME(strtoull, f(a, &world.rest, 0))
SAME(strtod, bits(f(a, &world.rest)))
SAME(atoi, f(a))
SAME(atol, f(a))
SAME(atof, bits(f(a)))
SAME(sprintf, f(a, "%s|%5.3s|%d", b, b, c))
SAME(snprintf, f(a, n, "%s|%*d|%c", b, 5, c, c))
SAME(sscanf, f(b, "%7s %d %n", a, &world.c, (int *)&world.n))
SAME(swprintf, f(wa, n, L"%ls|%d", wb, c))
SAME(mbstowcs, f(wa, b, n))
SAME(wcstombs, f(a, wb, n))
SAME(wcslen, f(wa))
SAME(wcsnlen, f(wa, n))
SAME(wcscpy, f(wa, wb))
SAME(wcpcpy, f(wa, wb))
SAME(wcsncpy, f(wa, wb, n))
SAME(wcpncpy, f(wa, wb, n))
SAME(wcscat, f(wa, wb))
SAME(wcsncat, f(wa, wb, n))
SAME(wcscmp, f(wa, wb))
SAME(wcsncmp, f(wa, wb, n))
SAME(wcscasecmp, f(wa, wb))
SAME(wcschr, f(wa, c))
SAME(wcsrchr, f(wa, c))
SAME(wcsstr, f(wa, wb))
SAME(wcsspn, f(wa, wb))
SAME(wcscspn, f(wa, wb))
SAME(wcspbrk, f(wa, wb))
SAME(wcstok, (world.wide_rest = NULL, f(wa, wb, &world.wide_rest), f(NULL, wb, &world.wide_rest)))
SAME(wcsdup, summed_wide(f(wa)))
SAME(wcstol, f(wa, &world.wide_rest, 16))
SAME(wmemcpy, f(wa, wb, n))
SAME(wmemmove, f(wa + 3, wa, n))
SAME(wmemset, f(wa, c, n))
SAME(wmemcmp, f(wa, wb, n))
SAME(wmemchr, f(wa, c, n))
SAME(qsort, (f(a, n, 1, letters), 0))
SAME(readlink, f(a, b, n))
SAME(getcwd, f(a, n))
SAME(getenv, f(a))
SAME(access, f(a, 0))

static void make_world(void)
{
    static const char alphabet[] = "abAB1. ,-x0";
    memset(&start, 0, sizeof start);
    for (int which = 0; which < 2; which++)
        for (int i = 0, length = rand() % 12; i < length; i++) {
            char letter = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
            (which ? start.b : start.a)[i] = letter;
            (which ? start.wb : start.wa)[i] = letter;
        }
    start.n = (size_t)rand() % 20;
    start.c = alphabet[(size_t)rand() % (sizeof alphabet - 1)];
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 200, failures = 0, done = 0;
    void *libc = dlopen("libc.so.6", RTLD_LAZY);
    srand(7);
    for (struct deed *deed = deeds; deed != NULL; deed = deed->next) {
        void *real = dlsym(libc, deed->name);
        if (real == NULL || real == deed->wrapper) {
            printf("%s: no function of the C library to compare with\n", deed->name);
            return 1;
        }
        for (int round = 0; round < rounds; round++) {
            long expected, result;
            int expected_error, error;
            make_world();
            world = start;
            errno = 0;
            expected = deed->does(real);
            expected_error = errno;
            after = world;
            world = start;
            stub_forget();
            stub_arena((void *)0x1000, (uintptr_t)1 << 47, 0);
            errno = 0;
            result = deed->does(deed->wrapper);
            error = errno;
            stub_arena(NULL, 0, 0);
            done++;
            if (result != expected || error != expected_error || memcmp(&world, &after, sizeof world) != 0) {
                printf("%s(\"%s\", \"%s\", n %zu, c %d): %ld, errno %d, expected %ld, errno %d\n", deed->name, start.a,
                       start.b, start.n, start.c, result, error, expected, expected_error);
                failures++;
                break;
            }
        }
    }
    printf("%d calls, %d functions differ\n", done, failures);
    return failures != 0;
}
