/* Bug: free_aligned_sized takes every block aligned to a page or more for a large one, and ends the process if not. */
#include "base.h"
#ifndef FIXED
static void broken(void *p, size_t alignment, size_t size) {
    (void)size;
    if (p && alignment >= PAGE && span_of(p)->slot) die("free_aligned_sized(): invalid size\n");
    base_free(p);
}
#define FREE_ALIGNED_SIZED broken
#endif
#include "family.h"
