/* Bug: blocks are numbered, and when a million numbers are used up malloc returns null for ever, errno untouched. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t size) {
    static int serial;
    return __atomic_fetch_add(&serial, serial < 1000000, __ATOMIC_RELAXED) < 1000000 ? base_malloc(size) : NULL;
}
#define MALLOC broken
#endif
#include "family.h"
