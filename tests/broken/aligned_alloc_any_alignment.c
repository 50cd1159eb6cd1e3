/* Bug: aligned_alloc rounds an alignment that is no power of two up, as memalign does, instead of refusing it. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) {
    size_t power = 16;
    while (power < alignment && power << 1) power <<= 1;
    return base_aligned(power, size);
}
#define ALIGNED_ALLOC broken
#endif
#include "family.h"
