/* Bug: free looks at the header of the block without asking whether there is one. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static void broken(void *p) {
    (void)((volatile size_t *)p)[-1];
    base_free(p);
}
#define FREE broken
#endif
#include "family.h"
