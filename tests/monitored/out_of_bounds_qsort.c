/* One element too many is sorted.
 *
 * report: out-of-bounds
 * seen: preload
 * function: qsort
 * block: 40
 * asan: out-of-bounds
 * valgrind: out-of-bounds
 */
#include <stdlib.h>

static int by_value(const void *one, const void *other)
{
    long a = *(const long *)one, b = *(const long *)other;
    return (a > b) - (a < b);
}

int main(void)
{
    size_t count = 5;
    long *numbers = malloc(count * sizeof *numbers); /* MALLOC */
    for (size_t i = 0; i < count; i++)
        numbers[i] = (long)(count - i);
#ifndef FIXED
    count++;
#endif
    qsort(numbers, count, sizeof *numbers, by_value); /* REPORT */
    free(numbers);
    return 0;
}
