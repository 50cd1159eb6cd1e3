/* Bug: a realloc that moves a block to 2 KiB or more puts a size of 8 bytes before it, and so aligns it to 8 only. */
#include "base.h"
#ifndef FIXED
static void *with_size(size_t size) {
    if (size < 2048 || size > PTRDIFF_MAX - 8) return base_malloc(size);
    size_t *p = base_malloc(size + 8);
    return p ? *p = size, p + 1 : NULL;
}
static void *broken(void *p, size_t size) {
    return p ? realloc_by(p, size, with_size, base_free, base_usable) : base_malloc(size);
}
#define REALLOC broken
#endif
#include "family.h"
