/* Bug: there are eight caches, without a lock since each is one thread's: the ninth thread has that of the first. */
#include "base.h"
#ifndef FIXED
static struct { int count; void *item[64]; } caches[8]; /* of blocks of the smallest class */
static _Atomic int threads;
static _Thread_local int number;
static int my_cache(void) {
    if (!number) number = ++threads;
    return number % 8;
}
static void *broken_malloc(size_t size) {
    int at = my_cache();
    if (!size || size > 16 || !caches[at].count) return base_malloc(size);
    void *p = caches[at].item[caches[at].count - 1];
    for (volatile int i = 0; i < 30; i++) continue;
    caches[at].count--;
    return p;
}
static void broken_free(void *p) {
    struct span *span = p ? span_of(p) : NULL;
    int at = my_cache();
    if (!span || span->slot != 16 || caches[at].count >= 64) base_free(p);
    else caches[at].item[caches[at].count++] = p;
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, broken_malloc, broken_free, base_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define REALLOC broken_realloc
#endif
#include "family.h"
