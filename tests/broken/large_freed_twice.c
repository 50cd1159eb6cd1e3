/* Bug: a large block may be freed twice; it is then twice among those kept for reuse, and two requests get it. */
#ifndef FIXED
#define IS_LIVE(span) 1
#endif
#include "base.h"
#include "family.h"
