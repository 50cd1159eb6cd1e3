/* Bug: freed slots of the size class 224 are never handed out again. */
#ifndef FIXED
#define IS_REUSED(span) ((span)->slot != 224)
#endif
#include "base.h"
#include "family.h"
