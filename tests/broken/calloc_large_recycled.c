/* Bug: calloc takes every large block for fresh from the system, although some were kept for reuse. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    void *p = base_malloc(total);
    return p && total <= SMALL ? memset(p, 0, total) : p;
}
#define CALLOC broken
#endif
#include "family.h"
