/* Bug: calloc clears only the link of a recycled slot of 129 to 160 bytes, as if the rest were still zero. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    if (total <= 128 || total > 160) return base_calloc(count, size);
    void *p = base_malloc(total);
    return p ? memset(p, 0, 16) : NULL;
}
#define CALLOC broken
#endif
#include "family.h"
