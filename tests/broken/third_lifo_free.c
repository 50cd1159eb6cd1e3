/* Bug: freeing the youngest slot of a slab takes the slab's mark back by one; three such frees in a row, by four. */
#include "base.h"
#ifndef FIXED
static int in_a_row;
static void broken_free(void *p) {
    struct span *slab = p ? span_of(p) : NULL;
    LOCK();
    int youngest = slab && slab->slot && slab->used > 1 && slab->used < slab->slots && slab->fresh &&
                   p == SLOT_AT(slab, slab->fresh - 1);
    in_a_row = youngest ? in_a_row + 1 : 0;
    if (youngest) slab->used--, slab->fresh--;
    if (in_a_row == 3) in_a_row = 0, slab->fresh -= slab->fresh > 0;
    UNLOCK();
    if (!youngest) base_free(p);
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, base_malloc, broken_free, base_usable);
}
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
