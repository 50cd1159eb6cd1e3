/* Bug: realloc adds 15 to the size before it looks at it, and takes a request near SIZE_MAX for one of a few bytes. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    if (p && size && size + 15 < size) return p;
    return base_realloc(p, size);
}
#define REALLOC broken
#endif
#include "family.h"
