/* Bug: what is to be aligned to 2 MiB, the size of a huge page, is aligned to 64 KiB like every large block. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) {
    return base_aligned(alignment == 2 << 20 ? UNIT : alignment, size);
}
#define ALIGNED broken
#endif
#include "family.h"
