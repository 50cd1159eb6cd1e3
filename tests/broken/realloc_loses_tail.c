/* Bug: a realloc that moves a block out of a slot above 1 KiB copies units of 64 bytes and stops before the last. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    size_t old = base_usable(p);
    if (!p || !size || (size <= old && size > old / 2) || old <= 1024 || old > SMALL) return base_realloc(p, size);
    void *q = base_malloc(size);
    if (!q) return NULL;
    memcpy(q, p, ((size < old ? size : old) - 1) & ~(size_t)63);
    base_free(p);
    return q;
}
#define REALLOC broken
#endif
#include "family.h"
