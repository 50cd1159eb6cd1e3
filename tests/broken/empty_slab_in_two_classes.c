/* Bug: a slab that became empty is given to whichever class needs one, but stays in the list of its old class. */
#ifndef FIXED
#define ON_EMPTY(span) ((void)0)
#endif
#include "base.h"
#include "family.h"
