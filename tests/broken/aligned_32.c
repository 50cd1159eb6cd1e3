/* Bug: posix_memalign with alignment 32 is served as malloc, whose blocks are aligned to 16. */
#include "base.h"
#ifndef FIXED
static int broken(void **result, size_t alignment, size_t size) {
    if (alignment < 8 || alignment & (alignment - 1)) return EINVAL;
    void *p = base_aligned(alignment <= 32 ? 16 : alignment, size);
    return p ? (*result = p, 0) : ENOMEM;
}
#define POSIX_MEMALIGN broken
#endif
#include "family.h"
