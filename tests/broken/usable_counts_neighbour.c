/* Bug: malloc_usable_size of a block of more than 512 bytes counts 8 bytes of the next, as if a header lay there. */
#include "base.h"
#ifndef FIXED
static size_t broken(void *p) {
    size_t usable = base_usable(p);
    return usable > 512 && usable <= SMALL ? usable + 8 : usable;
}
#define USABLE broken
#endif
#include "family.h"
