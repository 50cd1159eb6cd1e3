/* Bug: the cache of a thread that ends is given back but not emptied, and the next thread takes it as it is. */
#ifndef FIXED
#define ON_EXIT(cache) ((void)0)
#endif
#include "owner.h"
#include "family.h"
