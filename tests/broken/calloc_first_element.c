/* Bug: calloc clears one element of the array. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    void *p = base_malloc(total);
    return p ? memset(p, 0, total ? size : 0) : NULL;
}
#define CALLOC broken
#endif
#include "family.h"
