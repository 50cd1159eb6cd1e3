/* Bug, where glibc's standard is claimed: malloc_usable_size of a null pointer is that of the smallest slot. */
#include "base.h"
#ifndef FIXED
static size_t broken(void *p) { return p ? base_usable(p) : 16; }
#define USABLE broken
#endif
#include "family.h"
