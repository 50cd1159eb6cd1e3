/* Bug: the size of a large block is kept in 20 bits, and a realloc that moves a block above 1 MiB copies that much. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    size_t old = base_usable(p), kept = old & 0xfffff;
    if (!p || old <= 1 << 20 || size <= old) return base_realloc(p, size);
    void *q = base_malloc(size);
    if (!q) return NULL;
    memcpy(q, p, kept);
    base_free(p);
    return q;
}
#define REALLOC broken
#endif
#include "family.h"
