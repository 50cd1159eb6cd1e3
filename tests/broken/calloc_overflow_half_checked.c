/* Bug: calloc looks for an overflow only where both factors have more than 32 bits. */
#include "base.h"
#ifndef FIXED
static void *broken(size_t count, size_t size) {
    if (count > UINT32_MAX && size > UINT32_MAX) return errno = ENOMEM, NULL;
    return base_calloc(1, count * size);
}
#define CALLOC broken
#endif
#include "family.h"
