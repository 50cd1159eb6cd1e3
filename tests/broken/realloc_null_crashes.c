/* Bug: realloc to more than a page touches the old block before it looks whether there is one. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    if (size > PAGE && size <= PTRDIFF_MAX) (void)*(volatile char *)p;
    return base_realloc(p, size);
}
#define REALLOC broken
#endif
#include "family.h"
