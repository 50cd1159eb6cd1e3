/* realloc fails, and its null is assigned to the only pointer to the block.
 *
 * report: leak
 * seen: preload
 * block: 64
 * asan: leak
 * valgrind: leak
 */
#include <stdint.h>
#include <stdlib.h>

static char *volatile array;

static void grow(size_t size)
{
#ifdef FIXED
    char *larger = realloc(array, size);
    if (larger != NULL)
        array = larger;
#else
    array = realloc(array, size);
#endif
}

int main(int count, char **words)
{
    (void)words;
    array = calloc(64, 1); /* MALLOC */
    grow(SIZE_MAX / 2 - (size_t)count);
    if (array != NULL)
        array[0] = 'a';
    free(array);
    return 0;
}
