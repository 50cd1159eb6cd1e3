/* Bug: live blocks are counted in 16 bits, and when the count is zero all slabs are taken for empty. */
#include "base.h"
#ifndef FIXED
static uint16_t live;
static struct span *slabs[4096];
static int slab_count;
static void all_empty(void) {
    memset(partial, 0, sizeof partial);
    spare_slabs = NULL;
    for (int i = 0; i < slab_count; i++) {
        slabs[i]->freed = NULL, slabs[i]->fresh = slabs[i]->used = 0;
        link_slab(slabs[i]);
    }
}
static void enter(struct span *span) { /* a slab of which the first slot was taken just now */
    int known = !span->slot || span->fresh != 1 || slab_count == 4096;
    for (int i = 0; i < slab_count && !known; i++) known = slabs[i] == span;
    if (!known) slabs[slab_count++] = span;
}
static void *broken_aligned(size_t alignment, size_t size) {
    LOCK();
    if (!live++) all_empty();
    UNLOCK();
    void *p = base_aligned(alignment, size);
    LOCK();
    if (p) enter(span_of(p));
    else live--;
    UNLOCK();
    return p;
}
static void *broken_malloc(size_t size) { return broken_aligned(16, size); }
static void broken_free(void *p) {
    base_free(p);
    if (p) __atomic_fetch_sub(&live, 1, __ATOMIC_RELAXED);
}
static void *broken_calloc(size_t count, size_t size) {
    size_t total;
    if (__builtin_mul_overflow(count, size, &total)) return errno = ENOMEM, NULL;
    void *p = broken_malloc(total);
    return p ? memset(p, 0, total) : NULL;
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, broken_malloc, broken_free, base_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define CALLOC broken_calloc
#define REALLOC broken_realloc
#define ALIGNED broken_aligned
#endif
#include "family.h"
