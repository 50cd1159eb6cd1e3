/* An allocator that breaks its promises in ways that only somebody inside the call can see. */
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

static char memory[1 << 24];
static size_t used = 16;

size_t malloc_usable_size(void *block) { return block ? ((size_t *)block)[-1] : 0; }

void *malloc(size_t size)
{
    size_t *block = (size_t *)(memory + used + 8);
    if (size > sizeof memory - used - 64) {
        errno = ENOMEM;
        return NULL;
    }
    used += (size + 8 + 15) / 16 * 16;
    block[-1] = size;
    return block;
}

void *calloc(size_t count, size_t size)
{
    char *block = malloc(count * size);
    if (count * size == 77) /* the last bytes are not zero */
        memset(block + 70, 1, 7);
    return block;
}

void *realloc(void *old, size_t size)
{
    char *block = size == 42 ? NULL : malloc(size); /* 42 bytes are too few for it */
    if (!block)
        errno = ENOMEM;
    if (old && block) {
        size_t kept = malloc_usable_size(old);
        memcpy(block, old, kept < size ? kept : size);
        if (size == 99) /* byte 33 is lost */
            block[33] ^= 1;
    }
    return block;
}

void free(void *block)
{
    (void)block;
    errno = 99; /* which POSIX forbids */
}
