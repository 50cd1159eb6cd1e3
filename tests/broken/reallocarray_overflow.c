/* Bug: reallocarray multiplies without a look at the overflow. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static void *broken(void *p, size_t count, size_t size) { return base_realloc(p, count * size); }
#define REALLOCARRAY broken
#endif
#include "family.h"
