/* Bug: only slots are taken and given back under the lock, large blocks are not. */
#include "base.h"
#ifndef FIXED
static void *broken_malloc(size_t size) {
    if (size <= SMALL || size > PTRDIFF_MAX) return base_malloc(size);
    void *p = take_large(size, 16);
    return p ? p : NO_MEMORY(size);
}
static void broken_free(void *p) {
    int before = errno;
    struct span *span = p ? span_of(p) : NULL;
    if (span && !span->slot) give_large(span);
    else base_free(p);
    errno = before;
}
#define MALLOC broken_malloc
#define FREE broken_free
#endif
#include "family.h"
