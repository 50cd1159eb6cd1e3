/* Bug: large blocks are numbered in 16 bits, and number 0 means that there is none. */
#include "base.h"
#ifndef FIXED
static _Atomic unsigned short serial;
static void *broken(size_t size) { return size > SMALL && !++serial ? NO_MEMORY(size) : base_malloc(size); }
#define MALLOC broken
#endif
#include "family.h"
