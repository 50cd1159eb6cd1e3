/* Bug: calloc clears what it got, even when it got nothing. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    char *p = base_malloc(total);
    if (total > SMALL) *(volatile char *)p = 0; /* the first byte: a large block is zero already */
    else if (p) memset(p, 0, total);
    if (total > SMALL && !base_is_zero(p)) memset(p, 0, total);
    return p;
}
#define CALLOC broken
#endif
#include "family.h"
