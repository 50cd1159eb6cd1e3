/* Bug: malloc compares sizes as signed numbers: above PTRDIFF_MAX they are small. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) { return base_malloc((ptrdiff_t)size <= 16 ? 16 : size); }
#define MALLOC broken
#endif
#include "family.h"
