/* memcpy, memmove and memset that look at the blocks they touch, in libraries that are built with check_copies.
 *
 * The copying itself is the C library's, found while the program starts; before that, and in the allocator's own code, it
 * is done a word or a byte at a time. Fortified programs call other functions (__memcpy_chk), which are not covered. */
#ifndef M4ALLOC_COPIES_H
#define M4ALLOC_COPIES_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static void *(*m4_next_memcpy)(void *, const void *, size_t);
static void *(*m4_next_memmove)(void *, const void *, size_t);
static void *(*m4_next_memset)(void *, int, size_t);

/* The empty asm keeps the compiler from calling the function that is being defined. */
static void *m4_plain_memmove(void *to, const void *from, size_t bytes)
{
    unsigned char *t = to;
    const unsigned char *f = from;
    if (m4_next_memmove != NULL)
        return m4_next_memmove(to, from, bytes);
    if ((uintptr_t)t - (uintptr_t)f >= bytes) {
        for (size_t i = 0; i < bytes; i++) {
            t[i] = f[i];
            __asm__ volatile("" ::: "memory");
        }
    } else {
        for (size_t i = bytes; i-- > 0;) {
            t[i] = f[i];
            __asm__ volatile("" ::: "memory");
        }
    }
    return to;
}

static void *m4_plain_memcpy(void *to, const void *from, size_t bytes)
{
    return m4_next_memcpy != NULL ? m4_next_memcpy(to, from, bytes) : m4_plain_memmove(to, from, bytes);
}

static void *m4_plain_memset(void *to, int byte, size_t bytes)
{
    unsigned char *t = to;
    if (m4_next_memset != NULL)
        return m4_next_memset(to, byte, bytes);
    for (size_t i = 0; i < bytes; i++) {
        t[i] = (unsigned char)byte;
        __asm__ volatile("" ::: "memory");
    }
    return to;
}

/* From here on the allocator's own copies are the plain ones: it writes to blocks that are not live. */
#define memcpy m4_plain_memcpy
#define memmove m4_plain_memmove
#define memset m4_plain_memset

#endif
