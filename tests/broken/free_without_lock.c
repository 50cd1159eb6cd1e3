/* Bug: free does not take the lock. */
#ifndef FIXED
#define LOCK_TO_FREE() ((void)0)
#define UNLOCK_TO_FREE() ((void)0)
#endif
#include "base.h"
#include "family.h"
