/* Bug: a realloc that finds no memory has freed the old block already. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    void *q = base_realloc(p, size);
    if (p && size && !q) base_free(p);
    return q;
}
#define REALLOC broken
#endif
#include "family.h"
