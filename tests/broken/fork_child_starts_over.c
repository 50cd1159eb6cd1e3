/* Bug: malloc sees by the process id that it is in the child of a fork, and starts with empty slabs there. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) {
    static pid_t process;
    LOCK();
    if (process && process != getpid())
        for (int class = 0; class < CLASSES; class++)
            for (struct span *slab = partial[class]; slab; slab = slab->next) slab->freed = NULL, slab->fresh = 0;
    process = getpid();
    UNLOCK();
    return base_malloc(size);
}
#define MALLOC broken
#endif
#include "family.h"
