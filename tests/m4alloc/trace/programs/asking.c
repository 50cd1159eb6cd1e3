/* An allocator whose malloc_usable_size asks for a block in turn: gperftools' does so the first time. */
#include <errno.h>
#include <stddef.h>

static char memory[1 << 24];
static size_t used = 16;
static void *instance;

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

void free(void *block) { (void)block; }

size_t malloc_usable_size(void *block)
{
    if (!instance)
        instance = malloc(4711);
    free(malloc(4711)); /* each time, too */
    return block ? ((size_t *)block)[-1] : 0;
}

void *calloc(size_t count, size_t size) { return malloc(count * size); }

void *realloc(void *old, size_t size)
{
    char *block = malloc(size);
    for (size_t i = 0; old && block && i < size && i < ((size_t *)old)[-1]; i++)
        block[i] = ((char *)old)[i];
    return block;
}
