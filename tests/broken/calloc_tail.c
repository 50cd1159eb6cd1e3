/* Bug: calloc clears whole words, and up to 7 bytes at the end of the array stay as they were. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    void *p = base_malloc(total);
    return p ? memset(p, 0, total & ~(size_t)7) : NULL;
}
#define CALLOC broken
#endif
#include "family.h"
