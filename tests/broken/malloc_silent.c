/* Bug: malloc of more than PTRDIFF_MAX bytes returns null and leaves errno as it was. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static void *broken(size_t size) { return size > PTRDIFF_MAX ? NULL : base_malloc(size); }
#define MALLOC broken
#endif
#include "family.h"
