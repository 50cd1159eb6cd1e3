/* Bug: aligned_alloc takes an alignment above a page for a page: nobody needs more. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) {
    return base_aligned(alignment > PAGE ? PAGE : alignment, size);
}
#define ALIGNED broken
#endif
#include "family.h"
