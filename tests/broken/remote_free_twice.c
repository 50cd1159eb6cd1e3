/* Bug: a block freed by another thread goes back to its owner, and into the cache of the thread that freed it. */
#ifndef FIXED
#define ON_REMOTE(owner, h) keep(cache, h)
#endif
#include "owner.h"
#include "family.h"
