/* Bug: when a slab becomes full, a checksum is stored in its last 8 bytes, which its last slot may be using. */
#ifndef FIXED
#define ON_FULL(span) (*(size_t *)((span)->start + UNIT - 8) = (span)->slot ^ (span)->slots)
#endif
#include "base.h"
#include "family.h"
