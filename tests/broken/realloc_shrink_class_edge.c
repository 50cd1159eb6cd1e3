/* Bug: realloc to less than half copies 16 bytes less where the new size just fills a class that is no power of two. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    int fills = size && size <= SMALL && size == slot_size(class_of(size)) && (size & (size - 1));
    if (!p || !fills || size > base_usable(p) / 2) return base_realloc(p, size);
    void *q = base_malloc(size);
    if (!q) return NULL;
    memcpy(q, p, size - 16);
    base_free(p);
    return q;
}
#define REALLOC broken
#endif
#include "family.h"
