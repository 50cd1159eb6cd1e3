/* Bug: a block aligned to 64 KiB or more begins where no record of it is found, so that free takes it for a stranger.
 * Without malloc_usable_size. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) {
    if (alignment < UNIT || size > PTRDIFF_MAX || alignment > PTRDIFF_MAX - size) return base_aligned(alignment, size);
    char *p = base_aligned(UNIT, size + alignment);
    return p ? (char *)up((uintptr_t)p + 1, alignment) : NULL;
}
#define ALIGNED broken
#endif
#define HIDE_USABLE_SIZE
#include "family.h"
