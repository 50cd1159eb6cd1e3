/* Bug: all requests of zero bytes get the same address. */
#include "base.h"
#ifndef FIXED
static char nothing[16] __attribute__((aligned(16)));
static void *broken_malloc(size_t size) { return size ? base_malloc(size) : nothing; }
static void broken_free(void *p) {
    if (p != nothing) base_free(p);
}
static size_t broken_usable(void *p) { return p == nothing ? 0 : base_usable(p); }
static void *broken_realloc(void *p, size_t size) { return base_realloc(p == nothing ? NULL : p, size); }
#define MALLOC broken_malloc
#define FREE broken_free
#define USABLE broken_usable
#define REALLOC broken_realloc
#endif
#include "family.h"
