/* An element's address is kept while the array grows, and written to when the array lies elsewhere.
 *
 * report: use-after-free
 * seen: rebuild
 * block: 64
 * hooks: thread
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

int main(void)
{
    long *array = malloc(8 * sizeof *array); /* MALLOC */
    array[0] = 1;
    long *first = &array[0];
    array = realloc(array, 100000 * sizeof *array); /* FREED */
#ifdef FIXED
    first = &array[0];
#endif
    *first += 1; /* REPORT */
    free(array);
    return 0;
}
