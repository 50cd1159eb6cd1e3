/* A block of ints is cleared by the size of an array of longs.
 *
 * report: out-of-bounds
 * seen: preload
 * function: memset
 * block: 80
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>
#include <string.h>

static void clear(void *array, size_t count, size_t size)
{
    memset(array, 0, count * size); /* REPORT */
}

static void (*volatile clear_array)(void *, size_t, size_t) = clear;

int main(void)
{
    int *numbers = malloc(20 * sizeof *numbers); /* MALLOC */
#ifdef FIXED
    clear_array(numbers, 20, sizeof(int));
#else
    clear_array(numbers, 20, sizeof(long));
#endif
    free(numbers);
    return 0;
}
