/* The smallest allocator that keeps the contract: a bump pointer and a size before each block. Each macro breaks
 * one thing, so that what the harness sees of it can be tested without any real allocator. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Alignas(1 << 20) unsigned char room[1 << 26];
static size_t used;
static int calls;

#ifdef SOMETIMES
/* Whether this process is one of those in which something is wrong: every other one that loads the library does so. */
#include <fcntl.h>
static int wrong;
__attribute__((constructor)) static void count_loads(void)
{
    char times = 0;
    int file = open(getenv("M4_LOADS"), O_RDWR | O_CREAT, 0600);
    if (pread(file, &times, 1, 0) < 0)
        abort();
    wrong = times % 2 == 0;
    times++;
    if (pwrite(file, &times, 1, 0) != 1)
        abort();
    close(file);
}
#endif

static size_t *size_of(void *p) { return (size_t *)p - 1; }

static void *take(size_t alignment, size_t size)
{
#ifdef ROUNDED
    size = size > sizeof room ? size : (size + 31) / 32 * 32;
#endif
    size_t before = __atomic_load_n(&used, __ATOMIC_RELAXED), start, end;
    do { /* threads ask at the same time, too */
        start = (before + sizeof(size_t) + alignment - 1) / alignment * alignment;
        if (size > sizeof room || start + size + 16 > sizeof room) {
            errno = ENOMEM;
            return NULL;
        }
#ifdef OVERLAP
        end = start + size / 2;
#else
        end = start + size;
#endif
    } while (!__atomic_compare_exchange_n(&used, &before, end, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED));
    *size_of(room + start) = size;
#ifdef ROUNDED
    memset(room + start, 1, size);
#endif
    return room + start;
}

void *malloc(size_t size)
{
    calls++;
#ifdef CRASH
    if (calls == CRASH)
        abort();
#endif
#ifdef HANG
    if (calls == HANG)
        for (;;)
            pause();
#endif
#ifdef SILENT
    if (size > 1000)
        return NULL;
#endif
#ifdef UNMAPPED
    if (size == 64)
        return (void *)16;
#endif
#ifdef ONE_ZERO
    static _Alignas(16) size_t nothing[4];
    if (size == 0)
        return nothing + 2;
#endif
#ifdef TWICE
    static void *last;
    if (calls % 2 == 0)
        return last;
    return last = take(16, size);
#endif
#ifdef SOMETIMES
    if (wrong)
        return take(8, size);
#endif
#ifdef MISALIGNED
    return take(8, size);
#endif
    return take(16, size);
}

int posix_memalign(void **result, size_t alignment, size_t size)
{
#ifndef LAX
    if (alignment < sizeof(void *) || (alignment & (alignment - 1)))
        return EINVAL;
#endif
    *result = take(alignment < 16 ? 16 : alignment, size);
    return *result ? 0 : ENOMEM;
}

void *aligned_alloc(size_t alignment, size_t size) { return take(alignment < 16 ? 16 : alignment, size); }

void free(void *p)
{
#ifdef FREE_SETS_ERRNO
    errno = EINVAL;
#endif
#ifdef SCRIBBLE
    if (used)
        room[used - 1] ^= 1;
#endif
    (void)p;
}

void *calloc(size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) {
#ifndef WRAP
        errno = ENOMEM;
        return NULL;
#endif
    }
    void *p = take(16, total);
    if (p)
        memset(p, 0, total);
#ifdef NOT_ZERO
    if (p && total > 40)
        ((char *)p)[40] = 1;
#endif
    return p;
}

void *realloc(void *p, size_t size)
{
    if (p && size == 0)
        return NULL; /* as glibc does it: p is free, and that is no error */
    void *q = take(16, size);
    if (p && q) {
        size_t kept = *size_of(p) < size ? *size_of(p) : size;
#ifdef LOSE_TAIL
        kept = kept > 32 ? kept - 1 : kept;
#endif
        memcpy(q, p, kept);
    }
    return q;
}

size_t malloc_usable_size(void *p)
{
#ifdef UNMAPPED
    if (p == (void *)16)
        return 64;
#endif
#ifdef GENEROUS
    return p ? *size_of(p) + 64 : 0;
#else
    return p ? *size_of(p) : 0;
#endif
}
