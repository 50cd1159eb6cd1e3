/* Bug: calloc clears in steps of 64 bytes, and the last step reaches into the next slot. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    void *p = base_calloc(count, size);
    struct span *span = p ? span_of(p) : NULL;
    if (!p || !span->slot) return p;
    size_t steps = up(count * size, 64), left = (size_t)(span->start + UNIT - (char *)p);
    return memset(p, 0, steps < left ? steps : left);
}
#define CALLOC broken
#endif
#include "family.h"
