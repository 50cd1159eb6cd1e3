/* Bug: posix_memalign takes every power of two, those below sizeof(void *) too. */
#include "base.h"
#ifndef FIXED
static int broken(void **result, size_t alignment, size_t size) {
    if (!alignment || alignment & (alignment - 1)) return EINVAL;
    void *p = base_aligned(alignment, size);
    return p ? (*result = p, 0) : ENOMEM;
}
#define POSIX_MEMALIGN broken
#endif
#include "family.h"
