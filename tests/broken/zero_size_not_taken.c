/* Bug: a request of zero bytes gets the address of the next free slot, which is not taken for it. */
#include "base.h"
#ifndef FIXED
static void *next_slot; /* what was handed out for zero bytes last */
static void *broken_malloc(size_t size) {
    void *p = base_malloc(size ? size : 1);
    if (p && !size) base_free(next_slot = p);
    return p;
}
static void broken_free(void *p) {
    if (!p || p != next_slot) base_free(p);
    else next_slot = NULL;
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, broken_malloc, broken_free, base_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
