/* A buffer's contents are saved when the buffer is already freed.
 *
 * report: use-after-free
 * seen: preload
 * function: memcpy
 * block: 100
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>
#include <string.h>

static char saved[100];

int main(int count, char **words)
{
    size_t size = sizeof saved - (count > 1 ? strlen(words[1]) : 0);
    char *buffer = malloc(size); /* MALLOC */
    memset(buffer, 'x', size);
#ifdef FIXED
    memcpy(saved, buffer, size);
    free(buffer);
#else
    free(buffer);                /* FREED */
    memcpy(saved, buffer, size); /* REPORT */
#endif
    return saved[0] != 'x';
}
