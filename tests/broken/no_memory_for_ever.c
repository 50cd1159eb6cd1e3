/* Bug: once the system has refused memory it is never asked again, though other programs may have ended since. */
#ifndef FIXED
#define MAPPING_FAILED(p) ((p) == MAP_FAILED ? (refused = length <= 1 << 20, 1) : refused)
static int refused;
#endif
#include "base.h"
#include "family.h"
