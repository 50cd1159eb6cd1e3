/* Bug: free_sized looks up the class of size - 1, and there is none for a block of zero bytes. */
#include "base.h"
#ifndef FIXED
static void broken(void *p, size_t size) {
    if (p && !size) die("free_sized(): no such class\n");
    base_free(p);
}
#define FREE_SIZED broken
#endif
#include "family.h"
