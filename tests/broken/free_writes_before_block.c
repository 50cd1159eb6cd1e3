/* Bug: free stores the list's back link in the 8 bytes before the slot, which are the last of the slot before it. */
#ifndef FIXED
#define ON_FREE(span, p) \
    ((char *)(p) > (span)->start ? (void)(((void **)(p))[-1] = (span)->freed) : (void)0)
#endif
#include "base.h"
#include "family.h"
