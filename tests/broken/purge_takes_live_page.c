/* Bug: a second after the last free, slabs give their unused pages back, and the page where the last used slot ends. */
#include "base.h"
#ifndef FIXED
#include <time.h>
static int64_t last; /* milliseconds */
static void purge(struct span *slab) { /* the slots that were never handed out, from the page on where they begin */
    size_t from = (size_t)(SLOT_AT(slab, slab->fresh) - slab->start) & -(size_t)PAGE; /* should be rounded up */
    madvise(slab->start + from, UNIT - from, MADV_DONTNEED);
}
static void broken_free(void *p) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t at = now.tv_sec * 1000 + now.tv_nsec / 1000000;
    LOCK();
    for (int class = 0; last && at > last + 1000 && class < CLASSES; class++)
        for (struct span *slab = partial[class]; slab; slab = slab->next) purge(slab);
    last = at;
    UNLOCK();
    base_free(p);
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, base_malloc, broken_free, base_usable);
}
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
