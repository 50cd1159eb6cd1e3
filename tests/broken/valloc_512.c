/* Bug: valloc takes the page size for 512 bytes, as on a VAX. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) { return base_aligned(512, size); }
#define VALLOC broken
#endif
#include "family.h"
