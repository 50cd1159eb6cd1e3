/* Bug, where glibc's standard is claimed: realloc to zero bytes hands out a block of none. */
#include "base.h"
#ifndef FIXED
static void *broken(void *p, size_t size) {
    if (p && !size) return base_free(p), base_malloc(0);
    return base_realloc(p, size);
}
#define REALLOC broken
#endif
#include "family.h"
