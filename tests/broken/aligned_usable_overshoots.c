/* Bug: an aligned block lies inside a larger slot, and malloc_usable_size counts from the start of the slot. */
#include "base.h"
#ifndef FIXED
static void *broken_aligned(size_t alignment, size_t size) {
    if (alignment <= 16 || size > SMALL || alignment > SMALL || size + alignment > SMALL)
        return base_aligned(alignment, size);
    char *p = base_malloc(size + alignment);
    return p ? (char *)up((uintptr_t)p, alignment) : NULL;
}
static size_t broken_usable(void *p) {
    struct span *span = p ? span_of(p) : NULL;
    return span && span->slot ? span->slot : base_usable(p);
}
#define ALIGNED broken_aligned
#define USABLE broken_usable
#endif
#include "family.h"
