/* Bug: when the system refuses memory for a slab, the request fails with EAGAIN. */
#ifndef FIXED
#define NO_MEMORY(size) (errno = (size) <= SMALL ? EAGAIN : ENOMEM, (void *)NULL)
#endif
#include "base.h"
#include "family.h"
