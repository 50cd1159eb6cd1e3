/* Bug: realloc copies an aligned block from the start of the slot in which it lies. */
#include "base.h"
#ifndef FIXED
static void *broken_aligned(size_t alignment, size_t size) {
    if (alignment <= 16 || size > SMALL || alignment > SMALL || size + alignment > SMALL)
        return base_aligned(alignment, size);
    char *p = base_malloc(size + alignment);
    return p ? (char *)up((uintptr_t)p, alignment) : NULL;
}
static void *broken_realloc(void *p, size_t size) {
    size_t old = base_usable(p);
    if (!p || !size || (size <= old && size > old / 2)) return base_realloc(p, size);
    char *q = base_malloc(size);
    if (!q) return NULL;
    memcpy(q, start_of(p), size < old ? size : old);
    base_free(p);
    return q;
}
#define ALIGNED broken_aligned
#define REALLOC broken_realloc
#endif
#include "family.h"
