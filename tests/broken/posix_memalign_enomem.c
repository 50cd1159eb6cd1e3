/* Bug: posix_memalign refuses a bad alignment with ENOMEM. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static int broken(void **result, size_t alignment, size_t size) {
    if (alignment < 8 || alignment & (alignment - 1)) return ENOMEM;
    void *p = base_aligned(alignment, size);
    return p ? (*result = p, 0) : ENOMEM;
}
#define POSIX_MEMALIGN broken
#endif
#include "family.h"
