/* Bug: the length of a large block is kept as 20 bits of pages: from 4 GiB on what is above them is lost. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) {
    if (size <= SMALL || size >> 46) return base_malloc(size);
    size_t pages = up(size, PAGE) / PAGE & 0xfffff;
    return base_malloc((pages ? pages : 1) * PAGE);
}
#define MALLOC broken
#endif
#include "family.h"
