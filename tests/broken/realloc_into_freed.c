/* Bug: realloc grows a block into the freed slot behind it, which stays on the list of freed slots. */
#include "base.h"
#ifndef FIXED
static char *grown[64]; /* blocks of two slots */
static char **grown_at(void *p) {
    for (int i = 0; i < 64; i++)
        if (grown[i] == p) return &grown[i];
    return NULL;
}
static size_t broken_usable(void *p) { return p && grown_at(p) ? 2 * span_of(p)->slot : base_usable(p); }
static void broken_free(void *p) {
    if (p && grown_at(p)) *grown_at(p) = NULL;
    base_free(p);
}
static void *broken_realloc(void *p, size_t size) {
    struct span *slab = p ? span_of(p) : NULL;
    char **place = grown_at(NULL);
    int grows = slab && slab->slot && size > slab->slot && size <= 2 * slab->slot && place && !grown_at(p);
    if (grows && slab->freed == (char *)p + slab->slot) return *place = p;
    return realloc_by(p, size, base_malloc, broken_free, broken_usable);
}
#define FREE broken_free
#define REALLOC broken_realloc
#define USABLE broken_usable
#endif
#include "family.h"
