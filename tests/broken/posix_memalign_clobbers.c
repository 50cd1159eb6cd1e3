/* Bug: a posix_memalign that finds no memory stores mmap's reply, all bits set, as the block. */
#include "base.h"
#ifndef FIXED
static int broken(void **result, size_t alignment, size_t size) {
    if (alignment < 8 || alignment & (alignment - 1)) return EINVAL;
    void *p = base_aligned(alignment, size);
    *result = p ? p : MAP_FAILED;
    return p ? 0 : ENOMEM;
}
#define POSIX_MEMALIGN broken
#endif
#include "family.h"
