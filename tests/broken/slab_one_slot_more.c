/* Bug: the number of slots in a slab is rounded up, so that the last one hangs over the end of the slab. */
#ifndef FIXED
#define SLOTS(slot) ((UNIT + (slot)-1) / (slot))
#endif
#include "base.h"
#include "family.h"
