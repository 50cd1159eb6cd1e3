/* Bug: posix_memalign fails like a system call, by -1 and errno. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static int broken(void **result, size_t alignment, size_t size) {
    if (alignment < 8 || alignment & (alignment - 1)) return errno = EINVAL, -1;
    void *p = base_aligned(alignment, size);
    return p ? (*result = p, 0) : -1;
}
#define POSIX_MEMALIGN broken
#endif
#include "family.h"
