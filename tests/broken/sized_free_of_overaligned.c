/* Bug: free_aligned_sized takes small blocks to lie in the first 64 KiB of their slab, which over-aligned ones need not. */
#include "base.h"
#ifndef FIXED
enum { PLACES = 64, PLACE = 1 << 14 };
static char *room; /* of small blocks whose alignment is 4 to 16 KiB */
static char taken[PLACES];
static int place_of(void *p) {
    size_t at = room ? (size_t)((char *)p - room) : PLACES * PLACE;
    return at < PLACES * PLACE ? (int)(at / PLACE) : -1;
}
static void *broken_aligned(size_t alignment, size_t size) {
    void *p = NULL;
    if (alignment < PAGE || alignment > PLACE || size > 1024) return base_aligned(alignment, size);
    LOCK();
    if (!room) room = map(PLACES * PLACE, UNIT);
    for (int i = 0; room && i < PLACES && !p; i++)
        if (!taken[i]) taken[i] = 1, p = room + i * PLACE;
    UNLOCK();
    return p ? p : base_aligned(alignment, size);
}
static size_t broken_usable(void *p) { return p && place_of(p) >= 0 ? 1024 : base_usable(p); }
static void broken_free(void *p) {
    if (!p || place_of(p) < 0) base_free(p);
    else taken[place_of(p)] = 0;
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, base_malloc, broken_free, broken_usable);
}
static void broken_free_aligned_sized(void *p, size_t alignment, size_t size) {
    (void)alignment;
    if (size <= 1024 && p && place_of(p) >= UNIT / PLACE) die("free_aligned_sized(): corrupted slab\n");
    broken_free(p);
}
#define ALIGNED broken_aligned
#define FREE broken_free
#define REALLOC broken_realloc
#define USABLE broken_usable
#define FREE_ALIGNED_SIZED broken_free_aligned_sized
#endif
#include "family.h"
