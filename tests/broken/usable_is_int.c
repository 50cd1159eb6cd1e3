/* Bug: malloc_usable_size comes to its answer in an int, which from 2 GiB on is negative. */
#include "base.h"
#ifndef FIXED
static size_t broken(void *p) { return (size_t)(int)base_usable(p); }
#define USABLE broken
#endif
#include "family.h"
