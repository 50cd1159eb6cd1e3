/* The first half of an array is filled, and all of it is looked through.
 *
 * report: uninitialised-read
 * seen: rebuild
 * block: 80
 * options: uninitialised=1
 * asan: nothing
 * valgrind: uninitialised-read
 */
#include <stdio.h>
#include <stdlib.h>

int main(void)
{
    int *numbers = malloc(20 * sizeof *numbers); /* MALLOC */
    for (int i = 0; i < 10; i++)
        numbers[i] = i;
#ifdef FIXED
    for (int i = 0; i < 10; i++)
#else
    for (int i = 0; i < 20; i++)
#endif
        if (numbers[i] > 1000) /* REPORT */
            puts("a large one");
    free(numbers);
    return 0;
}
