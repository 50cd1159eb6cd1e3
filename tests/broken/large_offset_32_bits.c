/* Bug: blocks of 64 MiB and more lie in one region, at offsets of 32 bits: behind 4 GiB the next one is the first. */
#include "base.h"
#ifndef FIXED
enum { CHUNK = 1 << 26, CHUNKS = 1 << 10 };
static char *region;
static uint8_t taken[CHUNKS], length[CHUNKS]; /* chunks that are in use; how many the block has that begins there */
static int chunk_of(void *p) {
    size_t at = region ? (size_t)((char *)p - region) : (size_t)CHUNK * CHUNKS;
    return at < (size_t)CHUNK * CHUNKS ? (int)(at / CHUNK) : -1;
}
static void *broken_malloc(size_t size) {
    if (size < CHUNK || size > (size_t)CHUNK * 200) return base_malloc(size);
    int wanted = (int)(up(size, CHUNK) / CHUNK), at = 0, room = 0;
    LOCK();
    if (!region) region = map((size_t)CHUNK * CHUNKS, CHUNK);
    for (; region && room < wanted && at < CHUNKS; at++) room = taken[at] ? 0 : room + 1;
    int found = region && room == wanted;
    at -= wanted;
    if (found) memset(taken + at, 1, (size_t)wanted), length[at] = (uint8_t)wanted;
    UNLOCK();
    uint32_t offset = (uint32_t)at * CHUNK;
    return found ? region + offset : NO_MEMORY(size);
}
static size_t broken_usable(void *p) {
    return p && chunk_of(p) >= 0 ? (size_t)length[chunk_of(p)] * CHUNK : base_usable(p);
}
static void broken_free(void *p) {
    if (!p || chunk_of(p) < 0) return base_free(p);
    madvise(p, broken_usable(p), MADV_DONTNEED);
    memset(taken + chunk_of(p), 0, length[chunk_of(p)]);
}
static void *broken_realloc(void *p, size_t size) {
    return realloc_by(p, size, broken_malloc, broken_free, broken_usable);
}
#define MALLOC broken_malloc
#define FREE broken_free
#define REALLOC broken_realloc
#define USABLE broken_usable
#endif
#include "family.h"
