/* Buffers come from alloca when small and from malloc when large; the size of the wrong one is used.
 *
 * report: out-of-bounds
 * seen: preload
 * function: memset
 * block: 2000
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <alloca.h>
#include <stdlib.h>
#include <string.h>

static char work(size_t size)
{
    char *buffer = size > 1024 ? malloc(size) : alloca(size); /* MALLOC */
#ifdef FIXED
    memset(buffer, 'b', size);
#else
    memset(buffer, 'b', size + (size > 1024)); /* REPORT */
#endif
    char last = buffer[size - 1];
    if (size > 1024)
        free(buffer);
    return last;
}

int main(int count, char **words)
{
    (void)words;
    return work(100 * (size_t)count) != 'b' || work(2000 * (size_t)count) != 'b';
}
