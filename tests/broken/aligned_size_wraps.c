/* Bug: an aligned request is rounded up to whole alignments first, and wraps around to a few bytes near SIZE_MAX. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t alignment, size_t size) { return base_aligned(alignment, up(size, alignment)); }
#define ALIGNED broken
#endif
#include "family.h"
