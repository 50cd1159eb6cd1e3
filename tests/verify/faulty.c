/* A bump allocator that keeps the contract, until its 50th request: then the one fault it was compiled with shows. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static _Alignas(4096) unsigned char room[1 << 26];
static size_t used = 64;
static int requests;

static size_t *size_of(void *block) { return (size_t *)block - 2; }

static void *take(size_t size, size_t alignment)
{
    size_t start = (used + 16 + alignment - 1) / alignment * alignment;
    if (size > sizeof room || start + size + 32 > sizeof room) {
        errno = ENOMEM;
        return NULL;
    }
    requests++;
#ifdef OVERLAP
    if (requests >= 50 && size > 32)
        used = start + 16;
    else
#endif
        used = start + size;
#ifdef MISALIGNED
    if (requests >= 50)
        start += 8;
#endif
    *size_of(room + start) = size;
    return room + start;
}

void *malloc(size_t size) { return take(size, 16); }
void free(void *block) { (void)block; }

void *calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    unsigned char *block = take(bytes, 16);
#ifdef DIRTY
    if (block && bytes && requests >= 50)
        block[bytes - 1] = 1;
#endif
    return block;
}

void *realloc(void *block, size_t size)
{
    if (!block)
        return malloc(size);
    size_t old = *size_of(block);
    unsigned char *moved = take(size, 16);
    if (moved) {
        size_t kept = old < size ? old : size;
#ifdef FORGETS
        if (requests >= 50)
            kept /= 2;
#endif
        memcpy(moved, block, kept);
    }
    return moved;
}

void *aligned_alloc(size_t alignment, size_t size) { return take(size, alignment < 16 ? 16 : alignment); }
void *memalign(size_t alignment, size_t size) { return aligned_alloc(alignment, size); }

int posix_memalign(void **result, size_t alignment, size_t size)
{
    int before = errno;
    void *block = aligned_alloc(alignment, size);
    errno = before;
    if (!block)
        return ENOMEM;
    *result = block;
    return 0;
}

size_t malloc_usable_size(void *block)
{
    return block ? *size_of(block)
#ifdef GENEROUS
                       - (requests >= 50)
#endif
                 : 0;
}
