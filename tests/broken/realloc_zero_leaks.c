/* Bug, where glibc's standard is claimed: realloc to zero bytes returns null and forgets to free the block. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) { return p && !size ? NULL : base_realloc(p, size); }
#define REALLOC broken
#endif
#include "family.h"
