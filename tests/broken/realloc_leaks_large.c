/* Bug: a realloc that moves a large block forgets to free the old one. */
#include "base.h"
#ifndef FIXED
static void unless_large(void *p) {
    if (span_of(p)->slot) base_free(p);
}
static void *broken(void *p, size_t size) {
    return size ? realloc_by(p, size, base_malloc, unless_large, base_usable) : base_realloc(p, size);
}
#define REALLOC broken
#endif
#include "family.h"
