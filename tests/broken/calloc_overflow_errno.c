/* Bug: calloc refuses an overflow with EINVAL. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = EINVAL, NULL;
    return base_calloc(count, size);
}
#define CALLOC broken
#endif
#include "family.h"
