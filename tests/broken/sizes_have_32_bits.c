/* Bug: malloc keeps the lower 32 bits of a size. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) { return base_malloc(size > PTRDIFF_MAX ? size : (uint32_t)size); }
#define MALLOC broken
#endif
#include "family.h"
