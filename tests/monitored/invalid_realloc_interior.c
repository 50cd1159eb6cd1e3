/* realloc is given a pointer into the middle of the array that is to grow.
 *
 * report: invalid-free
 * seen: preload
 * block: 64
 * offset: 16
 * asan: invalid-free
 * valgrind: invalid-free, leak
 */
#include <stdlib.h>

int main(void)
{
    int *array = malloc(16 * sizeof *array), *place = array + 4; /* MALLOC */
    *place = 4;
#ifdef FIXED
    place = realloc(array, 32 * sizeof *array);
#else
    place = realloc(place, 32 * sizeof *array); /* REPORT */
#endif
    free(place);
    return 0;
}
