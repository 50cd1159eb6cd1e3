/* Bug: aligned_alloc refuses a bad alignment with ENOMEM, for POSIX's EINVAL. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) {
    if (!alignment || alignment & (alignment - 1)) return errno = ENOMEM, NULL;
    return base_aligned(alignment, size);
}
#define ALIGNED_ALLOC broken
#endif
#include "family.h"
