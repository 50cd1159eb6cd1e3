/* Bug: the owner never looks at the blocks that other threads have freed for it. */
#ifndef FIXED
#define TAKE_BACK(cache) ((void)0)
#endif
#include "owner.h"
#include "family.h"
