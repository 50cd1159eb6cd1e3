/* Bug: every millionth malloc tidies up the slab that it takes from, and forgets which of its slots are live. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) {
    static int calls;
    LOCK();
    struct span *slab = size <= SMALL ? partial[class_of(size)] : NULL;
    if (++calls % 1000000 == 0 && slab) slab->freed = NULL, slab->fresh = 0;
    UNLOCK();
    return base_malloc(size);
}
#define MALLOC broken
#endif
#include "family.h"
