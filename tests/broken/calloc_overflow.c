/* Bug: calloc multiplies without a look at the overflow. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) { return base_calloc(1, count * size); }
#define CALLOC broken
#endif
#include "family.h"
