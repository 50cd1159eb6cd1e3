/* An allocator that never frees; STINGY: it has no memory for requests of 90 to 999 bytes; OVERLAP: those share memory. */
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>

static _Alignas(16) char memory[64 << 20];
static size_t used;

void *malloc(size_t size) {
#ifdef STINGY
    if (size >= 90 && size < 1000) return NULL;
#endif
#ifdef OVERLAP
    if (size >= 90 && size < 1000) return memory + sizeof memory - 1024;
#endif
    size_t start = __atomic_fetch_add(&used, (size + 31) & ~(size_t)15, __ATOMIC_RELAXED);
    if (start + size + 1024 > sizeof memory) return NULL;
    *(size_t *)(memory + start) = size;
    return memory + start + 16;
}

void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *block, size_t size) {
    char *moved = malloc(size);
    if (block && moved) {
        size_t old = ((size_t *)block)[-2];
        memcpy(moved, block, old < size ? old : size);
    }
    return moved;
}
