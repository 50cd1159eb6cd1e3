/* An allocator of the program's own, in a static buffer, forgets to say that it has answered when it is exhausted.
 *
 * report: property
 * property: thread: [](mem_allocate_start -> X(!mem_allocate_start U mem_allocate_end))
 * seen: preload
 * asan: nothing
 * valgrind: nothing
 */
#include <m4alloc_label.h>
#include <stddef.h>

static char pool[100];
static size_t used;

static void *pool_allocate(size_t size)
{
    void *block = NULL;
    M4ALLOC_MEM_ALLOCATE_START(); /* REPORT */
    if (size <= sizeof pool - used) {
        block = pool + used;
        used += size;
    }
#ifndef FIXED
    else
        return NULL;
#endif
    M4ALLOC_MEM_ALLOCATE_END(block);
    return block;
}

int main(void)
{
    pool_allocate(60);
    pool_allocate(60);
    return pool_allocate(30) == NULL;
}
