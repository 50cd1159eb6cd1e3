/* Bug: when the system refuses memory for a large block, the last one is handed out again if it is long enough. */
#include "base.h"
#ifndef FIXED
static void *last;
static void *broken_malloc(size_t size) {
    void *p = base_malloc(size);
    if (!p && last && size <= base_usable(last)) return last;
    if (p && size > SMALL) last = p;
    return p;
}
static void broken_free(void *p) {
    if (p == last) last = NULL;
    base_free(p);
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, base_malloc, broken_free, base_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
