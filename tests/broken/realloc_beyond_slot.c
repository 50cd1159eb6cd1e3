/* Bug: realloc takes a slot for 16 bytes longer than it is, and lets blocks grow in place into the next one. Without
 * malloc_usable_size. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    size_t old = base_usable(p);
    if (p && size > old && old <= SMALL && size <= old + 16) return p;
    return base_realloc(p, size);
}
#define REALLOC broken
#endif
#define HIDE_USABLE_SIZE
#include "family.h"
