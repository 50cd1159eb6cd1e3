/* Bug: free sets errno to 0. Over glibc. */
#include "glibc.h"
#ifndef FIXED
static void broken(void *p) {
    base_free(p);
    errno = 0;
}
#define FREE broken
#endif
#include "family.h"
