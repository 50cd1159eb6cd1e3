/* Bug: calloc clears a large block that was used before only where it is no longer than was asked for. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    if (total <= SMALL) return base_calloc(count, size);
    void *p = base_malloc(total);
    struct span *span = p ? span_of(p) : NULL;
    if (p && span->recycled && span->length == up(total, PAGE)) memset(p, 0, total);
    return p;
}
#define CALLOC broken
#endif
#include "family.h"
