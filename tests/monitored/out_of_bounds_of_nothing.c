/* A block of zero bytes is written to.
 *
 * report: out-of-bounds
 * seen: rebuild
 * block: 0
 * offset: 0
 * hooks: thread
 * asan: nothing
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

int main(int count, char **words)
{
    (void)words;
    size_t size = (size_t)count - 1;
    volatile char *buffer = malloc(size); /* MALLOC */
#ifdef FIXED
    if (size > 0)
#endif
        buffer[0] = '\0'; /* REPORT */
    free((void *)buffer);
    return 0;
}
