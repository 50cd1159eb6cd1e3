/* Bug: above a page of alignment, size and alignment are added without looking whether the sum wraps around. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) {
    if (alignment > PAGE && size + alignment < size) return base_aligned(alignment, size + alignment);
    return base_aligned(alignment, size);
}
#define ALIGNED broken
#endif
#include "family.h"
