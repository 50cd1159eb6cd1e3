/* Bug: malloc_usable_size looks a block up in the calling thread's cache, and answers 0 for that of another thread. */
#include "owner.h"
#ifndef FIXED
static size_t broken(void *p) {
    if (!p || start_of(p) == p) return base_usable(p);
    return ((struct header *)p)[-1].owner == mine ? base_usable(p) : 0;
}
#define USABLE broken
#endif
#include "family.h"
