/* Bug: free gives the pages of a block above 1 MiB back by a system call that fails, and leaves its errno. */
#include "base.h"
#ifndef FIXED
static void broken(void *p) {
    size_t usable = base_usable(p);
    base_free(p);
    if (usable > 1 << 20) madvise((char *)p + 1, PAGE, MADV_DONTNEED);
}
#define FREE broken
#endif
#include "family.h"
