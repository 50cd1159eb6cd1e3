/* Bug: when the system refuses memory for a slab, the slab is used all the same. */
#ifndef FIXED
#define NO_MEMORY(size) ((size) <= SMALL ? *(void *volatile *)no_slab : (errno = ENOMEM, (void *)NULL))
static char *volatile no_slab;
#endif
#include "base.h"
#include "family.h"
