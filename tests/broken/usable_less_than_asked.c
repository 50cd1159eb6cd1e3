/* Bug: malloc_usable_size keeps the last byte of a slot for a canary, but a request that fills its slot has it. */
#include "base.h"
#ifndef FIXED
static size_t broken(void *p) {
    size_t usable = base_usable(p);
    return usable >= 256 && usable <= SMALL ? usable - 1 : usable;
}
#define USABLE broken
#endif
#include "family.h"
