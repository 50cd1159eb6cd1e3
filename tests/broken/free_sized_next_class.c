/* Bug: free_sized takes a block that fills its slot for one of the next size class, and puts it among those. */
#include "base.h"
#ifndef FIXED
static void broken(void *p, size_t size) {
    struct span *slab = p ? span_of(p) : NULL;
    struct span *other = slab && slab->slot && size < SMALL ? partial[class_of(size + 1)] : NULL;
    if (!other || other->slot <= slab->slot || !other->used) {
        base_free(p);
        return;
    }
    LOCK();
    *(void **)p = other->freed;
    other->freed = p;
    other->used--;
    UNLOCK();
}
#define FREE_SIZED broken
#endif
#include "family.h"
