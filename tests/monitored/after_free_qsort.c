/* An array is sorted after it was freed: the library's own sort reads and writes it.
 *
 * report: use-after-free
 * seen: preload
 * function: qsort
 * asan: use-after-free
 * valgrind: use-after-free
 */
#include <stdlib.h>

static int by_value(const void *one, const void *other)
{
    int a = *(const int *)one, b = *(const int *)other;
    return (a > b) - (a < b);
}

int main(void)
{
    int *numbers = malloc(16 * sizeof *numbers); /* MALLOC */
    for (int i = 0; i < 16; i++)
        numbers[i] = 16 - i;
#ifndef FIXED
    free(numbers); /* FREED */
#endif
    qsort(numbers, 16, sizeof *numbers, by_value); /* REPORT */
#ifdef FIXED
    free(numbers);
#endif
    return 0;
}
