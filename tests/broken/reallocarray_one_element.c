/* Bug: reallocarray copies one element when it moves an array. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    if (!p || !total || total <= base_usable(p)) return base_realloc(p, total);
    void *q = base_malloc(total);
    if (!q) return NULL;
    memcpy(q, p, size < base_usable(p) ? size : base_usable(p));
    base_free(p);
    return q;
}
#define REALLOCARRAY broken
#endif
#include "family.h"
